package agent

import (
	"context"
	"slices"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

// joined are the rows that several lists brought, where each stands, and where
// to go on.
type joined[Row any] struct {
	rows []Row
	at   []tools.Place
	next *tools.Place
}

// join reads lists one after the other, from a place on, until there are as
// many rows as are wanted. What isNew refuses, since an earlier list shows it,
// is left out.
//
// The limit is the same for each list, whatever still fits: it is the length of
// Bitbucket's pages, and the next call goes on by their number.
func join[Row any](start tools.Place, lists, limit int, read func(list int, from bitbucket.Position) (bitbucket.Page[Row], error), isNew func(list int, row Row) bool) (joined[Row], error) {
	var found joined[Row]
	from := start.Position
	for i := start.Walk; i < lists; i++ {
		if len(found.rows) == limit {
			found.next = &tools.Place{Walk: i}
			return found, nil
		}
		page, err := read(i, from)
		if err != nil {
			return joined[Row]{}, err
		}
		for j, row := range page.Rows {
			here := tools.Place{Walk: i, Position: page.At[j]}
			switch {
			case !isNew(i, row):
				continue
			case len(found.rows) == limit:
				found.next = &here
				return found, nil
			}
			found.rows, found.at = append(found.rows, row), append(found.at, here)
		}
		if page.Next != nil {
			found.next = &tools.Place{Walk: i, Position: *page.Next}
			return found, nil
		}
		from = bitbucket.Position{}
	}
	return found, nil
}

// views are one repository through each credential that the caller's scopes
// have for it, in name order of those scopes. Each has branches of its own, and
// what lies behind it is judged by its own scopes.
type views struct {
	resolver
	repos []policy.Repo
	found map[int]view // as far as they were asked for
}

type view struct {
	bitbucket.Repository
	there bool // the credential sees the repository
}

// views returns the views of a repository that has answered through one of
// them. A view's number is the place of its scopes among the caller's, whoever
// answers, since cursors count by it.
func (r resolver) views(repository bitbucket.Repository) *views {
	repos := r.others(repository)
	at := slices.IndexFunc(repos, func(other policy.Repo) bool { return other.Scopes()[0] > repository.Repo.Scopes()[0] })
	if at < 0 {
		at = len(repos)
	}
	return &views{r, slices.Insert(repos, at, repository.Repo), map[int]view{at: {repository, true}}}
}

// onBranch leaves the views whose scopes allow a branch. That none does is
// refused like a branch that is not there; the empty name is no branch and
// leaves all.
func (v *views) onBranch(repository bitbucket.Repository, name string) error {
	if name == "" {
		return nil
	}
	kept := &views{resolver: v.resolver, found: map[int]view{}}
	for i, repo := range v.repos {
		if _, ok := repo.Sees(name); !ok {
			continue
		}
		if found, ok := v.found[i]; ok {
			kept.found[len(kept.repos)] = found
		}
		kept.repos = append(kept.repos, repo)
	}
	*v = *kept
	if len(v.repos) > 0 {
		return nil
	}
	_, err := repository.Repo.Branch(name)
	return &tools.About{Kind: "branch", Name: name, Err: err}
}

// branchIn judges a branch that the caller named by one view; the empty name is
// none, and is fine.
func branchIn(view bitbucket.Repository, name string) (branch policy.Branch, ok bool) {
	if name == "" {
		return policy.Branch{}, true
	}
	return view.Repo.Sees(name)
}

// at returns a view. The repository is asked for through it first: whoever may
// not see it any more brings nothing, and hides nothing that another brings.
func (v *views) at(ctx context.Context, i int) (view, error) {
	if found, ok := v.found[i]; ok {
		return found, nil
	}
	repository, err := v.client.Repository(ctx, v.repos[i])
	if err != nil && !tools.IsNotFound(err) {
		return view{}, err
	}
	v.found[i] = view{repository, err == nil}
	return v.found[i], nil
}

// until returns the views before one that are there, and the one itself.
func (v *views) until(ctx context.Context, i int) (earlier []bitbucket.Repository, _ view, err error) {
	for j := range i {
		found, err := v.at(ctx, j)
		if err != nil {
			return nil, view{}, err
		}
		if found.there {
			earlier = append(earlier, found.Repository)
		}
	}
	found, err := v.at(ctx, i)
	return earlier, found, err
}

// scopes are those of the views that were read or made a difference.
func (v *views) scopes() []string {
	var names []string
	for i := range v.repos {
		if found := v.found[i]; found.there {
			names = append(names, found.Repo.Scopes()...)
		}
	}
	return names
}

// joinViews reads a list of a repository through each view: read is asked for
// the rows of one, and shows whether the list of an earlier one has a row, so
// that none comes twice.
func joinViews[Row any](ctx context.Context, v *views, start tools.Place, limit int,
	read func(bitbucket.Repository, bitbucket.Position) (bitbucket.Page[Row], error), shows func(bitbucket.Repository, Row) bool,
) (joined[Row], error) {
	var earlier []bitbucket.Repository
	return join(start, len(v.repos), limit, func(i int, from bitbucket.Position) (bitbucket.Page[Row], error) {
		var here view
		var err error
		if earlier, here, err = v.until(ctx, i); err != nil || !here.there {
			return bitbucket.Page[Row]{}, err
		}
		here.Repo.Use()
		return read(here.Repository, from)
	}, func(_ int, row Row) bool {
		return !slices.ContainsFunc(earlier, func(r bitbucket.Repository) bool { return shows(r, row) })
	})
}
