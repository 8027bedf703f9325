package agent_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
	"bucketgate/tools"
)

func TestListBranchesShowsWhatTheScopeAllows(t *testing.T) {
	up := bitbuckettest.NewNeighbours(t)
	d := newDesk(t, up.Server, policy.Definition{Repositories: []string{"api"}, Branches: []string{"main", "feature/.*"}})
	answer := d.answer("list_branches", `{"repository":"api"}`)
	assert.Equal(t, []string{"feature/x", "main"}, column(answer["branches"], "name"))
	assert.Equal(t, "main", answer["default_branch"])
	assert.Equal(t, "2 branches of acme/api within scope team.", answer["summary"])
	first, second := answer["branches"].([]any)[0].(map[string]any), answer["branches"].([]any)[1].(map[string]any)
	assert.Equal(t, up.Feature[:12], first["commit"], "twelve digits")
	assert.NotContains(t, first, "default")
	assert.Equal(t, true, second["default"])

	full := d.answer("list_branches", `{"repository":"api","detail":"full"}`)
	assert.Equal(t, []string{up.Feature, up.Main}, column(full["branches"], "commit"), "the whole hash")
	assert.Equal(t, []string{"feature/x", "main"}, texts(d.answer("list_branches", `{"repository":"api","detail":"names"}`)["names"]))
	assert.NotContains(t, string(d.run("list_branches", `{"repository":"api","detail":"full"}`).Text), up.Secret)
}

func TestTheDefaultBranchIsJudgedToo(t *testing.T) {
	d := newDesk(t, bitbuckettest.NewNeighbours(t).Server, policy.Definition{Repositories: []string{"api"}, Branches: []string{"feature/.*"}})
	answer := d.answer("list_branches", `{"repository":"api"}`)
	assert.NotContains(t, answer, "default_branch")
	assert.Equal(t, []string{"feature/x"}, column(answer["branches"], "name"))
}

func TestBranchPagesGiveEveryRowOnce(t *testing.T) {
	up := bitbuckettest.New(t)
	branches := []string{"main"}
	for i := range 130 {
		branches = append(branches, fmt.Sprintf("feature/%03d", i), fmt.Sprintf("secret/%03d", i))
	}
	up.Repository("acme/api", branches...)
	d := newDesk(t, up, policy.Definition{Branches: []string{"main|.*[02468]"}, ExcludeBranches: []string{"secret/.*"}})
	for _, limit := range []int{7, 100} {
		rows, _ := every(d, "list_branches", fmt.Sprintf(`{"repository":"api","limit":%d}`, limit), "branches")
		assert.Len(t, rows, 66)
		assert.NotContains(t, strings.Join(column(rows, "name"), " "), "secret")
	}
	names, _ := every(d, "list_branches", `{"repository":"api","detail":"names"}`, "names")
	assert.Len(t, names, 66)
	found := d.answer("list_branches", `{"repository":"api","query":"FEATURE/00"}`)
	assert.Equal(t, []string{"feature/000", "feature/002", "feature/004", "feature/006", "feature/008"}, column(found["branches"], "name"))
	assert.Empty(t, d.answer("list_branches", `{"repository":"api","query":"secret"}`)["branches"])
}

// A branch's name is somebody else's text: one that could not be a branch, or
// that hides what it is, is left out, whatever the patterns say.
func TestHostileBranchNames(t *testing.T) {
	up := bitbuckettest.New(t)
	up.Repository("acme/api", "main")
	hostile := []string{"a\u202eb", "a\u200bb", "maın\nsecret", "a..b", "x\u212a", "refs/heads/main", "main~1", "-p", "@"}
	for _, name := range hostile {
		up.MustBranch("acme/api", name, up.MustHead("acme/api", "main"))
	}
	d := newDesk(t, up, policy.Definition{})
	assert.Equal(t, []string{"main"}, column(d.answer("list_branches", `{"repository":"api"}`)["branches"], "name"))
}

func TestBranchesOfAnotherRepositoryAreLeftOut(t *testing.T) {
	up := bitbuckettest.NewNeighbours(t)
	up.Fail(sample.Edited(func(body map[string]any) {
		for _, row := range body["values"].([]any) {
			row.(map[string]any)["target"].(map[string]any)["repository"] = map[string]any{"full_name": "acme/api-secret"}
		}
	}).On("/repositories/acme/api/refs/branches"))
	d := newDesk(t, up.Server, policy.Definition{Repositories: []string{"api"}})
	assert.Empty(t, d.answer("list_branches", `{"repository":"api"}`)["branches"])
}

func TestCursorsAreSealed(t *testing.T) {
	up := bitbuckettest.New(t)
	up.Repository("acme/api", "main", "one", "two", "three")
	up.Repository("acme/web", "main", "one", "two", "three")
	scope := policy.Definition{Repositories: []string{"api|web"}}
	d := newDesk(t, up, scope)
	cursor := d.answer("list_branches", `{"repository":"api","limit":2}`)["next_cursor"].(string)
	use := func(arguments string) *tools.Error {
		result := d.run("list_branches", strings.ReplaceAll(arguments, "CURSOR", cursor))
		return result.Error
	}
	require.Nil(t, use(`{"repository":"api","limit":2,"cursor":"CURSOR"}`))
	require.Nil(t, use(`{"cursor":"CURSOR","limit":2,"repository":"api"}`), "the order of arguments does not matter")

	refusals := map[string]string{
		"another repository": `{"repository":"web","limit":2,"cursor":"CURSOR"}`,
		"another limit":      `{"repository":"api","limit":3,"cursor":"CURSOR"}`,
		"another query":      `{"repository":"api","limit":2,"query":"o","cursor":"CURSOR"}`,
		"a changed cursor":   `{"repository":"api","limit":2,"cursor":"xCURSOR"}`,
		"no cursor of ours":  `{"repository":"api","limit":2,"cursor":"abc"}`,
	}
	for name, arguments := range refusals {
		up.ResetJournal()
		refused := use(arguments)
		require.NotNil(t, refused, name)
		assert.Equal(t, tools.InvalidArgument, refused.Code, name)
		assert.Contains(t, refused.Message, "cursor", name)
		up.AssertNothingSent(t)
	}
	t.Run("another tool", func(t *testing.T) {
		assert.Equal(t, tools.InvalidArgument, d.refused("list_repos", fmt.Sprintf(`{"limit":2,"cursor":%q}`, cursor)).Code)
	})
	t.Run("a changed grant", func(t *testing.T) {
		d.grantScopes(policy.Definition{Repositories: []string{"api"}})
		assert.NotNil(t, use(`{"repository":"api","limit":2,"cursor":"CURSOR"}`))
		d.grantScopes(scope)
		assert.Nil(t, use(`{"repository":"api","limit":2,"cursor":"CURSOR"}`), "valid until the grant changes")
	})
	t.Run("another caller", func(t *testing.T) {
		scope, err := policy.Compile(definition(up.URL(), scope))
		require.NoError(t, err)
		result := d.toolbox.Run(t.Context(), tools.Request{
			Caller: tools.Caller{Name: "mallory", Grant: policy.NewGrant("mallory", scope)}, Tool: "list_branches",
			Arguments: []byte(fmt.Sprintf(`{"repository":"api","limit":2,"cursor":%q}`, cursor)),
		})
		require.NotNil(t, result.Error)
		assert.Equal(t, tools.InvalidArgument, result.Error.Code)
	})
}
