package sample

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// change is a file that two trees do not have alike. One side is missing when
// the file was added or removed.
type change struct {
	old, new *side
	alike    int // of a rename, in hundredths
}

type side struct {
	path string
	file File
}

// path is where the change is shown.
func (c change) path() string {
	if c.new != nil {
		return c.new.path
	}
	return c.old.path
}

func (c change) renamed() bool { return c.old != nil && c.new != nil && c.old.path != c.new.path }

func (c change) status() string {
	switch {
	case c.old == nil:
		return "added"
	case c.new == nil:
		return "removed"
	case c.renamed():
		return "renamed"
	}
	return "modified"
}

// comparison is what the parameters of diff and diffstat ask for.
type comparison struct {
	paths      []string // all when empty
	renames    bool
	binary     bool
	whitespace bool // false ignores it
	context    int
}

// changes compares two trees, in the order of the paths. A file that became
// something of another kind, such as a symbolic link, is removed and added.
func (k comparison) changes(before, after snapshot) []change {
	var removed, added, found []change
	for path, f := range before {
		g, have := after[path]
		switch {
		case !k.wants(path) || have && f.equal(g):
		case !have:
			removed = append(removed, change{old: &side{path, f}})
		case sameKind(f, g):
			found = append(found, change{old: &side{path, f}, new: &side{path, g}})
		default: // not for renames: a name that stays is taken
			found = append(found, change{old: &side{path, f}}, change{new: &side{path, g}})
		}
	}
	for path, g := range after {
		if _, have := before[path]; k.wants(path) && !have {
			added = append(added, change{new: &side{path, g}})
		}
	}
	inOrder(removed)
	inOrder(added)
	if k.renames {
		var pairs []change
		pairs, removed, added = renames(removed, added)
		found = append(found, pairs...)
	}
	found = slices.Concat(found, removed, added)
	inOrder(found)
	return found
}

func inOrder(changes []change) {
	slices.SortStableFunc(changes, func(a, b change) int { return strings.Compare(a.path(), b.path()) })
}

func (k comparison) wants(path string) bool {
	return len(k.paths) == 0 || slices.ContainsFunc(k.paths, func(above string) bool { return within(path, above) })
}

func sameKind(f, g File) bool {
	return f.Symlink == g.Symlink && (f.Submodule == "") == (g.Submodule == "")
}

// The bounds of the search for renames: how much two files must be alike, in
// hundredths as in git, and how many pairs are looked at.
const (
	renameFrom  = 50
	renamePairs = 40_000
)

// renames pairs what was removed with what was added, the most alike first.
func renames(removed, added []change) (pairs, restRemoved, restAdded []change) {
	if len(removed)*len(added) > renamePairs {
		return nil, removed, added
	}
	var candidates []change
	for _, from := range removed {
		for _, to := range added {
			if alike := likeness(from.old.file, to.new.file); alike >= renameFrom {
				candidates = append(candidates, change{from.old, to.new, alike})
			}
		}
	}
	slices.SortStableFunc(candidates, func(a, b change) int { return cmp.Compare(b.alike, a.alike) })
	taken := map[*side]bool{}
	for _, c := range candidates {
		if !taken[c.old] && !taken[c.new] {
			taken[c.old], taken[c.new] = true, true
			pairs = append(pairs, c)
		}
	}
	gone := func(c change) bool { return taken[c.old] || taken[c.new] }
	return pairs, slices.DeleteFunc(removed, gone), slices.DeleteFunc(added, gone)
}

// likeness is the share of the larger file's bytes that stand in lines of both.
// Empty files and submodules are like nothing.
func likeness(f, g File) int {
	larger := max(len(f.Content), len(g.Content))
	switch {
	case larger == 0 || !sameKind(f, g) || f.Submodule != "":
		return 0
	case string(f.Content) == string(g.Content):
		return 100
	case f.binary() || g.binary() || f.Symlink:
		return 0
	}
	lines := map[string]int{}
	for _, line := range splitLines(f.Content) {
		lines[line]++
	}
	common := 0
	for _, line := range splitLines(g.Content) {
		if lines[line] > 0 {
			lines[line]--
			common += len(line)
		}
	}
	return min(common*100/larger, 99)
}

// touched are the changes of one commit against its first parent.
func (r *repository) touched(c *commit) []change {
	paths := slices.Sorted(maps.Keys(c.changes()))
	if len(paths) == 0 {
		return nil
	}
	k := comparison{renames: true, whitespace: true, paths: paths}
	return k.changes(r.tree(r.firstParent(c)), r.tree(c))
}
