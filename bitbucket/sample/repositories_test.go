package sample

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRepositoryKeys(t *testing.T) {
	c := serve(t, small(t, Options{}))
	repository := c.get("/repositories/acme/api").body
	assert.Equal(t, []string{
		"created_on", "description", "fork_policy", "full_name", "has_issues", "has_wiki", "is_private",
		"language", "links", "mainbranch", "name", "owner", "project", "scm", "size", "slug", "type",
		"updated_on", "uuid", "website", "workspace",
	}, keys(repository))
	assert.Equal(t, []string{
		"avatar", "branches", "clone", "commits", "downloads", "forks", "hooks", "html",
		"pullrequests", "self", "source", "tags", "watchers",
	}, keys(repository["links"]))
	assert.Equal(t, []string{"display_name", "links", "type", "username", "uuid"}, keys(repository["owner"]))
	assert.Equal(t, []string{"key", "links", "name", "type", "uuid"}, keys(repository["project"]))
	assert.Equal(t, []string{"links", "name", "slug", "type", "uuid"}, keys(repository["workspace"]))
	assert.Equal(t, map[string]any{"type": "branch", "name": "main"}, repository["mainbranch"])

	fork := c.get("/repositories/acme/docs").body
	assert.Equal(t, []string{"full_name", "links", "name", "type", "uuid"}, keys(fork["parent"]))
	assert.Nil(t, fork["mainbranch"])
	assert.Nil(t, fork["project"])
}

func TestRepositoryValues(t *testing.T) {
	s := New(Options{})
	made := time.Date(2022, 5, 6, 7, 8, 9, 1000, time.FixedZone("", 3600))
	require.NoError(t, s.AddRepository(Repository{Workspace: "Acme", Name: "Web Shop", CreatedOn: made}))
	c := serve(t, s)
	r := c.get("/repositories/acme/web-shop").body
	assert.Equal(t, "Web Shop", r["name"])
	assert.Equal(t, "web-shop", r["slug"])
	assert.Equal(t, "acme/web-shop", r["full_name"])
	assert.Equal(t, "2022-05-06T06:08:09.000001+00:00", r["created_on"])
	assert.Equal(t, r["created_on"], r["updated_on"])
	links := r["links"].(map[string]any)
	assert.Equal(t, map[string]any{"href": "https://bitbucket.org/acme/web-shop"}, links["html"])
	assert.Equal(t, map[string]any{"href": c.base + "/repositories/acme/web-shop"}, links["self"])
}

func TestRepositoryAddresses(t *testing.T) {
	c := serve(t, small(t, Options{}))
	api := c.get("/repositories/acme/api").body
	id := url.PathEscape(api["uuid"].(string))
	workspace := url.PathEscape(api["workspace"].(map[string]any)["uuid"].(string))
	for _, path := range []string{"ACME/Api", "acme/" + id, workspace + "/api", "%7B%7D/" + id} {
		answer := c.get("/repositories/" + path)
		assert.Equal(t, http.StatusOK, answer.status, path)
		assert.Equal(t, "acme/api", answer.body["full_name"], path)
	}
}

func TestRepositoryMissing(t *testing.T) {
	c := serve(t, small(t, Options{}))
	for path, message := range map[string]string{
		"/repositories/acme/x":                   "Repository acme/x not found",
		"/repositories/acme/x/refs/branches":     "Repository acme/x not found",
		"/repositories/none/api":                 "Repository none/api not found",
		"/repositories/acme/x/commit/0123456789": "Repository acme/x not found",
	} {
		answer := c.get(path)
		assert.Equal(t, http.StatusNotFound, answer.status, path)
		assert.Equal(t, map[string]any{
			"type": "error", "error": map[string]any{"message": message},
		}, answer.body)
	}
	assert.Equal(t, http.StatusNotFound, c.get("/repositories/none").status)
}

func TestRename(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	id := c.get("/repositories/acme/api").body["uuid"]
	require.NoError(t, s.RenameRepository("acme", "api", "backend"))
	require.NoError(t, s.RenameRepository("acme", "backend", "core"))

	for _, old := range []string{"api", "backend", "API"} {
		moved := c.get("/repositories/acme/"+old+"/refs/branches/feature%2Fx", "fields", "name")
		assert.Equal(t, http.StatusMovedPermanently, moved.status)
		to := c.base + "/repositories/acme/core/refs/branches/feature%2Fx?fields=name"
		assert.Equal(t, to, moved.header.Get("Location"))
		assert.Equal(t, map[string]any{"name": "feature/x"}, c.follow(to).body)
	}
	assert.Equal(t, id, c.get("/repositories/acme/core").body["uuid"])

	require.NoError(t, s.AddRepository(Repository{Workspace: "acme", Slug: "api"}))
	again := c.get("/repositories/acme/api")
	assert.Equal(t, http.StatusOK, again.status)
	assert.NotEqual(t, id, again.body["uuid"])
	require.NoError(t, s.DeleteRepository("acme", "api"))
	assert.Equal(t, http.StatusNotFound, c.get("/repositories/acme/api").status, "the old name was given up")
}

func TestDeleteRepository(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	require.NoError(t, s.DeleteRepository("acme", "api"))
	assert.Equal(t, http.StatusNotFound, c.get("/repositories/acme/api").status)
	assert.Equal(t, []string{"web", "docs"}, c.get("/repositories/acme").column("slug"))
	assert.NotContains(t, c.get("/repositories/acme/docs").body, "parent")
}

func TestMistakesOfTheTest(t *testing.T) {
	s := small(t, Options{})
	_, noCommit := s.AddCommit("acme", "api", Commit{Parents: []string{"0000000"}})
	_, noRepository := s.AddCommit("acme", "none", Commit{})
	_, noBranch := s.Head("acme", "api", "none")
	for what, err := range map[string]error{
		"slug taken":           s.AddRepository(Repository{Workspace: "acme", Slug: "api"}),
		"no slug":              s.AddRepository(Repository{Workspace: "acme", Slug: "a/b"}),
		"rename onto another":  s.RenameRepository("acme", "api", "web"),
		"rename of nothing":    s.RenameRepository("acme", "none", "x"),
		"delete of nothing":    s.DeleteRepository("none", "api"),
		"parent missing":       noCommit,
		"commit on nothing":    noRepository,
		"head of nothing":      noBranch,
		"branch at nothing":    s.SetBranch("acme", "api", "b", "0000000"),
		"branch without name":  s.SetBranch("acme", "api", "", "0000000"),
		"branch gone already":  s.DeleteBranch("acme", "api", "none"),
		"branch of no project": s.DeleteBranch("acme", "none", "main"),
	} {
		assert.Error(t, err, what)
	}
}

func TestWorkspaceAndUserKeys(t *testing.T) {
	s := small(t, Options{})
	s.AddWorkspace(Workspace{Slug: "acme", Name: "Acme Inc"})
	c := serve(t, s)
	workspace := c.get("/workspaces/acme").body
	assert.Equal(t, "Acme Inc", workspace["name"])
	assert.Equal(t, []string{
		"created_on", "forking_mode", "is_privacy_enforced", "is_private", "links", "name", "slug", "type", "uuid",
	}, keys(workspace))
	assert.Equal(t, http.StatusNotFound, c.get("/workspaces/none").status)

	assert.Equal(t, []string{
		"account_id", "account_status", "created_on", "display_name", "has_2fa_enabled", "is_staff", "links",
		"location", "nickname", "type", "username", "uuid", "website",
	}, keys(c.get("/user").body))
}
