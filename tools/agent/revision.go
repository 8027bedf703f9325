package agent

import (
	"cmp"
	"context"
	"slices"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

// A revision is the commit that a call looks at, and how it came to it.
type revision struct {
	commit policy.Commit
	branch string // whose head it is, "" where the caller named a commit
}

// revision returns the commit that a call means in a repository: the one that
// it names, the head of the branch that it names, or the head of the default
// branch. Whatever it is, what is asked for afterwards is a whole hash that an
// allowed branch reaches.
func (r resolver) revision(ctx context.Context, repository bitbucket.Repository, branch, commit string) (revision, error) {
	switch {
	case branch != "" && commit != "":
		return revision{}, tools.Invalid("Both branch and commit are given.", "Name one of them; leave both out for the default branch.")
	case branch == "" && commit == "" && repository.DefaultBranch == "":
		return revision{}, tools.Invalid("The repository has no default branch within your scope.",
			"Name a branch; "+r.call.ToolName("list_branches")+" lists those that your scope allows.")
	}
	return among(ctx, r, repository, func(repository bitbucket.Repository) (revision, error) {
		if commit != "" {
			found, err := r.commit(ctx, repository, commit)
			return revision{commit: found}, err
		}
		name := cmp.Or(branch, repository.DefaultBranch)
		head, err := r.head(ctx, repository, name)
		return revision{head, name}, err
	})
}

// either is revision for one argument that takes a branch or a commit. Where
// the text could be both, the branch is tried first: its name is what callers
// see in lists.
func (r resolver) either(ctx context.Context, repository bitbucket.Repository, text string) (revision, error) {
	_, notHash := repository.Repo.CommitName(text)
	if _, isBranch := repository.Repo.Sees(text); isBranch || notHash != nil {
		head, err := r.head(ctx, repository, text)
		if err == nil || notHash != nil || !tools.IsNotFound(err) {
			return revision{head, text}, err
		}
	}
	found, err := r.commit(ctx, repository, text)
	return revision{commit: found}, err
}

// among looks in the repository that answered and, where nothing is found
// there, in what the caller's other scopes of the same workspace allow of it:
// each has branches and a credential of its own, and only one of them has to
// allow what is asked for.
func among[T any](ctx context.Context, r resolver, repository bitbucket.Repository, look func(bitbucket.Repository) (T, error)) (T, error) {
	found, err := look(repository)
	if !tools.IsNotFound(err) {
		return found, err
	}
	for _, other := range r.others(repository) {
		again, otherErr := r.client.Repository(ctx, other)
		if otherErr != nil {
			continue // it is another scope's turn to answer, not to fail
		}
		if found, otherErr := look(again); otherErr == nil {
			return found, nil
		}
	}
	return found, err
}

// others are the same repository through the caller's scopes that have another
// credential for it.
func (r resolver) others(repository bitbucket.Repository) []policy.Repo {
	ref, err := policy.ParseReference(repository.Repo.FullName())
	if err != nil {
		return nil
	}
	candidates, err := r.call.Repositories(ref)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(candidates, func(c policy.Repo) bool {
		return c.Account().Credential == repository.Repo.Account().Credential || c.Account().API != repository.Repo.Account().API
	})
}

func (r resolver) head(ctx context.Context, repository bitbucket.Repository, name string) (policy.Commit, error) {
	branch, err := repository.Repo.Branch(name)
	if err != nil {
		return policy.Commit{}, &tools.About{Kind: "branch", Name: name, Err: err}
	}
	head, err := r.client.Head(ctx, branch)
	if err != nil {
		return policy.Commit{}, &tools.About{Kind: "branch", Name: name, Err: err}
	}
	head.Use()
	return head, nil
}

// commit returns the commit of a hash where an allowed branch reaches it. The
// default branch is tried first: most commits are on it.
func (r resolver) commit(ctx context.Context, repository bitbucket.Repository, hash string) (policy.Commit, error) {
	name, err := repository.Repo.CommitName(hash)
	if err != nil {
		return policy.Commit{}, &tools.About{Kind: "commit", Name: hash, Err: err}
	}
	var first []policy.Branch
	if branch, ok := repository.Repo.Sees(repository.DefaultBranch); ok {
		first = append(first, branch)
	}
	found, err := r.client.Commit(ctx, name, first)
	if err != nil {
		return policy.Commit{}, &tools.About{Kind: "commit", Name: hash, Err: err}
	}
	found.Use()
	return found, nil
}
