package bitbucket

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

// returning makes the server answer for the repository api with this object.
func returning(object map[string]any) sample.Fault {
	return sample.Edited(func(body map[string]any) {
		clear(body)
		for key, value := range object {
			body[key] = value
		}
	})
}

// What Bitbucket returned is judged, not what was asked for: the scope allows
// api and api-v2 of the workspace acme.
func TestReturnedRepositoryIsJudged(t *testing.T) {
	definition := policy.Definition{Repositories: []string{"api", "api-v2"}}
	allowed := map[string]string{ // full_name → slug
		"acme/api":    "api",
		"acme/api-v2": "api-v2", // renamed, and allowed under the new name too
		"Acme/API":    "api",
	}
	for fullName, slug := range allowed {
		s := on(t, bitbuckettest.NewNeighbours(t).Server)
		s.Fail(returning(map[string]any{"full_name": fullName}))
		r, err := s.client.Repository(t.Context(), s.repo(t, "api", definition))
		require.NoError(t, err, fullName)
		assert.Equal(t, slug, r.Repo.Slug(), "it carries the right to what was returned")
	}
	for _, fullName := range []string{
		"acme/api-secret", "acme/web", "mallory/api", "acme/", "/api", "api", "acme/api/x", "acme/..", "acme/.", "../api", "acme/{1}", "{1}/api",
		"acme/api%2F..", "acme/ap\u0456", "acme/api\u200b", "acme/api\n", " acme/api", "acme/api ", "acme\\api", "acme/apiſ", "acme//api",
	} {
		s := on(t, bitbuckettest.NewNeighbours(t).Server)
		s.Fail(returning(map[string]any{"full_name": fullName, "name": upstreamText}))
		r, err := s.client.Repository(t.Context(), s.repo(t, "api", definition))
		require.ErrorIs(t, err, ErrNotFound, "%q", fullName)
		assertDiscreet(t, err)
		assert.Zero(t, r)
	}
}

// Scopes can only be lost: what was found through two of them is held by the
// one that allows what was returned.
func TestReturnedRepositoryLosesScopes(t *testing.T) {
	s := on(t, bitbuckettest.NewNeighbours(t).Server)
	s.Fail(returning(map[string]any{"full_name": "acme/web"}))
	repo := s.repoOf(t, "somebody",
		s.scope(t, policy.Definition{Name: "narrow", Repositories: []string{"api"}}),
		s.scope(t, policy.Definition{Name: "wide", Repositories: []string{"api", "web"}}),
	)
	require.Equal(t, []string{"narrow", "wide"}, repo.Scopes())
	r, err := s.client.Repository(t.Context(), repo)
	require.NoError(t, err)
	assert.Equal(t, []string{"wide"}, r.Repo.Scopes())
}

// Rows of a list are judged, those of the grammar too, and what is hidden
// leaves no trace.
func TestRowsAreJudged(t *testing.T) {
	rows := []any{}
	for _, fullName := range []any{
		"acme/api", "acme/api-secret", "mallory/api", "acme/API-two", "acme/..", "acme/", "", nil, "acme/api/x", "acme/{uuid}", "acme/api\u202e", "acme/api-three",
	} {
		rows = append(rows, map[string]any{"full_name": fullName})
	}
	rows = append(rows, nil, map[string]any{}, map[string]any{"name": "api"})
	s := on(t, bitbuckettest.NewNeighbours(t).Server)
	s.Fail(returning(map[string]any{"values": rows}))
	page, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{
		Repositories: []string{"api.*", `\.\.`}, ExcludeRepositories: []string{"api-secret"},
	}), ListOptions{Limit: 100, Budget: budget()})
	require.NoError(t, err)
	assert.Equal(t, []string{"api", "api-two", "api-three"}, slugs(page.Rows))
	assert.Equal(t, []Position{{Offset: 0}, {Offset: 3}, {Offset: 11}}, page.At)
	assert.Nil(t, page.Next)
}

