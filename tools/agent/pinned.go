package agent

import (
	"context"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

// pinned is revision for a list that goes on: what was read at one commit is
// not mixed with what stands at another, to which the branch has moved since.
// The earlier commit is judged like any other; a cursor allows nothing.
func (r resolver) pinned(ctx context.Context, repository bitbucket.Repository, branch, commit, begun string) (revision, error) {
	now, err := r.revision(ctx, repository, branch, commit)
	if err != nil || begun == "" || now.commit.Hash() == begun {
		return now, err
	}
	earlier, err := r.earlier(ctx, repository, now.branch, begun)
	if tools.IsNotFound(err) {
		return revision{}, tools.Invalid("The branch has moved since the cursor was made, and does not hold any more what it was reading.", "Call again without cursor.")
	}
	return revision{earlier, now.branch}, err
}

func (r resolver) earlier(ctx context.Context, repository bitbucket.Repository, branch, hash string) (policy.Commit, error) {
	name, err := repository.Repo.CommitName(hash)
	if err != nil {
		return policy.Commit{}, err
	}
	var first []policy.Branch
	if b, ok := repository.Repo.Sees(branch); ok {
		first = append(first, b)
	}
	return r.client.Commit(ctx, name, first)
}
