package agent

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

type listPipelinesInput struct {
	Repository string `json:"repository"`
	Branch     string `json:"branch,omitempty"`
	Status     string `json:"status,omitempty" jsonschema:"enum=pending,enum=running,enum=passed,enum=failed,enum=stopped,enum=error"`
	Scope      string `json:"scope,omitempty" jsonschema:"minLength=1"`
	Limit      int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100"`
	Cursor     string `json:"cursor,omitempty"`
}

type listPipelinesOutput struct {
	Summary    string        `json:"summary"`
	FullName   string        `json:"full_name"`
	Scopes     []string      `json:"scopes"`
	Pipelines  []pipelineRow `json:"pipelines"`
	NextCursor string        `json:"next_cursor,omitempty"`
	Notice     string        `json:"notice,omitempty"`
}

type pipelineRow struct {
	Number    int    `json:"number"`
	State     string `json:"state"`
	Target    string `json:"target,omitempty"`
	Commit    string `json:"commit"`
	CreatedOn string `json:"created_on"`
	Seconds   int    `json:"seconds,omitempty"`
}

// statuses are Bitbucket's words for those of the argument.
var statuses = map[string]bitbucket.PipelineStatus{
	"pending": "PENDING", "running": "BUILDING", "passed": "PASSED", "failed": "FAILED", "stopped": "STOPPED", "error": "ERROR",
}

func listPipelines(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "list_pipelines",
		Title:       "List pipelines",
		Description: "Pipeline runs, newest first, of branches that your scope allows.",
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in listPipelinesInput) (listPipelinesOutput, error) {
		return pipelineLister{resolver{client: client, call: call}, in}.list(ctx)
	})
}

type pipelineLister struct {
	resolver
	in listPipelinesInput
}

func (l pipelineLister) list(ctx context.Context) (listPipelinesOutput, error) {
	limit, err := limitOf(l.in.Limit, "")
	if err != nil {
		return listPipelinesOutput{}, err
	}
	start, err := l.call.OpenPlace()
	if err != nil {
		return listPipelinesOutput{}, err
	}
	repository, err := l.resolve(ctx, l.in.Repository)
	if err != nil {
		return listPipelinesOutput{}, err
	}
	views := l.views(repository)
	if err := views.onBranch(repository, l.in.Branch); err != nil {
		return listPipelinesOutput{}, err
	}
	found, err := joinViews(ctx, views, start, limit, func(view bitbucket.Repository, from bitbucket.Position) (bitbucket.Page[bitbucket.Pipeline], error) {
		branch, ok := branchIn(view, l.in.Branch)
		if !ok {
			return bitbucket.Page[bitbucket.Pipeline]{}, nil
		}
		return l.client.Pipelines(ctx, view.Repo, branch, defaultBranch(view), bitbucket.PipelineOptions{
			ListOptions: bitbucket.ListOptions{From: from, Limit: limit, Budget: l.call.Budget, Progress: l.call.Progress},
			Status:      statuses[l.in.Status],
		})
	}, func(view bitbucket.Repository, p bitbucket.Pipeline) bool {
		return l.client.Lists(ctx, view.Repo, defaultBranch(view), p.Run())
	})
	if err != nil {
		return listPipelinesOutput{}, &tools.About{Kind: "repository", Name: l.in.Repository, Err: err}
	}
	out := listPipelinesOutput{FullName: repository.FullName, Scopes: views.scopes()}
	out.Pipelines, out.NextCursor, out.Notice = cut(l.call, drawn(found.rows, drawPipeline), found, out)
	out.Summary = l.summary(out)
	return out, nil
}

func (l pipelineLister) summary(out listPipelinesOutput) string {
	words := counted(len(out.Pipelines), "pipeline", "pipelines") + " of " + out.FullName
	if l.in.Branch != "" {
		words += " on " + l.in.Branch
	}
	if l.in.Status != "" {
		words = l.in.Status + ": " + words
	}
	return words + within(out.Scopes)
}

func drawPipeline(p bitbucket.Pipeline) pipelineRow {
	return pipelineRow{
		Number: p.Pipeline.Number(), State: p.State, Target: p.Target, Commit: shortened(p.Commit),
		CreatedOn: timestamp(p.CreatedOn), Seconds: p.Seconds,
	}
}

// defaultBranch returns a repository's default branch where the scope allows
// it.
func defaultBranch(repository bitbucket.Repository) []policy.Branch {
	if branch, ok := repository.Repo.Sees(repository.DefaultBranch); ok {
		return []policy.Branch{branch}
	}
	return nil
}

type getPipelineInput struct {
	Repository string   `json:"repository"`
	Number     int      `json:"number" jsonschema:"minimum=1,maximum=2147483647"`
	Include    []string `json:"include,omitempty" jsonschema:"enum=steps,enum=log"`
	Step       int      `json:"step,omitempty" jsonschema:"minimum=1,maximum=100,description=Of which to show the log (the first failed or the last)"`
	Scope      string   `json:"scope,omitempty" jsonschema:"minLength=1"`
}

