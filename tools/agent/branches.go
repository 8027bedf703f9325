package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

type listBranchesInput struct {
	Repository string `json:"repository" jsonschema:"minLength=1,maxLength=257,description=Slug or workspace/slug or display name"`
	Scope      string `json:"scope,omitempty" jsonschema:"minLength=1,maxLength=128"`
	Query      string `json:"query,omitempty" jsonschema:"maxLength=128,description=Part of the name"`
	Limit      int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=1000,description=1..100 (25); names: 1..1000 (200)"`
	Cursor     string `json:"cursor,omitempty" jsonschema:"maxLength=12000"`
	Detail     string `json:"detail,omitempty" jsonschema:"enum=names,enum=concise,enum=full"`
}

type listBranchesOutput struct {
	Summary       string      `json:"summary"`
	FullName      string      `json:"full_name"`
	Scopes        []string    `json:"scopes"`
	DefaultBranch string      `json:"default_branch,omitempty"`
	Branches      []branchRow `json:"branches,omitzero"`
	Names         []string    `json:"names,omitzero"`
	NextCursor    string      `json:"next_cursor,omitempty"`
	Notice        string      `json:"notice,omitempty"`
}

type branchRow struct {
	Name      string `json:"name"`
	Commit    string `json:"commit"`
	UpdatedOn string `json:"updated_on"`
	Default   bool   `json:"default,omitempty"`
	Message   string `json:"message,omitempty"`
}

func listBranches(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "list_branches",
		Title:       "List branches",
		Description: `Lists the branches of a repository that your scope allows, each with its head commit; others are left out and not counted. Use it to find the exact name of a branch.`,
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in listBranchesInput) (listBranchesOutput, error) {
		return branchLister{client, call, in}.list(ctx)
	})
}

type branchLister struct {
	client *bitbucket.Client
	call   *tools.Call
	in     listBranchesInput
}

func (l branchLister) list(ctx context.Context) (listBranchesOutput, error) {
	limit, err := limitOf(l.in.Limit, l.in.Detail)
	if err != nil {
		return listBranchesOutput{}, err
	}
	start, err := l.call.OpenPlace()
	if err != nil {
		return listBranchesOutput{}, err
	}
	found, err := l.walk(ctx, start, bitbucket.ListOptions{
		From: start.Position, Limit: limit, Query: l.in.Query,
		Detail: detailOf(l.in.Detail), Budget: l.call.Budget, Progress: l.call.Progress,
	})
	if err != nil {
		return listBranchesOutput{}, err
	}
	return l.shape(found), nil
}

// foundBranches are the rows that are allowed.
type foundBranches struct {
	joined[bitbucket.Branch]
	repository bitbucket.Repository
	scopes     []string
}

// walk reads the branches through each credential that the caller's scopes
// have for the repository, one after the other. What an earlier one shows a
// later one leaves out.
func (l branchLister) walk(ctx context.Context, start tools.Place, o bitbucket.ListOptions) (foundBranches, error) {
	repository, ahead, err := l.first(ctx, start, o)
	if err != nil {
		return foundBranches{}, err
	}
	views := resolver{client: l.client, call: l.call}.views(repository)
	found, err := joinViews(ctx, views, start, o.Limit, func(view bitbucket.Repository, from bitbucket.Position) (bitbucket.Page[bitbucket.Branch], error) {
		if page := ahead; page != nil && sameRepository(view.Repo, repository.Repo) && from == o.From {
			ahead = nil
			return *page, nil
		}
		o := o
		o.From = from
		page, err := l.client.Branches(ctx, view.Repo, o)
		return page, l.about(err)
	}, func(view bitbucket.Repository, b bitbucket.Branch) bool {
		_, shows := view.Repo.Sees(b.Name)
		return shows
	})
	return foundBranches{found, repository, views.scopes()}, err
}

// first finds the repository and, where the list begins with it, reads its
// branches meanwhile.
func (l branchLister) first(ctx context.Context, start tools.Place, o bitbucket.ListOptions) (bitbucket.Repository, *bitbucket.Page[bitbucket.Branch], error) {
	if start.Walk > 0 {
		repository, err := resolver{client: l.client, call: l.call}.resolve(ctx, l.in.Repository)
		return repository, nil, err
	}
	repository, page, err := l.read(ctx, o)
	return repository, &page, err
}

