package sample

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Pipeline is what AddPipeline takes. Everything may be left out but a target.
type Pipeline struct {
	UUID    string // given by AddPipeline, as {…}
	Number  int    // given by AddPipeline
	State   string // PENDING, IN_PROGRESS or COMPLETED, which is what empty means
	Stage   string // of IN_PROGRESS: RUNNING when empty, PAUSED, HALTED
	Result  string // of COMPLETED: SUCCESSFUL when empty, FAILED, STOPPED, ERROR, EXPIRED
	Error   string // what an ERROR says
	Target  Target
	Trigger string // PUSH when empty, MANUAL, SCHEDULED, PARENT_STEP
	Creator string

	CreatedOn   time.Time // follows the one before when zero
	CompletedOn time.Time // of COMPLETED; the steps decide when zero
	Variables   []Variable
	Steps       []Step
}

// Target is what a pipeline builds: a pull request where PullRequest is given,
// else a branch or a tag where RefName is, and else a bare commit.
type Target struct {
	RefType string // branch when empty, tag
	RefName string
	Hash    string // of the commit, in full; the branch's head when empty

	PullRequest int

	// Of a pull request: filled in from it when empty.
	Source, Destination string
	DestinationHash     string

	Selector Selector
}

// Selector is which definition of the configuration ran.
type Selector struct {
	Type    string // default when empty, branches, tags, pull-requests, custom
	Pattern string
}

// Variable is what a pipeline was started with. A secured one has no value for
// clients; the others do, and are nobody's business either.
type Variable struct {
	Key, Value string
	Secured    bool
}

// Step is one step of a pipeline.
type Step struct {
	UUID        string // given by AddPipeline
	Name        string
	State       string // PENDING, READY, IN_PROGRESS or COMPLETED, which is what empty means
	Result      string // as of a pipeline, and NOT_RUN
	Image       string
	Script      []string
	StartedOn   time.Time
	CompletedOn time.Time
	RunNumber   int    // 1 when zero
	Log         []byte // nil for a step that has none
}

var (
	pipelineStates  = []string{"COMPLETED", "IN_PROGRESS", "PENDING"}
	pipelineResults = []string{"SUCCESSFUL", "FAILED", "STOPPED", "ERROR", "EXPIRED"}
	pipelineStages  = []string{"RUNNING", "PAUSED", "HALTED"}
	stepStates      = []string{"COMPLETED", "IN_PROGRESS", "PENDING", "READY"}
	stepResults     = append([]string{"NOT_RUN"}, pipelineResults...)
)

// stepTime is how long a step takes that nobody gave times for.
const stepTime = 90 * time.Second

// AddPipeline adds a run of a pipeline to a repository and returns it with what
// was left out filled in. It fails when the target names nothing that is there,
// or a word is none of Bitbucket's.
func (s *Server) AddPipeline(workspace, slug string, p Pipeline) (Pipeline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return Pipeline{}, fmt.Errorf("adding pipeline: %w", err)
	}
	p = p.clone()
	p.Number = len(r.work.pipelines) + 1
	p.UUID = uuid("pipeline", r.uuid+strconv.Itoa(p.Number))
	if err := p.complete(r); err != nil {
		return Pipeline{}, fmt.Errorf("adding pipeline: %w", err)
	}
	r.work.pipelines = append(r.work.pipelines, &p)
	return p.clone(), nil
}

// EditPipeline changes a pipeline, for instance when a step has come to its
// end. UUID and number stay what they are.
func (s *Server) EditPipeline(workspace, slug string, number int, edit func(*Pipeline)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return fmt.Errorf("editing pipeline: %w", err)
	}
	p := r.pipeline(strconv.Itoa(number))
	if p == nil {
		return fmt.Errorf("editing pipeline: %s has no pipeline %d", r.fullName(), number)
	}
	changed := p.clone()
	edit(&changed)
	changed.UUID, changed.Number = p.UUID, p.Number
	if err := changed.complete(r); err != nil {
		return fmt.Errorf("editing pipeline: %w", err)
	}
	*p = changed
	return nil
}

// Pipelines returns the pipelines of a repository by number, complete.
func (s *Server) Pipelines(workspace, slug string) []Pipeline {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return nil
	}
	var all []Pipeline
	for _, p := range r.work.pipelines {
		all = append(all, p.clone())
	}
	return all
}

