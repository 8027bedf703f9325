package sample

import (
	"container/heap"
	"strings"
)

// commitPaging is that of histories: 30 rows unless the client asks for
// others, and next links that hold a context.
var commitPaging = paging{contexts, 30, maxPagelen}

// listCommits answers the history of a revision, or of every branch and tag
// where none is named.
func (s *Server) listCommits(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	found, err := r.asked(c)
	if err != nil {
		return nil, err
	}
	return listPage(c, commitPaging, found, func(found *commit) object {
		return drawing{c.base()}.listedCommit(r, found)
	})
}

// asked finds the commits that a request for a history means.
func (r *repository) asked(c *call) ([]*commit, error) {
	query := c.URL.Query()
	included, err := r.allCommits(append(c.vars[2:], query["include"]...))
	if err != nil {
		return nil, err
	}
	excluded, err := r.allCommits(query["exclude"])
	if err != nil {
		return nil, err
	}
	if len(included) == 0 {
		included = r.heads()
	}
	found := r.log(included, excluded)
	path := strings.TrimSuffix(query.Get("path"), "/")
	if path == "" {
		return found, nil
	}
	var touching []*commit
	for _, at := range found {
		if r.touches(at, path) {
			touching = append(touching, at)
		}
	}
	return touching, nil
}

func (r *repository) allCommits(names []string) ([]*commit, error) {
	var found []*commit
	for _, name := range names {
		at, err := r.commit(name)
		if err != nil {
			return nil, err
		}
		found = append(found, at)
	}
	return found, nil
}

// heads are the commits that branches and tags of this repository point at.
// Those of forks are not among them.
func (r *repository) heads() []*commit {
	var heads []*commit
	for _, b := range r.branches {
		heads = append(heads, b.head)
	}
	for _, t := range r.tags {
		heads = append(heads, t.target)
	}
	return heads
}

// log returns what is reachable from the one and not from the other, the
// youngest first, but never a commit before one that descends from it.
func (r *repository) log(included, excluded []*commit) []*commit {
	set := r.reachable(hashes(included)...)
	for hash := range r.reachable(hashes(excluded)...) {
		delete(set, hash)
	}
	children := map[string]int{}
	for hash := range set {
		for _, parent := range r.commits[hash].parents() {
			children[parent]++
		}
	}
	var ready youngestFirst
	for hash := range set {
		if children[hash] == 0 {
			ready = append(ready, r.commits[hash])
		}
	}
	heap.Init(&ready)
	var found []*commit
	for len(ready) > 0 {
		at := heap.Pop(&ready).(*commit)
		found = append(found, at)
		for _, parent := range at.parents() {
			if children[parent]--; children[parent] == 0 && set[parent] {
				heap.Push(&ready, r.commits[parent])
			}
		}
	}
	return found
}

func hashes(commits []*commit) []string {
	list := make([]string, len(commits))
	for i, at := range commits {
		list[i] = at.hash
	}
	return list
}

// youngestFirst is a heap.
type youngestFirst []*commit

// Len is part of heap.Interface.
func (h youngestFirst) Len() int { return len(h) }

// Less is part of heap.Interface.
func (h youngestFirst) Less(i, j int) bool { return h[i].after(h[j]) }

// Swap is part of heap.Interface.
func (h youngestFirst) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is part of heap.Interface.
func (h *youngestFirst) Push(c any) { *h = append(*h, c.(*commit)) }

// Pop is part of heap.Interface.
func (h *youngestFirst) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}

// touches says whether a commit changed a file or something in a directory. A
// merge did if the result is that of none of its parents, as git log has it.
func (r *repository) touches(c *commit, path string) bool {
	if !r.changed(c, path) {
		return false
	}
	for _, parent := range c.Parents[min(1, len(c.Parents)):] {
		if r.tree(c).below(path).equal(r.tree(r.commits[parent]).below(path)) {
			return false
		}
	}
	return true
}

// changed compares with the first parent, and looks at the changes only: a
// long history would otherwise cost a tree for each commit.
func (r *repository) changed(c *commit, path string) bool {
	for at, f := range c.changes() {
		if !within(at, path) {
			continue
		}
		before, have := r.file(r.firstParent(c), at)
		if have == f.Deleted || have && !before.equal(f) {
			return true
		}
	}
	return false
}

// below returns the part of the tree that is at or under a path.
func (t snapshot) below(path string) snapshot {
	part := snapshot{}
	for at, f := range t {
		if within(at, path) {
			part[at] = f
		}
	}
	return part
}

func (t snapshot) equal(other snapshot) bool {
	if len(t) != len(other) {
		return false
	}
	for path, f := range t {
		if have, ok := other[path]; !ok || !have.equal(f) {
			return false
		}
	}
	return true
}
