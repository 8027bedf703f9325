package bitbucket

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"bucketgate/policy"
)

const (
	maxName        = 200
	maxDescription = 2000
	maxShortText   = 100
)

// A Repository is what a scope may see of one. Text in it was written by
// others and is cleaned.
type Repository struct {
	Repo          policy.Repo // the right to ask for more of it
	FullName      string      // workspace/slug, as Bitbucket spells it
	Name          string      // display name
	Private       bool
	Description   string
	DefaultBranch string // "" where the scope hides it
	Language      string
	Project       string // name, or key where there is no name
	Parent        string // full name of what it was forked from, "" where the scope hides it
	CreatedOn     time.Time
	UpdatedOn     time.Time
}

// Visibility returns Private or Public.
func (r Repository) Visibility() Visibility {
	if r.Private {
		return Private
	}
	return Public
}

// repositoryJSON is the repository object of
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-repositories/.
type repositoryJSON struct {
	FullName    string `json:"full_name"`
	Name        string `json:"name"`
	IsPrivate   *bool  `json:"is_private"`
	Description string `json:"description"`
	Language    string `json:"language"`
	CreatedOn   string `json:"created_on"`
	UpdatedOn   string `json:"updated_on"`
	MainBranch  *struct {
		Name string `json:"name"`
	} `json:"mainbranch"`
	Project *struct {
		Key  string `json:"key"`
		Name string `json:"name"`
	} `json:"project"`
	Parent *struct {
		FullName string `json:"full_name"`
	} `json:"parent"`
}

var repositoryFields = []string{
	"full_name", "name", "is_private", "description", "language", "created_on", "updated_on",
	"mainbranch.name", "project.key", "project.name", "parent.full_name",
}

// rowFields returns the fields of a list's rows.
func rowFields(o ListOptions) []string {
	fields := []string{"full_name"}
	switch {
	case o.Detail == Full:
		fields = repositoryFields
	case o.Detail == Rows:
		fields = []string{"full_name", "name", "is_private"}
	default:
		if o.Query != "" {
			fields = append(fields, "name")
		}
		if o.Visibility != "" {
			fields = append(fields, "is_private")
		}
	}
	return prefixed("values.", fields)
}

func prefixed(prefix string, fields []string) []string {
	list := make([]string, len(fields))
	for i, field := range fields {
		list[i] = prefix + field
	}
	return list
}

// Repository returns the repository, or ErrNotFound. After a rename Bitbucket
// may return another than the one that was asked for: it is judged, and what
// comes back carries the right to the one that was returned.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-repositories/#api-repositories-workspace-repo-slug-get
func (c *Client) Repository(ctx context.Context, repo policy.Repo) (Repository, error) {
	e, err := at(routeRepository, repo)
	if err != nil {
		return Repository{}, err
	}
	query := url.Values{"fields": {strings.Join(repositoryFields, ",")}}
	body, err := c.fetch(ctx, e, query.Encode())
	if err != nil {
		return Repository{}, err
	}
	var raw repositoryJSON
	if json.Unmarshal(body, &raw) != nil || raw.FullName == "" {
		return Repository{}, unavailable("it answered something that is no repository")
	}
	returned, ok := repo.SeesRepository(raw.FullName)
	if !ok {
		return Repository{}, ErrNotFound
	}
	return newRepository(raw, returned), nil
}

// Repositories returns the part of a workspace's list that the scopes allow.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-repositories/#api-repositories-workspace-get
func (c *Client) Repositories(ctx context.Context, workspace policy.Workspace, o ListOptions) (Page[Repository], error) {
	e, err := at(routeRepositories, workspace)
	if err != nil {
		return Page[Repository]{}, err
	}
	filter, local, open := workspace.Filter(), o.Query != "" || o.Visibility != "", workspace.Unrestricted()
	if open {
		filter, local = and(contains(o.Query, "slug", "name"), visibilityIs(o.Visibility)), false
	}
	return filtered(filter, o.From, func(q string) (Page[Repository], error) {
		w := walk[repositoryJSON]{client: c, endpoint: e, query: listQuery("slug", q, o.pageLength(open, q), rowFields(o)...)}
		return collect(ctx, w, o, local, func(raw repositoryJSON) (Repository, bool) {
			repo, ok := workspace.Sees(raw.FullName)
			return newRepository(raw, repo), ok
		}, o.matches)
	})
}

func visibilityIs(v Visibility) string {
	switch v {
	case Private:
		return "is_private = true"
	case Public:
		return "is_private = false"
	}
	return ""
}

func (o ListOptions) matches(r Repository) bool {
	return (o.Visibility == "" || o.Visibility == r.Visibility()) &&
		(o.Query == "" || holds(o.Query, r.Repo.Slug(), r.Name))
}

// UnjudgedRepositories returns the full names of every repository that the
// credential can list, judged by nothing: it is for the admin's preview.
func (c *Client) UnjudgedRepositories(ctx context.Context, workspace policy.Unjudged, budget *Budget) (Page[string], error) {
	e, err := at(routeRepositories, workspace)
	if err != nil {
		return Page[string]{}, err
	}
	w := walk[repositoryJSON]{client: c, endpoint: e, query: listQuery("slug", "", maxPageLength, "values.full_name")}
	return collect(ctx, w, ListOptions{Limit: 1 << 20, Budget: budget}, false,
		func(raw repositoryJSON) (string, bool) { return raw.FullName, raw.FullName != "" },
		func(string) bool { return true })
}

// newRepository keeps what the scopes of repo allow. A repository that does
// not say whether it is private is private.
func newRepository(raw repositoryJSON, repo policy.Repo) Repository {
	r := Repository{
		Repo:        repo,
		FullName:    raw.FullName,
		Name:        cleanText(raw.Name, maxName),
		Private:     raw.IsPrivate == nil || *raw.IsPrivate,
		Description: cleanText(raw.Description, maxDescription),
		Language:    cleanText(raw.Language, maxShortText),
		CreatedOn:   instant(raw.CreatedOn),
		UpdatedOn:   instant(raw.UpdatedOn),
	}
	if r.Name == "" {
		r.Name = repo.Slug()
	}
	if raw.MainBranch != nil {
		if _, ok := repo.Sees(raw.MainBranch.Name); ok {
			r.DefaultBranch = raw.MainBranch.Name
		}
	}
	if raw.Project != nil {
		r.Project = cleanText(raw.Project.Name, maxShortText)
		if r.Project == "" {
			r.Project = cleanText(raw.Project.Key, maxShortText)
		}
	}
	if raw.Parent != nil {
		if _, ok := repo.SeesRepository(raw.Parent.FullName); ok {
			r.Parent = raw.Parent.FullName
		}
	}
	return r
}
