package sample

import (
	"fmt"
	"maps"
)

// What this file exports is for tests that work out, without a client, what a
// scope allows: the refs and the graph as they are, with nothing judged.

// Branches returns the full hash that each branch points at.
func (s *Server) Branches(workspace, slug string) (map[string]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return nil, fmt.Errorf("reading branches: %w", err)
	}
	heads := map[string]string{}
	for _, b := range r.branches {
		heads[b.name] = b.head.hash
	}
	return heads, nil
}

// DefaultHead returns the full hash that the default branch points at.
func (s *Server) DefaultHead(workspace, slug string) (hash string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return "", fmt.Errorf("reading default branch: %w", err)
	}
	i := r.branchIndex(r.DefaultBranch)
	if i < 0 {
		return "", fmt.Errorf("reading default branch: %s has no branch %q", r.fullName(), r.DefaultBranch)
	}
	return r.branches[i].head.hash, nil
}

// Tags returns the full hash that each tag points at.
func (s *Server) Tags(workspace, slug string) (map[string]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return nil, fmt.Errorf("reading tags: %w", err)
	}
	targets := map[string]string{}
	for _, t := range r.tags {
		targets[t.Name] = t.target.hash
	}
	return targets, nil
}

// Commits returns every commit that the repository answers for, by full hash:
// those that no branch reaches and those of its forks too.
func (s *Server) Commits(workspace, slug string) (map[string]Commit, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return nil, fmt.Errorf("reading commits: %w", err)
	}
	commits := map[string]Commit{}
	for hash, c := range r.commits {
		out := c.Commit
		out.Files = maps.Clone(c.changes())
		commits[hash] = out
	}
	return commits, nil
}

// Reachable returns the full hashes of the commits that a branch reaches, its
// head too.
func (s *Server) Reachable(workspace, slug, branch string) (map[string]bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return nil, fmt.Errorf("reading branch: %w", err)
	}
	i := r.branchIndex(branch)
	if i < 0 {
		return nil, fmt.Errorf("reading branch: %s has no branch %q", r.fullName(), branch)
	}
	return r.reachable(r.branches[i].head.hash), nil
}

// Tree returns all files of a commit, given by its full hash, by their whole
// path. The contents must not be changed.
func (s *Server) Tree(workspace, slug, hash string) (map[string]File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return nil, fmt.Errorf("reading tree: %w", err)
	}
	c := r.commits[hash]
	if c == nil {
		return nil, fmt.Errorf("reading tree: %s has no commit %q", r.fullName(), hash)
	}
	return maps.Clone(map[string]File(r.tree(c))), nil
}
