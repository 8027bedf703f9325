package sample

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// snapshot is all files of a commit by their whole path. It is never changed.
type snapshot map[string]File

// treeLimit is how many trees of a repository are kept. A commit keeps only
// what it changes, so that a long history costs little memory.
const treeLimit = 16

// treeCache holds the trees last asked for.
type treeCache struct {
	mu    sync.Mutex
	trees map[*commit]snapshot
	order []*commit
}

func (k *treeCache) get(c *commit) (t snapshot, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t, ok = k.trees[c]
	return t, ok
}

func (k *treeCache) put(c *commit, t snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.trees == nil {
		k.trees = map[*commit]snapshot{}
	}
	if _, have := k.trees[c]; !have {
		k.order = append(k.order, c)
	}
	k.trees[c] = t
	if len(k.order) > treeLimit {
		delete(k.trees, k.order[0])
		k.order = slices.Delete(k.order, 0, 1)
	}
}

// tree returns the files of a commit: those of its first parent, and on top of
// them its changes. The nil commit has none.
func (r *repository) tree(c *commit) snapshot {
	var above []*commit
	var t snapshot
	for at := c; at != nil; at = r.firstParent(at) {
		have, ok := r.trees.get(at)
		if ok {
			t = have
			break
		}
		above = append(above, at)
	}
	if len(above) == 0 {
		return t
	}
	t = maps.Clone(t)
	if t == nil {
		t = snapshot{}
	}
	for _, at := range slices.Backward(above) {
		for path, f := range at.changes() {
			if f.Deleted {
				delete(t, path)
			} else {
				t[path] = f
			}
		}
	}
	r.trees.put(c, t)
	return t
}

func (r *repository) firstParent(c *commit) *commit {
	if len(c.Parents) == 0 {
		return nil
	}
	return r.commits[c.Parents[0]]
}

// changes are what the commit does to the tree of its first parent.
func (c *commit) changes() map[string]File {
	if c.drawn != nil {
		return c.drawn()
	}
	return c.Files
}

// file finds one file without the whole tree.
func (r *repository) file(c *commit, path string) (f File, ok bool) {
	for at := c; at != nil; at = r.firstParent(at) {
		if f, ok := at.changes()[path]; ok {
			return f, !f.Deleted
		}
	}
	return File{}, false
}

// checkChanges refuses changes that make no tree: a path that is no path, one
// that would be a file and a directory, and deleting what is not there.
func (r *repository) checkChanges(parents []string, files map[string]File) error {
	if len(files) == 0 {
		return nil
	}
	before := snapshot{}
	if len(parents) > 0 {
		before = r.tree(r.commits[parents[0]])
	}
	after := maps.Clone(before)
	for path, f := range files {
		if err := checkPath(path); err != nil {
			return err
		}
		if _, have := before[path]; f.Deleted && !have {
			return fmt.Errorf("%q cannot be deleted: it is not there", path)
		}
		if f.Deleted {
			delete(after, path)
		} else {
			after[path] = f
		}
	}
	for path := range after {
		for i := range len(path) {
			if path[i] != '/' {
				continue
			}
			if _, file := after[path[:i]]; file {
				return fmt.Errorf("%q is a file, and %q needs it to be a directory", path[:i], path)
			}
		}
	}
	return nil
}

// entry is a row of a listing. It has no file if it is a directory.
type entry struct {
	path string
	file *File
}

// folder is what one directory holds, each sorted by name.
type folder struct {
	folders []string
	files   []string
}

// folders sorts the tree into its directories; the root has the empty path.
func (t snapshot) folders() map[string]*folder {
	all := map[string]*folder{"": {}}
	for _, path := range slices.Sorted(maps.Keys(t)) {
		above := ""
		for i := range len(path) {
			if path[i] != '/' {
				continue
			}
			at := path[:i]
			if all[at] == nil {
				all[at] = &folder{}
				all[above].folders = append(all[above].folders, at)
			}
			above = at
		}
		all[above].files = append(all[above].files, path)
	}
	return all
}

// list returns what a directory holds, down to a depth and breadth first; ok
// is false if there is no such directory.
func (t snapshot) list(directory string, depth int) (rows []entry, ok bool) {
	all := t.folders()
	if all[directory] == nil {
		return nil, false
	}
	level := []string{directory}
	for ; depth > 0 && len(level) > 0; depth-- {
		var below []string
		for _, at := range level {
			for _, path := range all[at].folders {
				rows = append(rows, entry{path: path})
			}
			for _, path := range all[at].files {
				f := t[path]
				rows = append(rows, entry{path, &f})
			}
			below = append(below, all[at].folders...)
		}
		level = below
	}
	return rows, true
}

// within says whether a path is the given one or below it. The empty one is
// above all.
func within(path, above string) bool {
	rest, ok := strings.CutPrefix(path, above)
	return ok && (above == "" || rest == "" || rest[0] == '/')
}
