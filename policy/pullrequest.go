package policy

// An End is one end of a pull request as Bitbucket returned it.
type End struct {
	FullName string // of its repository, "" where that was deleted
	Branch   string
}

// A PullRequest is a pull request into a branch that the scopes allow. It keeps
// its number and its branches inside, so that what is asked for later is about
// the pull request that was judged. The zero PullRequest allows nothing.
type PullRequest struct {
	pullNumber      int
	pullDestination Branch
	pullSource      Branch // the zero Branch where the scopes hide it
}

// SeesPullRequest judges a pull request of this repository that Bitbucket
// returned. It is shown when its destination is allowed; its source only where
// one scope allows both: a fork, or a branch outside of the scope, stays
// hidden.
func (r Repo) SeesPullRequest(number int, destination, source End) (PullRequest, bool) {
	if number < 1 || !r.Is(destination.FullName) {
		return PullRequest{}, false
	}
	into, ok := r.Sees(destination.Branch)
	if !ok {
		return PullRequest{}, false
	}
	p := PullRequest{pullNumber: number, pullDestination: into}
	if from, ok := into.Repo().SeesRepository(source.FullName); ok {
		p.pullSource, _ = from.Sees(source.Branch)
	}
	return p, true
}

// Checked reports whether the value came from a check.
func (p PullRequest) Checked() bool { return p.pullNumber > 0 && p.pullDestination.Checked() }

// Account returns what requests for the pull request are made with.
func (p PullRequest) Account() Account { return p.pullDestination.Account() }

// Use notes for the audit log that the answer rests on this pull request, as
// [Commit.Use] does.
func (p PullRequest) Use() { p.Repo().useInstead() }

// Number returns the pull request's number within its repository.
func (p PullRequest) Number() int { return p.pullNumber }

// Repo returns the repository that the pull request belongs to, with the
// scopes that allow its destination.
func (p PullRequest) Repo() Repo { return p.pullDestination.Repo() }

// Destination returns the branch that the pull request goes into.
func (p PullRequest) Destination() Branch { return p.pullDestination }

// EndNames returns the names of the commits at both ends, by the hashes that
// Bitbucket returned for them, which may be beginnings. Both are asked for in
// the pull request's own repository, which answers for the commits of its forks.
// It takes a scope that allows both ends.
func (p PullRequest) EndNames(source, destination string) (from, into CommitName, ok bool) {
	repo := p.bothEnds()
	from, okFrom := repo.SeesCommit(source)
	into, okInto := repo.SeesCommit(destination)
	return from, into, okFrom && okInto
}

// bothEnds returns the pull request's repository with the scopes that allow
// both ends.
func (p PullRequest) bothEnds() Repo {
	repo := p.Repo()
	repo.repoScopes = common(repo.repoScopes, p.pullSource.branchScopes)
	return repo
}

// Source returns the branch that the pull request comes from, in its own
// repository, and false where the scopes hide it.
func (p PullRequest) Source() (Branch, bool) { return p.pullSource, p.pullSource.Checked() }
