package bitbucket

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bucketgate/policy"
)

// A Pipeline is what a scope may see of a run of a pipeline. Variables are
// never asked for.
type Pipeline struct {
	Pipeline    policy.Pipeline // the right to ask for more of it
	State       string          // PENDING, IN_PROGRESS, or the result: SUCCESSFUL, FAILED and the like
	Target      string          // branch, "tag x", or "pull request 7"; "" for a bare commit
	Commit      string          // hash
	Trigger     string
	Creator     string
	CreatedOn   time.Time
	CompletedOn time.Time
	Seconds     int // that it took

	raw pipelineJSON // that it was judged by
}

// A PipelineStatus filters pipelines; the empty one does not.
type PipelineStatus string

// PipelineOptions say which pipelines are wanted.
type PipelineOptions struct {
	ListOptions
	Status PipelineStatus // in Bitbucket's words: PENDING, BUILDING, PASSED, FAILED, STOPPED, ERROR …
}

type stateJSON struct {
	Name   string `json:"name"`
	Result *struct {
		Name string `json:"name"`
	} `json:"result"`
}

// word returns the state as one known word: the text goes to an agent.
func (s stateJSON) word() string {
	word := s.Name
	if s.Result != nil {
		word = s.Result.Name
	}
	switch word {
	case "PENDING", "READY", "IN_PROGRESS", "SUCCESSFUL", "FAILED", "STOPPED", "ERROR", "EXPIRED", "NOT_RUN", "PAUSED", "HALTED":
		return word
	}
	return "UNKNOWN"
}

