package sample

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"time"
)

var statusStates = []string{"SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED"}

// BuildStatus is what AddStatus takes: what a build says of a commit.
type BuildStatus struct {
	Hash        string // of the commit, in full
	Key         string // identifies the status among those of the commit
	Name        string
	State       string // SUCCESSFUL when empty; FAILED, INPROGRESS, STOPPED
	URL         string
	Description string
	RefName     string // the branch that was built; may be empty
	CreatedOn   time.Time
	UpdatedOn   time.Time // CreatedOn when zero
}

// AddStatus adds a build status to a commit, or replaces the one of that key.
func (s *Server) AddStatus(workspace, slug string, status BuildStatus) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return fmt.Errorf("adding status: %w", err)
	}
	status.State = cmp.Or(status.State, statusStates[0])
	at := r.commits[status.Hash]
	switch {
	case at == nil:
		return fmt.Errorf("adding status: %s has no commit %q", r.fullName(), status.Hash)
	case status.Key == "" || !slices.Contains(statusStates, status.State):
		return fmt.Errorf("adding status: no key, or %q is no state", status.State)
	}
	if status.CreatedOn.IsZero() {
		status.CreatedOn = at.Date.Add(3 * time.Minute)
	}
	if status.UpdatedOn.IsZero() {
		status.UpdatedOn = status.CreatedOn
	}
	same := func(other BuildStatus) bool { return other.Hash == status.Hash && other.Key == status.Key }
	if i := slices.IndexFunc(r.work.statuses, same); i >= 0 {
		r.work.statuses[i] = status
	} else {
		r.work.statuses = append(r.work.statuses, status)
	}
	return nil
}

// statusFields are what q and sort may name.
var statusFields = fields[BuildStatus]{
	"key":        {text, func(s BuildStatus) any { return s.Key }},
	"name":       {text, func(s BuildStatus) any { return s.Name }},
	"state":      {text, func(s BuildStatus) any { return s.State }},
	"refname":    {text, func(s BuildStatus) any { return orNull(s.RefName) }},
	"created_on": {moment, func(s BuildStatus) any { return s.CreatedOn }},
	"updated_on": {moment, func(s BuildStatus) any { return s.UpdatedOn }},
}

func (s *Server) listCommitStatuses(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	found, err := r.commit(c.vars[2])
	if err != nil {
		return nil, err
	}
	return s.listStatuses(c, r, found.hash)
}

// listPullRequestStatuses answers those of the commit that the source is at,
// which stand in the repository of the source.
func (s *Server) listPullRequestStatuses(c *call) (object, error) {
	p, err := s.pullRequest(c)
	if err != nil {
		return nil, err
	}
	return s.listStatuses(c, p.source, p.sourceHash())
}

func (s *Server) listStatuses(c *call, r *repository, hash string) (object, error) {
	ref := c.URL.Query().Get("refname")
	var rows []BuildStatus
	for _, status := range r.work.statuses {
		if status.Hash == hash && (ref == "" || status.RefName == ref) {
			rows = append(rows, status)
		}
	}
	return list(c, s.options.OpaqueNext, rows, statusFields, func(status BuildStatus) object {
		return drawing{c.base()}.status(r, status)
	})
}

func (d drawing) status(r *repository, s BuildStatus) object {
	at := d.base + "/repositories/" + r.fullName() + "/commit/" + s.Hash
	return object{
		"type": "build", "key": s.Key, "name": s.Name, "state": s.State, "url": s.URL,
		"description": s.Description, "refname": orNull(s.RefName),
		"created_on": stamp(s.CreatedOn), "updated_on": stamp(s.UpdatedOn),
		"commit":     d.parent(r, s.Hash),
		"repository": d.repositoryInside(r),
		"links": object{
			"commit": href(at),
			"self":   href(at + "/statuses/build/" + url.PathEscape(s.Key)),
		},
	}
}
