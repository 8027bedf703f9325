package sample

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pullRequestPaging is that of pull requests: fewer rows than other lists.
func pullRequestPaging(opaque bool) paging {
	how := pagingOf(opaque)
	how.maxPagelen = 50
	return how
}

// listPullRequests answers the newest first, and only open ones unless the
// client says which states it wants, by parameter or by query.
func (s *Server) listPullRequests(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	query := c.URL.Query()
	states := query["state"]
	for _, state := range states {
		if !slices.Contains(pullRequestStates, state) {
			return nil, badRequest("Invalid state")
		}
	}
	if len(states) == 0 && !asksFor(query.Get("q"), "state") {
		states = []string{Open}
	}
	var rows []*pullRequest
	for _, p := range slices.Backward(r.work.pullRequests) {
		if len(states) == 0 || slices.Contains(states, p.State) {
			rows = append(rows, p)
		}
	}
	return listIn(c, pullRequestPaging(s.options.OpaqueNext), rows, pullRequestFields, func(p *pullRequest) object {
		return drawing{c.base()}.listedPullRequest(p, query.Get("fields"))
	})
}

// asksFor says whether a query names a field.
func asksFor(q, name string) bool {
	tokens, err := scan(q)
	return err == nil && slices.ContainsFunc(tokens, func(t token) bool { return t.kind == wordToken && t.text == name })
}

// pullRequestFields are what q and sort may name.
var pullRequestFields = fields[*pullRequest]{
	"id":                  {number, func(p *pullRequest) any { return p.ID }},
	"title":               {text, func(p *pullRequest) any { return p.Title }},
	"description":         {text, func(p *pullRequest) any { return p.Description }},
	"state":               {text, func(p *pullRequest) any { return p.State }},
	"draft":               {truth, func(p *pullRequest) any { return p.Draft }},
	"author.nickname":     {text, func(p *pullRequest) any { return nickname(p.Author) }},
	"author.display_name": {text, func(p *pullRequest) any { return p.Author }},
	"author.uuid":         {text, func(p *pullRequest) any { return uuid("user", p.Author) }},
	"created_on":          {moment, func(p *pullRequest) any { return p.CreatedOn }},
	"updated_on":          {moment, func(p *pullRequest) any { return p.UpdatedOn }},

	"source.branch.name":      {text, func(p *pullRequest) any { return p.SourceBranch }},
	"destination.branch.name": {text, func(p *pullRequest) any { return p.DestinationBranch }},
	"source.repository.full_name": {text, func(p *pullRequest) any {
		if p.source.deleted() {
			return nil
		}
		return p.source.fullName()
	}},
	"destination.repository.full_name": {text, func(p *pullRequest) any { return p.within.fullName() }},
}

func (s *Server) getPullRequest(c *call) (object, error) {
	p, err := s.pullRequest(c)
	if err != nil {
		return nil, err
	}
	return drawing{c.base()}.pullRequest(p), nil
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// pullRequest finds what the third star of a path names.
func (s *Server) pullRequest(c *call) (*pullRequest, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	if !digits.MatchString(c.vars[2]) {
		return nil, unserved(c.Request)
	}
	id, err := strconv.Atoi(c.vars[2])
	if err != nil {
		return nil, badRequest("Invalid pull request ID")
	}
	if p := r.pullRequest(id); p != nil {
		return p, nil
	}
	return nil, &failure{
		status:  http.StatusNotFound,
		message: fmt.Sprintf("Pull request %d not found", id),
	}
}

// getPullRequestDiff leads to the diff of the repository: from the source, of
// which only the fork may have the branch, to the destination.
func (s *Server) getPullRequestDiff(c *call) (object, error) { return nil, s.toDiff(c, "diff") }

func (s *Server) getPullRequestDiffstat(c *call) (object, error) { return nil, s.toDiff(c, "diffstat") }

func (s *Server) toDiff(c *call, kind string) error {
	p, err := s.pullRequest(c)
	if err != nil {
		return err
	}
	return redirect(http.StatusFound, drawing{c.base()}.difference(p, kind)+"&topic=true")
}

// redirect is an answer whose body says nothing.
func redirect(status int, location string) error {
	return &failure{status: status, message: http.StatusText(status), location: location}
}

// listPullRequestCommits answers what the source has and the destination lacks,
// the youngest first. Its pages have no numbers, whatever the options say.
func (s *Server) listPullRequestCommits(c *call) (object, error) {
	p, err := s.pullRequest(c)
	if err != nil {
		return nil, err
	}
	return listPage(c, pagingOf(true), p.commits(), func(found *commit) object {
		return drawing{c.base()}.pullRequestCommit(p.source, found)
	})
}

func (p *pullRequest) commits() []*commit {
	there := p.within.known(p.destinationHash())
	var missing []*commit
	for hash := range p.source.known(p.sourceHash()) {
		if !there[hash] {
			missing = append(missing, p.source.commits[hash])
		}
	}
	slices.SortFunc(missing, func(a, b *commit) int {
		return cmp.Or(b.Date.Compare(a.Date), strings.Compare(b.hash, a.hash))
	})
	return missing
}

// known is what a commit reaches, nothing if the repository lacks it.
func (r *repository) known(hash string) map[string]bool {
	if r.commits[hash] == nil {
		return nil
	}
	return r.reachable(hash)
}
