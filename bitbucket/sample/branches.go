package sample

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

type branch struct {
	name string
	head *commit
}

// SetBranch points a branch at a commit, given by its full hash, and adds the
// branch if it is new. Any name is taken, so that tests can have the hostile.
func (s *Server) SetBranch(workspace, slug, name, hash string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return fmt.Errorf("setting branch: %w", err)
	}
	head := r.commits[hash]
	switch {
	case name == "":
		return errors.New("setting branch: no name")
	case head == nil:
		return fmt.Errorf("setting branch: %s has no commit %q", r.fullName(), hash)
	}
	if i := r.branchIndex(name); i >= 0 {
		r.branches[i].head = head
	} else {
		r.branches = append(r.branches, branch{name, head})
	}
	return nil
}

// DeleteBranch takes a branch away; its commits stay, as they do in git.
func (s *Server) DeleteBranch(workspace, slug, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return fmt.Errorf("deleting branch: %w", err)
	}
	i := r.branchIndex(name)
	if i < 0 {
		return fmt.Errorf("deleting branch: %s has no branch %q", r.fullName(), name)
	}
	r.branches = slices.Delete(r.branches, i, i+1)
	return nil
}

// Head returns the full hash that a branch points at.
func (s *Server) Head(workspace, slug, name string) (hash string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return "", fmt.Errorf("reading branch: %w", err)
	}
	i := r.branchIndex(name)
	if i < 0 {
		return "", fmt.Errorf("reading branch: %s has no branch %q", r.fullName(), name)
	}
	return r.branches[i].head.hash, nil
}

// branchIndex is -1 where there is no branch of the name, case and all.
func (r *repository) branchIndex(name string) int {
	return slices.IndexFunc(r.branches, func(b branch) bool { return b.name == name })
}

// branchFields are what q and sort may name.
var branchFields = fields[branch]{
	"name":        {text, func(b branch) any { return b.name }},
	"target.hash": {text, func(b branch) any { return b.head.hash }},
	"target.date": {moment, func(b branch) any { return b.head.Date }},
}

func (s *Server) listBranches(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	return list(c, s.options.OpaqueNext, r.branches, branchFields, func(b branch) object {
		return drawing{c.base()}.branch(r, b)
	})
}

// getBranch wants a slash in the name as %2F, the way that works on the real
// service for every name.
func (s *Server) getBranch(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	i := r.branchIndex(c.vars[2])
	if i < 0 {
		return nil, &failure{
			status:  http.StatusNotFound,
			message: fmt.Sprintf("No branch named %q", c.vars[2]),
		}
	}
	return drawing{c.base()}.branch(r, r.branches[i]), nil
}

func (d drawing) branch(r *repository, b branch) object {
	self := d.base + "/repositories/" + r.fullName()
	return object{
		"type": "branch", "name": b.name,
		"default_merge_strategy": "merge_commit",
		"merge_strategies": []any{
			"merge_commit", "squash", "fast_forward",
			"squash_fast_forward", "rebase_fast_forward", "rebase_merge",
		},
		"target": lazy(func() object { return d.target(r, b.head) }),
		"links": object{
			"commits": href(self + "/commits/" + b.name),
			"self":    href(self + "/refs/branches/" + b.name),
			"html":    href(site + r.fullName() + "/branch/" + b.name),
		},
	}
}
