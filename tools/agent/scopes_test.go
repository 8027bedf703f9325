package agent_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/policy"
	"bucketgate/tools"
)

func TestMyAccessTellsTheRulesAndAsksNothing(t *testing.T) {
	d := demoDesk(t,
		policy.Definition{Name: "b", Repositories: []string{"web-.*", "api"}, ExcludeRepositories: []string{".*-secret"}, Branches: []string{"main"}},
		policy.Definition{Name: "a"})
	answer := d.answer("my_access", `{}`)
	scopes := answer["scopes"].([]any)
	assert.Equal(t, map[string]any{
		"scope": "a", "workspace": "acme", "repositories": "all repositories", "branches": "all branches", "actions": []any{"read"},
	}, scopes[0])
	assert.Equal(t, map[string]any{
		"scope": "b", "workspace": "acme", "repositories": "repositories whose whole slug matches web-.* or api, except those that match .*-secret",
		"branches": "branches whose whole name matches main", "actions": []any{"read"},
	}, scopes[1])
	assert.Contains(t, answer["summary"], "Through scope b you may read in workspace acme: repositories whose whole slug matches web-.* or api, except those that match .*-secret; branches whose whole name matches main.")
	d.upstream.AssertNothingSent(t)
}

func TestMyAccessWithoutAScope(t *testing.T) {
	d := demoDesk(t)
	answer := d.answer("my_access", `{}`)
	assert.Equal(t, []any{}, answer["scopes"])
	assert.Contains(t, answer["summary"], "You hold no scope")
	assert.Equal(t, tools.ActionNotGranted, d.refused("list_repos", `{}`).Code)
	d.upstream.AssertNothingSent(t)
}

func TestScopeIsOneOfTheCallersOwn(t *testing.T) {
	d := demoDesk(t, policy.Definition{Name: "one", Repositories: []string{"duplocloud-api"}}, policy.Definition{Name: "two", Repositories: []string{"duplocloud-sdk"}})
	assert.Equal(t, []string{"duplocloud-api", "duplocloud-sdk"}, texts(d.answer("list_repos", `{"detail":"names"}`)["names"]))
	assert.Equal(t, []string{"duplocloud-sdk"}, texts(d.answer("list_repos", `{"detail":"names","scope":"two"}`)["names"]))
	assert.Equal(t, tools.NotFound, d.refused("get_repo", `{"repository":"duplocloud-api","scope":"two"}`).Code)
	refused := d.refused("list_repos", `{"scope":"three"}`)
	assert.Equal(t, tools.ScopeUnknown, refused.Code)
	assert.Contains(t, refused.Hint, "one, two")
}

// Two half-matching scopes never add up to a yes.
func TestScopesDoNotAddUp(t *testing.T) {
	up := bitbuckettest.NewNeighbours(t)
	d := newDesk(t, up.Server,
		policy.Definition{Name: "a", Repositories: []string{"api"}, Branches: []string{"main"}},
		policy.Definition{Name: "b", Repositories: []string{"web"}, Branches: []string{".*"}})
	assert.Equal(t, []string{"main"}, column(d.answer("list_branches", `{"repository":"api"}`)["branches"], "name"))
}

func TestSeveralWorkspaces(t *testing.T) {
	up := bitbuckettest.NewNeighbours(t)
	up.Repository("mallory/tools", "main")
	d := newDesk(t, up.Server,
		policy.Definition{Name: "ours", Repositories: []string{"api|web"}},
		policy.Definition{Name: "theirs", Workspace: "mallory", Credential: "other"})
	t.Run("names are whole, and the workspace is left out", func(t *testing.T) {
		answer := d.answer("list_repos", `{"detail":"names"}`)
		assert.Equal(t, []string{"acme/api", "acme/web", "mallory/api", "mallory/tools"}, texts(answer["names"]))
		assert.NotContains(t, answer, "workspace")
	})
	t.Run("one hit answers", func(t *testing.T) {
		assert.Equal(t, "mallory/tools", d.answer("get_repo", `{"repository":"tools"}`)["full_name"])
	})
	t.Run("two hits are ambiguous", func(t *testing.T) {
		refused := d.refused("get_repo", `{"repository":"api"}`)
		assert.Equal(t, tools.ScopeAmbiguous, refused.Code)
		assert.Contains(t, refused.Message, "acme/api through scope ours; mallory/api through scope theirs")
	})
	t.Run("and told apart by workspace or scope", func(t *testing.T) {
		assert.Equal(t, "mallory/api", d.answer("get_repo", `{"repository":"mallory/api"}`)["full_name"])
		assert.Equal(t, "acme/api", d.answer("get_repo", `{"repository":"api","scope":"ours"}`)["full_name"])
	})
}

// Two scopes of one workspace, each with a credential of its own: the branches
// of both are listed, each once, page by page too.
func TestBranchesOfTwoCredentials(t *testing.T) {
	up := bitbuckettest.New(t)
	up.Repository("acme/api", "main", "develop", "feature/x", "secret/y")
	d := newDesk(t, up,
		policy.Definition{Name: "a", Branches: []string{"main|develop"}, Credential: "one"},
		policy.Definition{Name: "b", Branches: []string{"feature/.*|main"}, Credential: "two"})
	answer := d.answer("list_branches", `{"repository":"api"}`)
	assert.Equal(t, []string{"develop", "main", "feature/x"}, column(answer["branches"], "name"))
	assert.Equal(t, []string{"a", "b"}, texts(answer["scopes"]))

	var names []string
	cursor := ""
	for range 10 {
		answer := d.answer("list_branches", `{"repository":"api","detail":"names","limit":1`+cursor+`}`)
		names = append(names, texts(answer["names"])...)
		next, more := answer["next_cursor"].(string)
		if !more {
			break
		}
		cursor = `,"cursor":"` + next + `"`
	}
	assert.Equal(t, []string{"develop", "main", "feature/x"}, names)
}

// The second workspace's list begins in what is left of an answer, and goes on
// in the next.
func TestListsOfSeveralWorkspacesGiveEveryRowOnce(t *testing.T) {
	up := bitbuckettest.New(t)
	for i := range 60 {
		if i < 20 {
			up.Repository(fmt.Sprintf("acme/r%02d", i), "main")
		}
		up.Repository(fmt.Sprintf("mallory/r%02d", i), "main")
	}
	d := newDesk(t, up, policy.Definition{Name: "ours"}, policy.Definition{Name: "theirs", Workspace: "mallory", Credential: "other"})
	for _, limit := range []int{7, 20, 25, 100} {
		rows, _ := every(d, "list_repos", fmt.Sprintf(`{"limit":%d}`, limit), "repositories")
		seen := map[string]bool{}
		for _, name := range column(rows, "full_name") {
			seen[name] = true
		}
		assert.Len(t, rows, 80, "limit %d", limit)
		assert.Len(t, seen, 80, "limit %d", limit)
	}
}