// What an answer names beside the repository is shown where the scope allows
// it, and is empty where it does not.
func TestWhatARepositoryNamesIsJudged(t *testing.T) {
	definition := policy.Definition{Repositories: []string{"api", "web"}, Branches: []string{"main", "feature/.*"}}
	branch := func(name any) map[string]any { return map[string]any{"mainbranch": map[string]any{"name": name}} }
	parent := func(name any) map[string]any { return map[string]any{"parent": map[string]any{"full_name": name}} }
	for name, test := range map[string]struct {
		object         map[string]any
		branch, parent string
	}{
		"allowed branch":                  {branch("main"), "main", ""},
		"hidden branch":                   {branch("secret/y"), "", ""},
		"branch that holds an allowed":    {branch("not-main"), "", ""},
		"no name for a branch":            {branch("refs/heads/main"), "", ""},
		"branch with an invisible letter": {branch("feature/\u200bx"), "", ""},
		"branch with a line break":        {branch("main\nsecret/y"), "", ""},
		"no branch":                       {map[string]any{"mainbranch": nil}, "", ""},
		"null branch":                     {branch(nil), "", ""},
		"allowed parent":                  {parent("acme/web"), "", "acme/web"},
		"hidden parent":                   {parent("acme/api-secret"), "", ""},
		"parent in another workspace":     {parent("mallory/api"), "", ""},
		"deleted parent":                  {parent(nil), "", ""},
		"no parent":                       {map[string]any{"parent": nil}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			test.object["full_name"] = "acme/api"
			s.Fail(
				returning(test.object).On("/repositories/acme/api"),
				returning(map[string]any{"values": []any{test.object}}).On("/repositories/acme"),
			)
			r, err := s.client.Repository(t.Context(), s.repo(t, "api", definition))
			require.NoError(t, err)
			page, err := s.client.Repositories(t.Context(), s.workspace(t, definition), ListOptions{Limit: 10, Detail: Full, Budget: budget()})
			require.NoError(t, err)
			require.Len(t, page.Rows, 1)
			for _, r := range []Repository{r, page.Rows[0]} {
				assert.Equal(t, test.branch, r.DefaultBranch)
				assert.Equal(t, test.parent, r.Parent)
			}
		})
	}
}

func TestRepositoryFields(t *testing.T) {
	for name, test := range map[string]struct {
		object map[string]any
		want   Repository
	}{
		"all": {
			map[string]any{
				"name": "My  API\u202e\n", "is_private": false, "description": "Line one\r\n\tline two\x00", "language": "go",
				"created_on": "2020-01-02T03:04:05.678901+02:00", "updated_on": "2021-01-02T03:04:05+00:00",
				"project": map[string]any{"key": "PLAT", "name": "Platform"}, "mainbranch": map[string]any{"name": "main"}, "parent": map[string]any{"full_name": "acme/web"},
			},
			Repository{
				Name: "My API", Description: "Line one line two", Language: "go", Project: "Platform", DefaultBranch: "main", Parent: "acme/web",
				CreatedOn: time.Date(2020, 1, 2, 1, 4, 5, 0, time.UTC), UpdatedOn: time.Date(2021, 1, 2, 3, 4, 5, 0, time.UTC),
			},
		},
		"none":                       {map[string]any{}, Repository{Name: "api", Private: true}},
		"nulls":                      {map[string]any{"name": nil, "is_private": nil, "description": nil, "language": nil, "created_on": nil, "project": nil}, Repository{Name: "api", Private: true}},
		"a name of nothing visible":  {map[string]any{"name": "\u200b\u3164 \u2800"}, Repository{Name: "api", Private: true}},
		"a project without a name":   {map[string]any{"project": map[string]any{"key": "PLAT"}}, Repository{Name: "api", Private: true, Project: "PLAT"}},
		"times that are none":        {map[string]any{"created_on": "yesterday", "updated_on": "2021-13-45"}, Repository{Name: "api", Private: true}},
		"fields nobody asked for":    {map[string]any{"links": map[string]any{"clone": "x"}, "uuid": "{1}", "owner": 7}, Repository{Name: "api", Private: true}},
		"the slug is not looked at":  {map[string]any{"slug": "api-secret"}, Repository{Name: "api", Private: true}},
		"private where nobody knows": {map[string]any{"is_private": nil}, Repository{Name: "api", Private: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			test.object["full_name"] = "acme/api"
			s.Fail(returning(test.object))
			got, err := s.client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
			require.NoError(t, err)
			assert.Equal(t, "api", got.Repo.Slug())
			got.Repo = policy.Repo{}
			test.want.FullName = "acme/api"
			assert.Equal(t, test.want, got)
		})
	}
}