func (p Pipeline) clone() Pipeline {
	p.Variables, p.Steps = slices.Clone(p.Variables), slices.Clone(p.Steps)
	for i := range p.Steps {
		p.Steps[i].Script, p.Steps[i].Log = slices.Clone(p.Steps[i].Script), slices.Clone(p.Steps[i].Log)
	}
	return p
}

// complete fills in what was left out and checks the words.
func (p *Pipeline) complete(r *repository) error {
	if err := p.Target.complete(r); err != nil {
		return err
	}
	p.State = cmp.Or(p.State, "COMPLETED")
	switch p.State {
	case "COMPLETED":
		p.Result = cmp.Or(p.Result, "SUCCESSFUL")
	case "IN_PROGRESS":
		p.Stage = cmp.Or(p.Stage, "RUNNING")
	}
	p.Trigger = cmp.Or(p.Trigger, "PUSH")
	p.Creator = cmp.Or(p.Creator, "Sample Author")
	if p.CreatedOn.IsZero() {
		p.CreatedOn = firstDay.AddDate(0, 2, p.Number)
	}
	for word, known := range map[string][]string{
		p.State: pipelineStates, p.Result: pipelineResults, p.Stage: pipelineStages,
		p.Trigger: {"PUSH", "MANUAL", "SCHEDULED", "PARENT_STEP"},
	} {
		if word != "" && !slices.Contains(known, word) {
			return fmt.Errorf("%q is none of %q", word, known)
		}
	}
	at := p.CreatedOn
	for i := range p.Steps {
		var err error
		if at, err = p.Steps[i].complete(p, i, at); err != nil {
			return err
		}
	}
	if p.State == "COMPLETED" && p.CompletedOn.IsZero() {
		p.CompletedOn = at
	}
	return nil
}

// complete gives a step its times, the end of which it returns.
func (t *Step) complete(p *Pipeline, i int, at time.Time) (end time.Time, err error) {
	t.UUID = uuid("step", p.UUID+strconv.Itoa(i))
	t.Name = cmp.Or(t.Name, fmt.Sprintf("Step %d", i+1))
	t.Image = cmp.Or(t.Image, "atlassian/default-image:4")
	t.RunNumber = cmp.Or(t.RunNumber, 1)
	t.State = cmp.Or(t.State, "COMPLETED")
	if t.State == "COMPLETED" {
		t.Result = cmp.Or(t.Result, "SUCCESSFUL")
	}
	if !slices.Contains(stepStates, t.State) || t.Result != "" && !slices.Contains(stepResults, t.Result) {
		return at, fmt.Errorf("a step that is %s %s", t.State, t.Result)
	}
	if t.Result == "NOT_RUN" || t.State == "PENDING" || t.State == "READY" {
		return at, nil
	}
	if t.StartedOn.IsZero() {
		t.StartedOn = at
	}
	if t.State == "COMPLETED" && t.CompletedOn.IsZero() {
		t.CompletedOn = t.StartedOn.Add(stepTime)
	}
	if t.CompletedOn.After(at) {
		at = t.CompletedOn
	}
	return at, nil
}

func (t *Target) complete(r *repository) error {
	branch := t.RefName
	if t.PullRequest != 0 {
		pr := r.pullRequest(t.PullRequest)
		if pr == nil {
			return fmt.Errorf("%s has no pull request %d", r.fullName(), t.PullRequest)
		}
		t.Source, t.Destination = cmp.Or(t.Source, pr.SourceBranch), cmp.Or(t.Destination, pr.DestinationBranch)
		t.Hash, t.DestinationHash = cmp.Or(t.Hash, pr.sourceHash()), cmp.Or(t.DestinationHash, pr.destinationHash())
		branch = ""
	} else if t.RefName != "" {
		t.RefType = cmp.Or(t.RefType, "branch")
	}
	t.Selector.Type = cmp.Or(t.Selector.Type, "default")
	if i := r.branchIndex(branch); t.Hash == "" && i >= 0 && t.RefType == "branch" {
		t.Hash = r.branches[i].head.hash
	}
	if t.Hash == "" {
		return fmt.Errorf("%s has no %s %q, and no hash is given", r.fullName(), t.RefType, t.RefName)
	}
	return nil
}

// pipeline finds one by its {uuid}, or by its number, which the API takes
// though its reference does not say so. It is nil where there is none.
func (r *repository) pipeline(name string) *Pipeline {
	for _, p := range r.work.pipelines {
		if p.UUID == name || strconv.Itoa(p.Number) == name {
			return p
		}
	}
	return nil
}
