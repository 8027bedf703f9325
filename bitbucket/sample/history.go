package sample

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var hashShape = regexp.MustCompile(`^[0-9a-f]{4,40}$`)

// commit finds a commit by what stands for one in a path: its full hash, a tag,
// a branch, or the unambiguous beginning of a hash, in this order, which is
// git's. A name with a slash is found under none of them, as on the real service.
func (r *repository) commit(name string) (*commit, error) {
	lower := strings.ToLower(name)
	if c := r.commits[lower]; c != nil {
		return c, nil
	}
	if c := r.named(name); c != nil {
		return c, nil
	}
	var found []*commit
	if hashShape.MatchString(lower) {
		for hash, c := range r.commits {
			if strings.HasPrefix(hash, lower) {
				found = append(found, c)
			}
		}
	}
	if len(found) != 1 {
		return nil, noCommit(name)
	}
	return found[0], nil
}

// named finds the commit of a tag or a branch; nil if there is neither.
func (r *repository) named(name string) *commit {
	if strings.Contains(name, "/") {
		return nil
	}
	if i, have := r.tagIndex(name); have {
		return r.tags[i].target
	}
	if i := r.branchIndex(name); i >= 0 {
		return r.branches[i].head
	}
	return nil
}

func noCommit(names ...string) error {
	return &failure{
		status: http.StatusNotFound, message: "Commit not found",
		data: object{"shas": names},
	}
}

func (s *Server) getCommit(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	found, err := r.commit(c.vars[2])
	if err != nil {
		return nil, err
	}
	return drawing{c.base()}.commit(r, found), nil
}

func (s *Server) getMergeBase(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	left, right, ok := strings.Cut(c.vars[2], "..")
	if !ok {
		return nil, badRequest("Invalid revspec")
	}
	a, err := r.commit(left)
	if err != nil {
		return nil, err
	}
	b, err := r.commit(right)
	if err != nil {
		return nil, err
	}
	base := r.mergeBase(a, b)
	if base == nil {
		return nil, noCommit(a.hash, b.hash)
	}
	return drawing{c.base()}.commit(r, base), nil
}

// mergeBase returns a common ancestor that no other one descends from: the
// youngest if there are several, nil if there is none. A commit counts as an
// ancestor of itself.
func (r *repository) mergeBase(a, b *commit) *commit {
	common := r.reachable(a.hash)
	ofB := r.reachable(b.hash)
	var older []string
	for hash := range common {
		if !ofB[hash] {
			delete(common, hash)
			continue
		}
		older = append(older, r.commits[hash].Parents...)
	}
	for hash := range r.reachable(older...) {
		delete(common, hash)
	}
	var best *commit
	for hash := range common {
		if c := r.commits[hash]; best == nil || c.after(best) {
			best = c
		}
	}
	return best
}

func (c *commit) after(other *commit) bool {
	if c.Date.Equal(other.Date) {
		return c.hash > other.hash
	}
	return c.Date.After(other.Date)
}

// reachable returns the commits given and all of their ancestors.
func (r *repository) reachable(from ...string) map[string]bool {
	seen := map[string]bool{}
	for todo := slices.Clone(from); len(todo) > 0; {
		hash := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[hash] {
			seen[hash] = true
			todo = append(todo, r.commits[hash].Parents...)
		}
	}
	return seen
}