func TestVisibility(t *testing.T) {
	assert.Equal(t, Private, Repository{Private: true}.Visibility())
	assert.Equal(t, Public, Repository{}.Visibility())
}

// Each detail asks for what it shows, what it is judged by, and what it is
// filtered by.
func TestRepositoryDetails(t *testing.T) {
	for name, test := range map[string]struct {
		options ListOptions
		fields  string
	}{
		"names":                   {ListOptions{}, "values.full_name"},
		"names with a query":      {ListOptions{Query: "x"}, "values.full_name,values.name"},
		"names of one kind":       {ListOptions{Visibility: Public}, "values.full_name,values.is_private"},
		"rows":                    {ListOptions{Detail: Rows}, "values.full_name,values.name,values.is_private"},
		"rows with a query":       {ListOptions{Detail: Rows, Query: "x", Visibility: Public}, "values.full_name,values.name,values.is_private"},
		"full":                    {ListOptions{Detail: Full}, "values.full_name,values.name,values.is_private,values.description,values.language,values.created_on,values.updated_on,values.mainbranch.name,values.project.key,values.project.name,values.parent.full_name"},
		"full, whatever is asked": {ListOptions{Detail: Full, Query: "x"}, "values.full_name,values.name,values.is_private,values.description,values.language,values.created_on,values.updated_on,values.mainbranch.name,values.project.key,values.project.name,values.parent.full_name"},
	} {
		s := on(t, bitbuckettest.NewNeighbours(t).Server)
		test.options.Limit, test.options.Budget = 10, budget()
		_, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), test.options)
		require.NoError(t, err)
		assert.Equal(t, "next,size,pagelen,"+test.fields, s.Journal()[0].Query.Get("fields"), name)
	}
}

// The admin's preview sees every row, page by page, and where its budget ends.
func TestAllRepositories(t *testing.T) {
	s := inMemory(t, sample.New(sample.Options{}))
	repositories(t, s.Server, numbered("r", 250)...)
	unjudged := policy.UnjudgedWorkspace(s.scope(t, policy.Definition{Repositories: []string{"nothing"}}))
	page, err := s.client.UnjudgedRepositories(t.Context(), unjudged, budget())
	require.NoError(t, err)
	assert.Len(t, page.Rows, 250)
	assert.Equal(t, "acme/r0000", page.Rows[0])
	assert.Nil(t, page.Next)
	page, err = s.client.UnjudgedRepositories(t.Context(), unjudged, NewBudget(2))
	require.NoError(t, err)
	assert.Len(t, page.Rows, 200)
	assert.NotNil(t, page.Next)
}

func TestMissingWorkspace(t *testing.T) {
	s := on(t, bitbuckettest.NewNeighbours(t).Server)
	_, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{Workspace: "none"}), ListOptions{Limit: 10, Budget: budget()})
	require.ErrorIs(t, err, ErrNotFound)
}

func TestUser(t *testing.T) {
	ask := func(t *testing.T, f ...sample.Fault) (string, error) {
		s := on(t, bitbuckettest.NewNeighbours(t, func(o *sample.Options) {
			o.Accounts = []sample.Account{{Name: "Bot of the team", Username: username, Token: canary}}
		}).Server)
		s.Fail(f...)
		name, err := s.client.User(t.Context(), policy.UnjudgedWorkspace(s.scope(t, policy.Definition{})))
		assertDiscreet(t, err)
		return name, err
	}
	name, err := ask(t)
	require.NoError(t, err)
	assert.Equal(t, "Bot of the team", name)
	name, err = ask(t, returning(map[string]any{"display_name": "A\u202eB\x1b[31m"}))
	require.NoError(t, err)
	assert.Equal(t, "AB[31m", name)
	_, err = ask(t, sample.Status(http.StatusForbidden, leak))
	require.ErrorIs(t, err, ErrCredentialRejected)
	_, err = ask(t, sample.HTML(200, leak))
	require.ErrorIs(t, err, ErrUnavailable)
}
