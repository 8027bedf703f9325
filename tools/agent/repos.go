package agent

import (
	"context"
	"fmt"
	"strings"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

type getRepoInput struct {
	Repository string `json:"repository" jsonschema:"minLength=1,maxLength=257,description=Slug or workspace/slug or display name"`
	Scope      string `json:"scope,omitempty" jsonschema:"minLength=1,maxLength=128"`
	Detail     string `json:"detail,omitempty" jsonschema:"enum=concise,enum=full"`
}

type getRepoOutput struct {
	Summary       string   `json:"summary"`
	Workspace     string   `json:"workspace"`
	Name          string   `json:"name"`
	FullName      string   `json:"full_name"`
	Visibility    string   `json:"visibility"`
	URL           string   `json:"url"`
	Description   string   `json:"description,omitempty"`
	DefaultBranch string   `json:"default_branch,omitempty"`
	Language      string   `json:"language,omitempty"`
	Project       string   `json:"project,omitempty"`
	Parent        string   `json:"parent,omitempty"`
	CreatedOn     string   `json:"created_on,omitempty"`
	UpdatedOn     string   `json:"updated_on"`
	Scopes        []string `json:"scopes"`
	NextSteps     []string `json:"next_steps"`
}

func getRepo(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "get_repo",
		Title:       "Get a repository",
		Description: "Answers whether you can access a repository and what it is: name, visibility, page, default branch. Use it first when a user names a repository, also by its display name. One that does not exist and one outside your scope look the same.",
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in getRepoInput) (getRepoOutput, error) {
		r, err := resolver{client: client, call: call}.resolve(ctx, in.Repository)
		if err != nil {
			return getRepoOutput{}, err
		}
		return describe(r, in.Detail, call), nil
	})
}

const conciseDescription = 200

func describe(r bitbucket.Repository, detail string, call *tools.Call) getRepoOutput {
	out := getRepoOutput{
		Summary:       repoSummary(r),
		Workspace:     r.Repo.Account().Workspace,
		Name:          r.Name,
		FullName:      r.FullName,
		Visibility:    string(r.Visibility()),
		URL:           pageOf(r),
		Description:   shorten(r.Description, conciseDescription),
		DefaultBranch: r.DefaultBranch,
		Language:      r.Language,
		Project:       r.Project,
		UpdatedOn:     timestamp(r.UpdatedOn),
		Scopes:        r.Repo.Scopes(),
		NextSteps:     []string{fmt.Sprintf("%s with repository %q lists its branches.", call.ToolName("list_branches"), r.FullName)},
	}
	if detail == detailFull {
		out.Description, out.Parent, out.CreatedOn = r.Description, r.Parent, timestamp(r.CreatedOn)
	}
	return out
}

func repoSummary(r bitbucket.Repository) string {
	words := fmt.Sprintf("Yes, %s can be accessed through scope %s. It is %s", r.FullName, r.Repo.Scopes()[0], r.Visibility())
	if r.DefaultBranch != "" {
		words += "; its default branch is " + r.DefaultBranch
	}
	if !r.UpdatedOn.IsZero() {
		words += "; last updated " + r.UpdatedOn.Format("2006-01-02")
	}
	return words + "."
}

// pageOf returns the repository's page. It is built here: a link from an
// answer could lead anywhere.
func pageOf(r bitbucket.Repository) string { return "https://bitbucket.org/" + r.FullName }

type listReposInput struct {
	Scope      string `json:"scope,omitempty" jsonschema:"minLength=1,maxLength=128"`
	Query      string `json:"query,omitempty" jsonschema:"maxLength=128,description=Part of slug or display name"`
	Visibility string `json:"visibility,omitempty" jsonschema:"enum=private,enum=public"`
	Limit      int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=1000,description=1..100 (25); names: 1..1000 (200)"`
	Cursor     string `json:"cursor,omitempty" jsonschema:"maxLength=12000"`
	Detail     string `json:"detail,omitempty" jsonschema:"enum=names,enum=concise,enum=full"`
}

type listReposOutput struct {
	Summary      string    `json:"summary"`
	Workspace    string    `json:"workspace,omitempty"`
	Scopes       []string  `json:"scopes"`
	Repositories []repoRow `json:"repositories,omitzero"`
	Names        []string  `json:"names,omitzero"`
	NextCursor   string    `json:"next_cursor,omitempty"`
	Notice       string    `json:"notice,omitempty"`
}

type repoRow struct {
	Name          string `json:"name"`
	FullName      string `json:"full_name"`
	Visibility    string `json:"visibility"`
	URL           string `json:"url"`
	Description   string `json:"description,omitempty"`
	DefaultBranch string `json:"default_branch,omitempty"`
	Language      string `json:"language,omitempty"`
	Project       string `json:"project,omitempty"`
	UpdatedOn     string `json:"updated_on,omitempty"`
}

func listRepos(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "list_repos",
		Title:       "List repositories",
		Description: `Lists the repositories that your scope allows; others are left out and not counted. Use get_repo for one that you can name. detail "names" is the cheapest way to see many.`,
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in listReposInput) (listReposOutput, error) {
		return repoLister{client, call, in}.list(ctx)
	})
}