// read asks for the repository and for its branches side by side. The branches
// count only when the repository is what was asked for: after a rename it may
// be another.
func (l branchLister) read(ctx context.Context, o bitbucket.ListOptions) (bitbucket.Repository, bitbucket.Page[bitbucket.Branch], error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type listing struct {
		repo policy.Repo
		page bitbucket.Page[bitbucket.Branch]
		err  error
	}
	var ahead chan listing
	r := resolver{client: l.client, call: l.call, meanwhile: func(repo policy.Repo) {
		if ahead != nil {
			<-ahead // of a guess that was wrong: one reads at a time, and none is left behind
		}
		ahead = make(chan listing, 1)
		go func() {
			page, err := l.client.Branches(ctx, repo, o)
			ahead <- listing{repo, page, err}
		}()
	}}
	repository, err := r.resolve(ctx, l.in.Repository)
	if err != nil {
		time.AfterFunc(readAheadGrace, cancel)
	}
	if ahead != nil {
		found := <-ahead // also after an error: nothing is under way once the call is answered
		if err == nil && sameRepository(found.repo, repository.Repo) {
			return repository, found.page, l.about(found.err)
		}
	}
	if err != nil {
		return bitbucket.Repository{}, bitbucket.Page[bitbucket.Branch]{}, err
	}
	page, err := l.client.Branches(ctx, repository.Repo, o)
	return repository, page, l.about(err)
}

// readAheadGrace is how long branches that are not needed any more may take to
// answer. They mostly do at once, and a canceled request could still reach
// Bitbucket after the call's answer; a slow one must not hold that up.
const readAheadGrace = 500 * time.Millisecond

func sameRepository(a, b policy.Repo) bool { return a.Account() == b.Account() && a.Slug() == b.Slug() }

func (l branchLister) about(err error) error {
	if err == nil {
		return nil
	}
	return &tools.About{Kind: "repository", Name: l.in.Repository, Err: err}
}

func (l branchLister) shape(found foundBranches) listBranchesOutput {
	out := listBranchesOutput{
		FullName:      found.repository.FullName,
		Scopes:        found.scopes,
		DefaultBranch: found.repository.DefaultBranch,
	}
	shown := 0
	if l.in.Detail == detailNames {
		out.Names = branchNames(found.rows)
		shown = tools.Fit(out.Names, tools.MaxNamesAnswer, l.shell(out, found))
		out.Names = out.Names[:shown]
	} else {
		out.Branches = branchRows(found.rows, l.in.Detail, found.repository.DefaultBranch)
		shown = tools.Fit(out.Branches, tools.MaxAnswer, l.shell(out, found))
		out.Branches = out.Branches[:shown]
	}
	if shown < len(found.rows) {
		found.next = &found.at[shown]
	}
	if found.next != nil {
		out.NextCursor, out.Notice = l.call.SealPlace(*found.next), tools.MoreNotice
	} else if shown == 0 {
		out.Notice = l.call.EmptyNotice()
	}
	out.Summary = l.summary(shown, out)
	return out
}

// shell is the answer as it would stand around its rows if it were cut.
func (l branchLister) shell(out listBranchesOutput, found foundBranches) listBranchesOutput {
	out.Names, out.Branches, out.Notice = nil, nil, tools.MoreNotice
	if found.next != nil {
		out.NextCursor = l.call.SealPlace(*found.next)
	} else if len(found.at) > 0 {
		out.NextCursor = l.call.SealPlace(found.at[len(found.at)-1])
	}
	return out
}

func (l branchLister) summary(shown int, out listBranchesOutput) string {
	words := counted(shown, "branch", "branches") + " of " + out.FullName
	if l.in.Query != "" {
		words += fmt.Sprintf(" with %q in the name", l.in.Query)
	}
	return words + " within scope " + strings.Join(out.Scopes, ", ") + "."
}

func branchNames(found []bitbucket.Branch) []string {
	names := make([]string, len(found))
	for i, b := range found {
		names[i] = b.Name
	}
	return names
}

const shortHash = 12

func branchRows(found []bitbucket.Branch, detail, defaultBranch string) []branchRow {
	rows := make([]branchRow, len(found))
	for i, b := range found {
		rows[i] = branchRow{Name: b.Name, Commit: b.Commit, UpdatedOn: timestamp(b.UpdatedOn), Default: b.Name == defaultBranch}
		if detail == detailFull {
			rows[i].Message = b.Message
		} else if len(b.Commit) > shortHash {
			rows[i].Commit = b.Commit[:shortHash]
		}
	}
	return rows
}