type getPipelineOutput struct {
	Summary     string    `json:"summary"`
	FullName    string    `json:"full_name"`
	Scopes      []string  `json:"scopes"`
	Number      int       `json:"number"`
	State       string    `json:"state"`
	Target      string    `json:"target,omitempty"`
	Commit      string    `json:"commit"`
	Trigger     string    `json:"trigger,omitempty"`
	Creator     string    `json:"creator,omitempty"`
	CreatedOn   string    `json:"created_on"`
	CompletedOn string    `json:"completed_on,omitempty"`
	Seconds     int       `json:"seconds,omitempty"`
	URL         string    `json:"url"`
	Steps       []stepRow `json:"steps,omitempty"`
	Log         string    `json:"log,omitempty"`
	Notice      string    `json:"notice,omitempty"`
}

type stepRow struct {
	Step    int    `json:"step"`
	Name    string `json:"name,omitempty"`
	State   string `json:"state"`
	Seconds int    `json:"seconds,omitempty"`
}

func getPipeline(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "get_pipeline",
		Title:       "Get a pipeline",
		Description: "A pipeline run by its number, its steps, and the end of a step's log, where what looks like a secret is masked.",
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in getPipelineInput) (getPipelineOutput, error) {
		return pipelineReader{resolver{client: client, call: call}, in}.read(ctx)
	})
}

type pipelineReader struct {
	resolver
	in getPipelineInput
}

func (r pipelineReader) read(ctx context.Context) (getPipelineOutput, error) {
	repository, err := r.resolve(ctx, r.in.Repository)
	if err != nil {
		return getPipelineOutput{}, err
	}
	p, err := among(ctx, r.resolver, repository, func(repository bitbucket.Repository) (bitbucket.Pipeline, error) {
		return r.client.Pipeline(ctx, repository.Repo, r.in.Number, defaultBranch(repository))
	})
	if err != nil {
		return getPipelineOutput{}, r.about(err)
	}
	p.Pipeline.Use()
	out := getPipelineOutput{
		FullName: repository.FullName, Scopes: p.Pipeline.Repo().Scopes(), Number: p.Pipeline.Number(), State: p.State, Target: p.Target,
		Commit: shortened(p.Commit), Trigger: p.Trigger, Creator: p.Creator, CreatedOn: timestamp(p.CreatedOn), CompletedOn: timestamp(p.CompletedOn),
		Seconds: p.Seconds, URL: pageOf(repository) + "/pipelines/results/" + strconv.Itoa(p.Pipeline.Number()),
	}
	out.Summary = fmt.Sprintf("Pipeline %d of %s on %s: %s", out.Number, out.FullName, orCommit(out), out.State) + within(out.Scopes)
	if err := r.include(ctx, p, &out); err != nil {
		return getPipelineOutput{}, r.about(err)
	}
	return out, nil
}

func orCommit(out getPipelineOutput) string {
	if out.Target == "" {
		return "commit " + out.Commit
	}
	return out.Target
}

func (r pipelineReader) about(err error) error {
	return &tools.About{Kind: "pipeline", Name: strconv.Itoa(r.in.Number), Err: err}
}

func (r pipelineReader) include(ctx context.Context, p bitbucket.Pipeline, out *getPipelineOutput) error {
	if len(r.in.Include) == 0 && r.in.Step == 0 {
		return nil
	}
	steps, err := r.client.Steps(ctx, p.Run(), r.call.Budget)
	if err != nil {
		return err
	}
	if slices.Contains(r.in.Include, "steps") {
		for i, step := range steps {
			out.Steps = append(out.Steps, stepRow{i + 1, step.Name, step.State, step.Seconds})
		}
		out.Steps = out.Steps[:tools.Fit(out.Steps, 8<<10, nil)]
	}
	if r.in.Step == 0 && !slices.Contains(r.in.Include, "log") {
		return nil
	}
	number := r.in.Step
	if number == 0 {
		number = interesting(steps)
	}
	if number < 1 || number > len(steps) {
		return tools.Invalid(fmt.Sprintf("The pipeline has %s.", counted(len(steps), "step", "steps")), `Name one of them, or ask with include ["steps"] first.`)
	}
	return r.log(ctx, steps[number-1], number, out)
}

// interesting is the step whose log is shown where none is named: the first
// that failed, or the last.
func interesting(steps []bitbucket.Step) int {
	failed := slices.IndexFunc(steps, func(s bitbucket.Step) bool { return s.State == "FAILED" || s.State == "ERROR" })
	if failed >= 0 {
		return failed + 1
	}
	return len(steps)
}

const logShare = 4 << 10 // bytes of a log in one answer

func (r pipelineReader) log(ctx context.Context, step bitbucket.Step, number int, out *getPipelineOutput) error {
	found, err := r.client.StepLog(ctx, step.Right)
	if bitbucket.IsNoLog(err) {
		out.Notice = fmt.Sprintf("Step %d has no log.", number)
		return nil
	}
	if err != nil {
		return err
	}
	var whole bool
	out.Log, whole = lastLines(found.Text, logShare)
	out.Notice = fmt.Sprintf("This is the log of step %d.", number)
	if !whole || !found.Whole {
		out.Notice = fmt.Sprintf("This is the end of the log of step %d; its page shows all of it.", number)
	}
	return nil
}

// lastLines returns the last whole lines of a text that fit.
func lastLines(text string, limit int) (last string, whole bool) {
	lines := strings.SplitAfter(text, "\n")
	size := 0
	for i := len(lines) - 1; i >= 0; i-- {
		if size += tools.EncodedSize(lines[i]); size > limit {
			return strings.Join(lines[i+1:], ""), false
		}
	}
	return text, true
}