type repoLister struct {
	client *bitbucket.Client
	call   *tools.Call
	in     listReposInput
}

func (l repoLister) list(ctx context.Context) (listReposOutput, error) {
	limit, err := limitOf(l.in.Limit, l.in.Detail)
	if err != nil {
		return listReposOutput{}, err
	}
	found, err := l.walk(ctx, limit)
	if err != nil {
		return listReposOutput{}, err
	}
	return l.shape(found), nil
}

// foundRepos are the rows that are allowed, and the workspaces that were listed.
type foundRepos struct {
	joined[bitbucket.Repository]
	workspaces []policy.Workspace
}

// walk reads the list of each workspace and credential once, one after the
// other, and leaves out what an earlier one has brought.
func (l repoLister) walk(ctx context.Context, limit int) (foundRepos, error) {
	start, err := l.call.OpenPlace()
	if err != nil {
		return foundRepos{}, err
	}
	workspaces := l.call.Workspaces()
	read := func(i int, from bitbucket.Position) (bitbucket.Page[bitbucket.Repository], error) {
		page, err := l.client.Repositories(ctx, workspaces[i], bitbucket.ListOptions{
			From: from, Limit: limit,
			Query: l.in.Query, Visibility: bitbucket.Visibility(l.in.Visibility),
			Detail: detailOf(l.in.Detail), Budget: l.call.Budget, Progress: l.call.Progress,
		})
		if err != nil {
			err = &tools.About{Kind: "workspace", Name: workspaces[i].Name(), Err: err}
		}
		return page, err
	}
	seen := map[string]bool{}
	isNew := func(_ int, row bitbucket.Repository) bool {
		before := seen[row.FullName]
		seen[row.FullName] = true
		return !before
	}
	found, err := join(start, len(workspaces), limit, read, isNew)
	return foundRepos{found, workspaces}, err
}

func (l repoLister) shape(found foundRepos) listReposOutput {
	out := listReposOutput{Scopes: scopesOf(found.workspaces)}
	several := !oneWorkspace(found.workspaces)
	if !several && len(found.workspaces) > 0 {
		out.Workspace = found.workspaces[0].Name()
	}
	shown := 0
	if l.in.Detail == detailNames {
		out.Names = namesOf(found.rows, several)
		shown = tools.Fit(out.Names, tools.MaxNamesAnswer, l.shell(out, found))
		out.Names = out.Names[:shown]
	} else {
		out.Repositories = rowsFor(found.rows, l.in.Detail)
		shown = tools.Fit(out.Repositories, tools.MaxAnswer, l.shell(out, found))
		out.Repositories = out.Repositories[:shown]
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
func (l repoLister) shell(out listReposOutput, found foundRepos) listReposOutput {
	out.Names, out.Repositories, out.Notice = nil, nil, tools.MoreNotice
	if found.next != nil {
		out.NextCursor = l.call.SealPlace(*found.next)
	} else if len(found.at) > 0 {
		out.NextCursor = l.call.SealPlace(found.at[len(found.at)-1])
	}
	return out
}

func (l repoLister) summary(shown int, out listReposOutput) string {
	words := counted(shown, "repository", "repositories")
	if out.Workspace != "" {
		words += " of workspace " + out.Workspace
	}
	if l.in.Query != "" {
		words += fmt.Sprintf(" with %q in the name", l.in.Query)
	}
	if l.in.Visibility != "" {
		words = l.in.Visibility + ": " + words
	}
	return words + " within scope " + strings.Join(out.Scopes, ", ") + "."
}

func namesOf(rows []bitbucket.Repository, several bool) []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.Repo.Slug()
		if several {
			names[i] = r.Repo.FullName()
		}
	}
	return names
}

func rowsFor(found []bitbucket.Repository, detail string) []repoRow {
	rows := make([]repoRow, len(found))
	for i, r := range found {
		rows[i] = repoRow{Name: r.Name, FullName: r.FullName, Visibility: string(r.Visibility()), URL: pageOf(r)}
		if detail == detailFull {
			rows[i].Description, rows[i].DefaultBranch = shorten(r.Description, conciseDescription), r.DefaultBranch
			rows[i].Language, rows[i].Project, rows[i].UpdatedOn = r.Language, r.Project, timestamp(r.UpdatedOn)
		}
	}
	return rows
}

func scopesOf(workspaces []policy.Workspace) []string {
	var names []string
	for _, w := range workspaces {
		names = append(names, w.Scopes()...)
	}
	return names
}

func oneWorkspace(workspaces []policy.Workspace) bool {
	for _, w := range workspaces {
		if w.Account().API != workspaces[0].Account().API || !strings.EqualFold(w.Name(), workspaces[0].Name()) {
			return false
		}
	}
	return true
}

// shorten cuts text that is cleaned already.
func shorten(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return strings.TrimRight(string(runes[:limit-1]), " ") + "…"
}
