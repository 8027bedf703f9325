package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

// lookupPages is how far display names are looked for.
const lookupPages = 10

// A resolver finds the repository that a caller means.
type resolver struct {
	client *bitbucket.Client
	call   *tools.Call

	// meanwhile, if set, is called with the first repository that is asked
	// for, before the answer is there, so that a tool can read on side by side.
	// It is called once more where the name turns out to be a display name.
	meanwhile func(policy.Repo)
}

// resolve returns the one repository that the name means within the caller's
// scopes. Missing and out of scope end in the same error.
func (r resolver) resolve(ctx context.Context, name string) (bitbucket.Repository, error) {
	found, err := r.find(ctx, name)
	switch {
	case err != nil:
		return bitbucket.Repository{}, &tools.About{Kind: "repository", Name: name, Err: err}
	case len(found) == 0:
		return bitbucket.Repository{}, &tools.About{Kind: "repository", Name: name, Err: bitbucket.ErrNotFound}
	case len(found) > 1:
		return bitbucket.Repository{}, ambiguous(name, found)
	}
	found[0].Repo.Use()
	return found[0], nil
}

func (r resolver) find(ctx context.Context, name string) ([]bitbucket.Repository, error) {
	ref, err := policy.ParseReference(name)
	if err != nil {
		return nil, err
	}
	candidates, err := r.call.Repositories(ref)
	if err != nil {
		return nil, err
	}
	found, err := r.ask(ctx, candidates)
	if err != nil || len(found) > 0 || !ref.MayBeDisplayName() {
		return found, err
	}
	return r.findByDisplayName(ctx, ref)
}

// ask asks for the candidates in order. In one workspace the first hit
// answers; each further workspace is asked too, since a name that means two
// repositories must not silently mean one of them.
func (r resolver) ask(ctx context.Context, candidates []policy.Repo) ([]bitbucket.Repository, error) {
	var found []bitbucket.Repository
	answered := map[string]bool{}
	for i, candidate := range candidates {
		workspace := candidate.Account().API + " " + strings.ToLower(candidate.Account().Workspace)
		if answered[workspace] {
			continue
		}
		if i == 0 && r.meanwhile != nil {
			r.meanwhile(candidate)
		}
		repository, err := r.client.Repository(ctx, candidate)
		if errors.Is(err, bitbucket.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		answered[workspace] = true
		found = append(found, repository)
	}
	return found, nil
}

// findByDisplayName compares the text with the display names of the scope's
// own listing. The text is never sent: a search by it would find, and so tell
// of, what the scope hides.
func (r resolver) findByDisplayName(ctx context.Context, ref policy.Reference) ([]bitbucket.Repository, error) {
	workspaces, err := r.call.WorkspacesFor(ref)
	if err != nil {
		return nil, err
	}
	var slugs []policy.Repo
	seen := map[string]bool{}
	budget := bitbucket.NewBudget(lookupPages)
	for _, workspace := range workspaces {
		page, err := r.client.Repositories(ctx, workspace, bitbucket.ListOptions{
			Limit: lookupPages * maxLimit, Detail: bitbucket.Rows, Budget: budget, Progress: r.call.Progress,
		})
		if err != nil {
			return nil, err
		}
		for _, row := range page.Rows {
			if ref.IsDisplayNameOf(row.Name) && !seen[row.FullName] {
				seen[row.FullName] = true
				slugs = append(slugs, row.Repo)
			}
		}
	}
	if len(slugs) > 1 {
		return rowsOf(slugs), nil
	}
	return r.ask(ctx, slugs)
}

// rowsOf stands for repositories that need not be asked for: they are only
// named.
func rowsOf(repos []policy.Repo) []bitbucket.Repository {
	rows := make([]bitbucket.Repository, len(repos))
	for i, repo := range repos {
		rows[i] = bitbucket.Repository{Repo: repo, FullName: repo.FullName()}
	}
	return rows
}

func ambiguous(name string, found []bitbucket.Repository) error {
	words := make([]string, len(found))
	for i, r := range found {
		words[i] = fmt.Sprintf("%s through scope %s", r.FullName, r.Repo.Scopes()[0])
	}
	return &tools.Ambiguous{Name: name, Found: words}
}