type pipelineJSON struct {
	UUID        string      `json:"uuid"`
	BuildNumber int         `json:"build_number"`
	State       stateJSON   `json:"state"`
	Creator     *personJSON `json:"creator"`
	CreatedOn   string      `json:"created_on"`
	CompletedOn string      `json:"completed_on"`
	Duration    int         `json:"duration_in_seconds"`
	Trigger     struct {
		Name string `json:"name"`
	} `json:"trigger"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
	Target struct {
		Type        string `json:"type"`
		RefType     string `json:"ref_type"`
		RefName     string `json:"ref_name"`
		Source      string `json:"source"`
		Destination string `json:"destination"`
		PullRequest struct {
			ID int `json:"id"`
		} `json:"pullrequest"`
		Commit struct {
			Hash string `json:"hash"`
		} `json:"commit"`
	} `json:"target"`
}

var pipelineFields = []string{
	"uuid", "build_number", "state.name", "state.result.name", "creator.display_name", "creator.nickname", "created_on", "completed_on",
	"duration_in_seconds", "trigger.name", "repository.full_name", "target.type", "target.ref_type", "target.ref_name", "target.source",
	"target.destination", "target.pullrequest.id", "target.commit.hash",
}

// Pipelines returns the pipelines of a repository that ran on what the scopes
// allow, the newest first: all, or those of a branch, which may be the zero
// one. One that ran on a tag or a bare commit is listed where the first of the
// branches reaches its commit; each such row may cost a request, and after
// twenty of them the page ends.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/#api-repositories-workspace-repo-slug-pipelines-get
func (c *Client) Pipelines(ctx context.Context, repo policy.Repo, branch policy.Branch, first []policy.Branch, o PipelineOptions) (Page[Pipeline], error) {
	e, err := at(routePipelines, repo)
	if err != nil {
		return Page[Pipeline]{}, err
	}
	query := listQuery("-created_on", "", maxPageLength, prefixed("values.", pipelineFields)...)
	if repo.Unrestricted() || branch.Checked() {
		query.Set("pagelen", strconv.Itoa(min(max(o.Limit, 1), maxPageLength)))
	}
	if branch.Checked() {
		query.Set("target.branch", branch.Name())
	}
	if o.Status != "" {
		query.Set("status", string(o.Status))
	}
	checks := maxChecks
	w := walk[pipelineJSON]{client: c, endpoint: e, query: query, unlinked: true}
	w.pause = func(raw pipelineJSON) bool {
		_, judged := newPipeline(raw, repo)
		return checks <= 0 && len(first) > 0 && !judged && raw.onCommit()
	}
	return collect(ctx, w, o.ListOptions, false, func(raw pipelineJSON) (Pipeline, bool) {
		pipeline, ok := newPipeline(raw, repo)
		if !ok && raw.onCommit() {
			checks--
			pipeline, ok = c.onReached(ctx, raw, repo, first)
		}
		return pipeline, ok && (!branch.Checked() || raw.Target.RefName == branch.Name() || raw.Target.Source == branch.Name())
	}, func(Pipeline) bool { return true })
}

// maxChecks is of how many commits one call of [Client.Pipelines] asks whether
// they are reached.
const maxChecks = 20

// Lists reports whether [Client.Pipelines] lists a run, which it has listed for
// another scope, for a repository too.
func (c *Client) Lists(ctx context.Context, repo policy.Repo, first []policy.Branch, run Run) bool {
	if !run.Checked() {
		return false
	}
	_, ok := newPipeline(run.runRaw, repo)
	if !ok && run.runRaw.onCommit() {
		_, ok = c.onReached(ctx, run.runRaw, repo, first)
	}
	return ok
}

// Pipeline returns the pipeline of this number, or ErrNotFound. The branches in
// first are tried first where it ran on a commit that a branch has to reach.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/#api-repositories-workspace-repo-slug-pipelines-pipeline-uuid-get
func (c *Client) Pipeline(ctx context.Context, repo policy.Repo, number int, first []policy.Branch) (Pipeline, error) {
	e, err := at(routePipeline, repo)
	if err != nil {
		return Pipeline{}, err
	}
	e.build = number
	body, err := c.fetch(ctx, e, url.Values{"fields": {strings.Join(pipelineFields, ",")}}.Encode())
	if err != nil {
		return Pipeline{}, err
	}
	var raw pipelineJSON
	if json.Unmarshal(body, &raw) != nil || raw.BuildNumber != number {
		return Pipeline{}, unavailable("it answered something that is no pipeline")
	}
	if pipeline, ok := newPipeline(raw, repo); ok {
		return pipeline, nil
	}
	name, ok := repo.SeesCommit(raw.Target.Commit.Hash)
	if !ok || !raw.onCommit() || !repo.Is(raw.Repository.FullName) {
		return Pipeline{}, repo.Refuse("pipeline " + strconv.Itoa(number) + " ran on what the scopes do not allow")
	}
	commit, err := c.Commit(ctx, name, first)
	if err != nil {
		return Pipeline{}, err
	}
	commit.Use()
	right, _ := commit.PipelineOn(number)
	return drawPipeline(raw, right), nil
}

// onCommit reports whether a pipeline ran on a commit that no branch is named
// for: its commit has to be reached.
func (p pipelineJSON) onCommit() bool {
	return p.Target.Type == "pipeline_commit_target" || p.Target.Type == "pipeline_ref_target" && p.Target.RefType != "branch"
}

// newPipeline judges a pipeline by what it ran on, as far as that takes no
// request.
func newPipeline(raw pipelineJSON, repo policy.Repo) (Pipeline, bool) {
	if !repo.Is(raw.Repository.FullName) {
		return Pipeline{}, false
	}
	if right, ok := repo.AnyPipeline(raw.BuildNumber); ok {
		return drawPipeline(raw, right), true
	}
	var right policy.Pipeline
	ok := false
	switch {
	case raw.Target.Type == "pipeline_ref_target" && raw.Target.RefType == "branch":
		if branch, seen := repo.Sees(raw.Target.RefName); seen {
			right, ok = branch.PipelineOn(raw.BuildNumber)
		}
	case raw.Target.Type == "pipeline_pullrequest_target":
		// Both ends are branches of this repository: a pull request of a fork
		// runs nothing here.
		// https://bitbucket.org/site/master/issues/13162/pull-requests-from-forks
		end := func(branch string) policy.End { return policy.End{FullName: repo.FullName(), Branch: branch} }
		if pull, seen := repo.SeesPullRequest(raw.Target.PullRequest.ID, end(raw.Target.Destination), end(raw.Target.Source)); seen {
			right, ok = pull.PipelineOn(raw.BuildNumber)
		}
	}
	return drawPipeline(raw, right), ok
}

// onReached judges a pipeline of a list by its commit and the first branches
// alone: to try all of them for each row would cost too much.
func (c *Client) onReached(ctx context.Context, raw pipelineJSON, repo policy.Repo, first []policy.Branch) (Pipeline, bool) {
	name, ok := repo.SeesCommit(raw.Target.Commit.Hash)
	if !ok || !repo.Is(raw.Repository.FullName) || !name.IsFull() {
		return Pipeline{}, false
	}
	for _, branch := range first {
		head, err := c.Head(ctx, branch)
		if err != nil {
			continue
		}
		if commit, ok, err := c.reachedFrom(ctx, name, name.Hash(), head); err == nil && ok {
			right, ok := commit.PipelineOn(raw.BuildNumber)
			return drawPipeline(raw, right), ok
		}
	}
	return Pipeline{}, false
}

func drawPipeline(raw pipelineJSON, right policy.Pipeline) Pipeline {
	p := Pipeline{
		Pipeline: right, State: raw.State.word(), Commit: hash(raw.Target.Commit.Hash), Trigger: cleanText(raw.Trigger.Name, maxShortText),
		Creator: raw.Creator.name(), CreatedOn: instant(raw.CreatedOn), CompletedOn: instant(raw.CompletedOn), Seconds: raw.Duration, raw: raw,
	}
	switch {
	case raw.Target.PullRequest.ID > 0:
		p.Target = "pull request " + strconv.Itoa(raw.Target.PullRequest.ID)
	case raw.Target.RefType == "branch":
		p.Target = cleanText(raw.Target.RefName, maxName)
	case raw.Target.RefName != "":
		p.Target = "tag " + cleanText(raw.Target.RefName, maxName)
	}
	return p
}

// A StepRight is the right to read the log of a step. It keeps the step's name
// inside.
type StepRight struct {
	stepPipeline policy.Pipeline
	stepRun      string
	stepUUID     string
}

// Checked reports whether the value came from a check.
func (s StepRight) Checked() bool { return s.stepPipeline.Checked() }

// Account returns what requests for the step are made with.
func (s StepRight) Account() policy.Account { return s.stepPipeline.Account() }

// A Step is one step of a pipeline.
type Step struct {
	Right   StepRight
	Name    string
	State   string // as of a pipeline
	Seconds int
}

type stepJSON struct {
	UUID     string    `json:"uuid"`
	Name     string    `json:"name"`
	State    stateJSON `json:"state"`
	Duration int       `json:"duration_in_seconds"`
}

const maxSteps = 100

// A Run is the right to read the steps of a pipeline. It keeps the pipeline's
// name inside.
type Run struct {
	runPipeline policy.Pipeline
	runUUID     string
	runRaw      pipelineJSON // that the pipeline was judged by
}

// Run returns the right to read the pipeline's steps.
func (p Pipeline) Run() Run { return Run{p.Pipeline, p.raw.UUID, p.raw} }

// Checked reports whether the value came from a check.
func (r Run) Checked() bool { return r.runPipeline.Checked() }

// Account returns what requests for the steps are made with.
func (r Run) Account() policy.Account { return r.runPipeline.Account() }

// Steps returns the steps of a pipeline in their order, at most 100.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/#api-repositories-workspace-repo-slug-pipelines-pipeline-uuid-steps-get
func (c *Client) Steps(ctx context.Context, run Run, budget *Budget) ([]Step, error) {
	e, err := at(routeSteps, run)
	if err != nil {
		return nil, err
	}
	e.slug, e.run = run.runPipeline.Repo().Slug(), run.runUUID
	query := unsorted(listQuery("", "", maxSteps, prefixed("values.", []string{"uuid", "name", "state.name", "state.result.name", "duration_in_seconds"})...))
	w := walk[stepJSON]{client: c, endpoint: e, query: query, unlinked: true}
	page, err := collect(ctx, w, ListOptions{Limit: maxSteps, Budget: budget}, false, func(raw stepJSON) (Step, bool) {
		right := StepRight{run.runPipeline, run.runUUID, raw.UUID}
		return Step{Right: right, Name: cleanText(raw.Name, maxName), State: raw.State.word(), Seconds: raw.Duration}, uuidSegment.MatchString(raw.UUID)
	}, func(Step) bool { return true })
	return page.Rows, err
}

// errNoLog reports a step that has written nothing.
var errNoLog = errors.New("bitbucket: the step has no log")

// IsNoLog reports whether a step has written nothing yet.
func IsNoLog(err error) bool { return errors.Is(err, errNoLog) }
