package sample

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// listPipelines has neither q nor next links, as on the real service: clients
// count the pages themselves, by size.
func (s *Server) listPipelines(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	query := c.URL.Query()
	if err := checkPipelineWords(query); err != nil {
		return nil, err
	}
	var rows []*Pipeline
	for _, p := range r.work.pipelines {
		if p.fits(query) {
			rows = append(rows, p)
		}
	}
	if err := sortPipelines(rows, query.Get("sort")); err != nil {
		return nil, err
	}
	return withoutNext(listPage(c, pagingOf(false), rows, func(p *Pipeline) object {
		return drawing{c.base()}.pipeline(r, p)
	}))
}

func withoutNext(o object, err error) (object, error) {
	delete(o, "next")
	return o, err
}

// pipelineStatuses are what the status parameter may say, in its own words.
var pipelineStatuses = []string{
	"PARSING", "PENDING", "PAUSED", "HALTED", "BUILDING", "ERROR", "PASSED", "FAILED", "STOPPED", "UNKNOWN",
}

func (p *Pipeline) status() string {
	switch p.State {
	case "PENDING":
		return "PENDING"
	case "IN_PROGRESS":
		if p.Stage == "RUNNING" {
			return "BUILDING"
		}
		return p.Stage
	}
	switch p.Result {
	case "SUCCESSFUL":
		return "PASSED"
	case "EXPIRED":
		return "UNKNOWN"
	}
	return p.Result
}

// pipelineFilters are the parameters, each with what it is compared with. One
// that is given twice wants either value. Others are ignored.
var pipelineFilters = map[string]func(*Pipeline) []string{
	"creator.uuid":            func(p *Pipeline) []string { return []string{uuid("user", p.Creator)} },
	"target.ref_name":         func(p *Pipeline) []string { return []string{p.Target.refName()} },
	"target.branch":           func(p *Pipeline) []string { return p.Target.branches() },
	"target.commit.hash":      func(p *Pipeline) []string { return []string{p.Target.Hash} },
	"target.selector.pattern": func(p *Pipeline) []string { return []string{p.Target.Selector.Pattern} },
	"target.selector.type":    func(p *Pipeline) []string { return []string{selectorTypes[p.Target.Selector.Type]} },
	"created_on":              func(p *Pipeline) []string { return []string{precise(p.CreatedOn)} },
	"target.ref_type":         func(p *Pipeline) []string { return []string{strings.ToUpper(p.Target.refType())} },
	"trigger_type":            func(p *Pipeline) []string { return []string{p.Trigger} },
	"status":                  func(p *Pipeline) []string { return []string{p.status()} },
}

// pipelineWords are the parameters that take no other words.
var pipelineWords = map[string][]string{
	"target.ref_type":      {"BRANCH", "TAG", "ANNOTATED_TAG"},
	"target.selector.type": {"BRANCH", "TAG", "CUSTOM", "PULLREQUESTS", "DEFAULT"},
	"trigger_type":         {"PUSH", "MANUAL", "SCHEDULED", "PARENT_STEP"},
	"status":               pipelineStatuses,
}

// selectorTypes are the words of the parameter for those of the answer.
var selectorTypes = map[string]string{
	"default": "DEFAULT", "branches": "BRANCH", "tags": "TAG", "custom": "CUSTOM", "pull-requests": "PULLREQUESTS",
}

func checkPipelineWords(query url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(pipelineWords)) {
		for _, word := range query[name] {
			if !slices.Contains(pipelineWords[name], word) {
				return badRequest("Invalid %s", name)
			}
		}
	}
	return nil
}

func (p *Pipeline) fits(query url.Values) bool {
	for name, have := range pipelineFilters {
		wanted := query[name]
		has := func(word string) bool { return slices.Contains(have(p), word) }
		if len(wanted) > 0 && !slices.ContainsFunc(wanted, has) {
			return false
		}
	}
	return true
}

func (t Target) refName() string {
	if t.PullRequest != 0 {
		return ""
	}
	return t.RefName
}

func (t Target) refType() string {
	if t.refName() == "" {
		return ""
	}
	return t.RefType
}

// branches are those that the target.branch parameter finds it by: that of a
// pull request's source too.
func (t Target) branches() []string {
	switch {
	case t.PullRequest != 0:
		return []string{t.Source}
	case t.RefType == "branch":
		return []string{t.RefName}
	}
	return nil
}

func sortPipelines(rows []*Pipeline, by string) error {
	name, down := strings.CutPrefix(by, "-")
	var compare func(a, b *Pipeline) int
	switch name {
	case "", "created_on", "run_creation_date":
		compare = func(a, b *Pipeline) int { return a.CreatedOn.Compare(b.CreatedOn) }
	case "creator.uuid":
		compare = func(a, b *Pipeline) int { return cmp.Compare(uuid("user", a.Creator), uuid("user", b.Creator)) }
	default:
		return badRequest("Invalid sort")
	}
	slices.SortStableFunc(rows, func(a, b *Pipeline) int {
		if down {
			a, b = b, a
		}
		return cmp.Or(compare(a, b), cmp.Compare(a.Number, b.Number))
	})
	return nil
}

func (s *Server) getPipeline(c *call) (object, error) {
	r, p, err := s.pipeline(c)
	if err != nil {
		return nil, err
	}
	return drawing{c.base()}.pipeline(r, p), nil
}

// pipeline finds what the third star of a path names.
func (s *Server) pipeline(c *call) (*repository, *Pipeline, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, nil, err
	}
	if p := r.pipeline(c.vars[2]); p != nil {
		return r, p, nil
	}
	return nil, nil, notRun("pipeline", c.vars[2])
}

// step finds what the fourth star of a path names.
func (s *Server) step(c *call) (*Pipeline, *Step, error) {
	_, p, err := s.pipeline(c)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(p.Steps, func(t Step) bool { return t.UUID == c.vars[3] })
	if i < 0 {
		return nil, nil, notRun("step", c.vars[3])
	}
	return p, &p.Steps[i], nil
}

// notRun is the 404 of pipelines, which is worded otherwise than that of the
// rest.
func notRun(kind, name string) error {
	return &failure{
		status: http.StatusNotFound, message: "Not found",
		detail: fmt.Sprintf("The requested %s with key %s was not found", kind, name),
		data:   object{"key": "result-service." + kind + ".not-found", "arguments": object{"uuid": name}},
	}
}

func (s *Server) listSteps(c *call) (object, error) {
	_, p, err := s.pipeline(c)
	if err != nil {
		return nil, err
	}
	return withoutNext(listPage(c, pagingOf(false), p.Steps, func(t Step) object {
		return drawing{c.base()}.step(p, t)
	}))
}

func (s *Server) getStep(c *call) (object, error) {
	p, t, err := s.step(c)
	if err != nil {
		return nil, err
	}
	return drawing{c.base()}.step(p, *t), nil
}
