package policy

// A Comparison is the right to read what changed between two places whose
// commits one scope allows. The zero Comparison compares nothing.
type Comparison struct {
	comparisonRepo   Repo   // that is asked
	comparisonSource string // full name of the repository that the new side lies in
	comparisonNew    string // hashes, or their beginnings
	comparisonOld    string // "" for the first parent
	comparisonPath   string // "" for all
}

// Changes returns the right to read what a commit changed against its first
// parent, which the same branch reaches.
func (c Commit) Changes() Comparison {
	if !c.Checked() {
		return Comparison{}
	}
	return Comparison{comparisonRepo: c.Repo(), comparisonSource: c.Repo().FullName(), comparisonNew: c.commitHash}
}

// ChangesSince returns the right to read what lies between two commits, which
// takes a scope that allows both.
func (c Commit) ChangesSince(old Commit) (Comparison, bool) {
	both, ok := c.With(old)
	if !ok {
		return Comparison{}, false
	}
	comparison := both.Changes()
	comparison.comparisonOld = old.commitHash
	return comparison, true
}

// ChangesBetween returns the right to read what the pull request changes, between the
// two hashes that Bitbucket returned for its ends together with them. It takes
// a scope that allows both ends, and whole hashes: a tag may bear the first
// twelve digits of one, and Bitbucket would compare with what the tag means.
// Only where a scope has no branch patterns are the first digits enough, since
// the tag's commit is allowed too.
func (p PullRequest) ChangesBetween(source, destination string) (Comparison, bool) {
	repo := p.bothEnds()
	from, ok := p.Source()
	if !ok || hashReason(source) != "" || hashReason(destination) != "" {
		return Comparison{}, false
	}
	if open := repo.anyBranch(); open.Checked() {
		repo = open
	} else if !isFullHash(source) || !isFullHash(destination) {
		return Comparison{}, false
	}
	return Comparison{
		comparisonRepo: repo, comparisonSource: from.Repo().FullName(),
		comparisonNew: source, comparisonOld: destination,
	}, repo.Checked()
}

// In narrows the comparison to a path, which was checked for its new side.
func (c Comparison) In(path Path) (Comparison, bool) {
	if !path.pathCommit.in(c.comparisonRepo) || path.pathCommit.commitHash != c.comparisonNew {
		return Comparison{}, false
	}
	c.comparisonPath = path.pathText
	return c, true
}

// Sees judges a path that Bitbucket returned as changed.
func (c Comparison) Sees(path string) bool { return c.Checked() && pathReason(path) == "" }

// Checked reports whether the value came from a check.
func (c Comparison) Checked() bool { return c.comparisonRepo.Checked() && c.comparisonNew != "" }

// Account returns what requests for the comparison are made with.
func (c Comparison) Account() Account { return c.comparisonRepo.Account() }

// Repo returns the repository that is asked, with the scopes that allow both
// sides.
func (c Comparison) Repo() Repo { return c.comparisonRepo }

// Sides returns the hashes of both sides, or their beginnings; old is "" for
// the first parent of the new one. source is the full name of the repository
// that the new side lies in.
func (c Comparison) Sides() (source, new, old string) {
	return c.comparisonSource, c.comparisonNew, c.comparisonOld
}

// Path returns the path that the comparison is narrowed to, "" for none.
func (c Comparison) Path() string { return c.comparisonPath }
