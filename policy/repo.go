package policy

import (
	"fmt"
	"slices"
)

// A Repo is a repository that a scope of the caller allows. It carries the
// scopes that allow it, all of one workspace and one credential. The zero Repo
// allows nothing.
type Repo struct {
	repoCall   *Call
	repoSlug   string
	repoScopes []*scope
}

// Checked reports whether the value came from a check.
func (r Repo) Checked() bool { return len(r.repoScopes) > 0 }

// Account returns what requests for this repository are made with.
func (r Repo) Account() Account {
	if !r.Checked() {
		return Account{}
	}
	return accountOf(r.repoCall.callCaller, r.repoScopes)
}

// Slug returns the repository's slug, lower-case.
func (r Repo) Slug() string { return r.repoSlug }

// FullName returns workspace/slug.
func (r Repo) FullName() string { return r.Account().Workspace + "/" + r.repoSlug }

// Scopes returns the names of the scopes that allow the repository, in order.
func (r Repo) Scopes() []string { return names(r.repoScopes) }

// Use notes for the audit log that the answer rests on this repository.
func (r Repo) Use() {
	if r.Checked() {
		r.repoCall.use(r.repoScopes)
	}
}

// useInstead is Use where a scope that was tried before may have refused: that
// is then not what the call came to.
func (r Repo) useInstead() {
	if r.Checked() {
		r.repoCall.allow()
		r.Use()
	}
}

// SeesRepository judges the full_name of a repository that Bitbucket returned
// in place of this one (after a rename it may be another), or names beside it
// (a fork's parent). Scopes can only be lost by it.
func (r Repo) SeesRepository(fullName string) (Repo, bool) {
	return judge(r.repoCall, r.repoScopes, fullName)
}

// Is reports whether full_name, as Bitbucket returned it, names this
// repository.
func (r Repo) Is(fullName string) bool {
	workspace, slug, ok := splitFullName(fullName)
	return ok && r.Checked() && slug == r.repoSlug && r.repoScopes[0].inWorkspace(workspace)
}

// Without returns the repository with only those scopes that another value does
// not carry; where none is left, it allows nothing.
func (r Repo) Without(other Repo) Repo {
	r.repoScopes = slices.DeleteFunc(slices.Clone(r.repoScopes), func(s *scope) bool { return slices.Contains(other.repoScopes, s) })
	return r
}

// Branch is the check of a branch name that came from a caller. The error is
// an [*InvalidName] or a [*Denied].
func (r Repo) Branch(name string) (Branch, error) {
	if reason := branchReason(name); reason != "" {
		return Branch{}, invalid(BranchName, "%s", reason)
	}
	if !r.Checked() {
		return Branch{}, &Denied{Reason: "the repository was not checked"}
	}
	branch, ok := r.Sees(name)
	if !ok {
		reason := fmt.Sprintf("branch %q of %s is allowed by none of the scopes %s", name, r.repoSlug, quoted(r.Scopes()))
		return Branch{}, r.repoCall.refuse(Reference{text: r.FullName() + ":" + name}, reason)
	}
	return branch, nil
}

// Refuse notes for the audit log why something that Bitbucket returned of this
// repository is not shown. The error is a [*Denied].
func (r Repo) Refuse(reason string) error {
	if !r.Checked() {
		return &Denied{Reason: reason}
	}
	return r.repoCall.refuse(Reference{text: r.FullName()}, reason)
}

// Sees judges the name of a branch that Bitbucket returned. What it refuses is
// left out of an answer and never counted.
func (r Repo) Sees(name string) (Branch, bool) {
	if branchReason(name) != "" {
		return Branch{}, false
	}
	var allowed []*scope
	for _, s := range r.repoScopes {
		if s.branches.allows(name) {
			allowed = append(allowed, s)
		}
	}
	if len(allowed) == 0 {
		return Branch{}, false
	}
	return Branch{branchRepo: r, branchName: name, branchScopes: allowed}, true
}

// BranchFilter returns a Bitbucket q expression that every branch which the
// scopes allow satisfies, or "".
func (r Repo) BranchFilter() string {
	return pushDown("name", r.repoScopes, func(s *scope) rule { return s.branches })
}

// Unrestricted reports whether one of the scopes has no patterns at all: see
// [Workspace.Unrestricted].
func (r Repo) Unrestricted() bool { return slices.ContainsFunc(r.repoScopes, unrestricted) }

// A Branch is a branch that a scope of the caller allows, in a repository that
// the same scope allows. The zero Branch allows nothing.
type Branch struct {
	branchRepo   Repo
	branchName   string
	branchScopes []*scope
}

// Checked reports whether the value came from a check.
func (b Branch) Checked() bool { return len(b.branchScopes) > 0 }

// Account returns what requests for the branch are made with.
func (b Branch) Account() Account { return b.Repo().Account() }

// Name returns the full branch name.
func (b Branch) Name() string { return b.branchName }

// Repo returns the branch's repository with the scopes that allow the branch
// too.
func (b Branch) Repo() Repo {
	return Repo{repoCall: b.branchRepo.repoCall, repoSlug: b.branchRepo.repoSlug, repoScopes: b.branchScopes}
}
