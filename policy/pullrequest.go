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

// Number returns the pull request's number within its repository.
func (p PullRequest) Number() int { return p.pullNumber }

// Repo returns the repository that the pull request belongs to, with the
// scopes that allow its destination.
func (p PullRequest) Repo() Repo { return p.pullDestination.Repo() }

// Destination returns the branch that the pull request goes into.
func (p PullRequest) Destination() Branch { return p.pullDestination }

// Source returns the branch that the pull request comes from, in its own
// repository, and false where the scopes hide it.
func (p PullRequest) Source() (Branch, bool) { return p.pullSource, p.pullSource.Checked() }
