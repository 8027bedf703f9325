package bitbucket

import (
	"context"
	"time"

	"bucketgate/policy"
)

// A Branch is a branch that a scope may see.
type Branch struct {
	Branch    policy.Branch // the right to ask for more of it
	Name      string
	Commit    string    // hash of its head
	UpdatedOn time.Time // when the head was committed
	Message   string    // first line of the head's message, cleaned
}

// branchJSON is the branch object of
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-refs/.
type branchJSON struct {
	Name   string `json:"name"`
	Target struct {
		Hash       string `json:"hash"`
		Date       string `json:"date"`
		Message    string `json:"message"`
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
	} `json:"target"`
}

func branchFields(detail Detail) []string {
	fields := []string{"name", "target.repository.full_name"}
	if detail >= Rows {
		fields = append(fields, "target.hash", "target.date")
	}
	if detail >= Full {
		fields = append(fields, "target.message")
	}
	return prefixed("values.", fields)
}

// Branches returns the part of a repository's branches that the scopes allow.
// A row whose commit lies in another repository than was asked for, or does
// not say in which, is left out.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-refs/#api-repositories-workspace-repo-slug-refs-branches-get
func (c *Client) Branches(ctx context.Context, repo policy.Repo, o ListOptions) (Page[Branch], error) {
	e, err := at(routeBranches, repo)
	if err != nil {
		return Page[Branch]{}, err
	}
	filter, local, open := repo.BranchFilter(), o.Query != "", repo.Unrestricted()
	if open {
		filter, local = contains(o.Query, "name"), false
	}
	return filtered(filter, o.From, func(q string) (Page[Branch], error) {
		w := walk[branchJSON]{client: c, endpoint: e, query: listQuery("name", q, o.pageLength(open, q), branchFields(o.Detail)...)}
		return collect(ctx, w, o, local,
			func(raw branchJSON) (Branch, bool) { return newBranch(raw, repo) },
			func(b Branch) bool { return o.Query == "" || holds(o.Query, b.Name) })
	})
}

func newBranch(raw branchJSON, repo policy.Repo) (Branch, bool) {
	if !repo.Is(raw.Target.Repository.FullName) {
		return Branch{}, false
	}
	branch, ok := repo.Sees(raw.Name)
	return Branch{
		Branch:    branch,
		Name:      raw.Name,
		Commit:    hash(raw.Target.Hash),
		UpdatedOn: instant(raw.Target.Date),
		Message:   cleanText(firstLine(raw.Target.Message), maxName),
	}, ok
}
