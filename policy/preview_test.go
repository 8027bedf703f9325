package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
)

func previewed(t *testing.T) policy.Scope {
	t.Helper()
	scope, err := policy.Compile(policy.Definition{
		Name: "team", API: "https://api.bitbucket.org/2.0", Workspace: "acme", Credential: "key",
		Repositories: []string{"web-.*", "api"}, ExcludeRepositories: []string{".*-secret"},
		Branches: []string{"main", "feature/.*"}, ExcludeBranches: []string{"feature/secret.*"}, Actions: []policy.Action{policy.Read},
	})
	require.NoError(t, err)
	return scope
}

// What a preview says of a name is what an agent meets, and the pattern that it
// names is the one that decides.
func TestAPreviewOfARepository(t *testing.T) {
	scope := previewed(t)
	for _, row := range []struct {
		name          string
		allowed       bool
		list, pattern string
	}{
		{"acme/web-x", true, "repositories", "web-.*"},
		{"acme/api", true, "repositories", "api"},
		{"acme/API", true, "repositories", "api"}, // a slug is lower-cased before it is judged
		{"acme/web-secret", false, "exclude_repositories", ".*-secret"},
		{"acme/other-secret", false, "exclude_repositories", ".*-secret"},
		{"acme/other", false, "", ""},
		{"mallory/api", false, "", ""},
		{"api", false, "", ""},
		{"acme/api/x", false, "", ""},
		{"acme/..", false, "", ""},
		{"acme/", false, "", ""},
	} {
		allowed, why := scope.AllowsRepository(row.name)
		assert.Equal(t, row.allowed, allowed, row.name)
		assert.NotEmpty(t, why, row.name)
		list, pattern := scope.RepositoryDecider(row.name)
		assert.Equal(t, row.list, list, row.name)
		assert.Equal(t, row.pattern, pattern, row.name)
	}
}

func TestAPreviewOfABranch(t *testing.T) {
	scope := previewed(t)
	for _, row := range []struct {
		name          string
		allowed       bool
		list, pattern string
	}{
		{"main", true, "branches", "main"},
		{"feature/x", true, "branches", "feature/.*"},
		{"feature/secret", false, "exclude_branches", "feature/secret.*"},
		{"Main", false, "", ""},
		{"dev", false, "", ""},
		{"refs/heads/main", false, "", ""},
		{"feature/x~1", false, "", ""}, // matches, and is no branch name
		{"feature/a..b", false, "", ""},
		{"", false, "", ""},
	} {
		allowed, why := scope.AllowsBranch(row.name)
		assert.Equal(t, row.allowed, allowed, row.name)
		assert.NotEmpty(t, why, row.name)
		list, pattern := scope.BranchDecider(row.name)
		assert.Equal(t, row.list, list, row.name)
		assert.Equal(t, row.pattern, pattern, row.name)
	}
}

func TestAPreviewOfAnAction(t *testing.T) {
	scope := previewed(t)
	assert.True(t, scope.AllowsAction(policy.Read))
	assert.False(t, scope.AllowsAction("merge"))
	assert.False(t, scope.AllowsAction(""))
}

// Lists that are empty allow all, and no pattern decides.
func TestAPreviewOfAScopeWithoutPatterns(t *testing.T) {
	scope, err := policy.Compile(policy.Definition{Name: "all", API: "https://api.bitbucket.org/2.0", Workspace: "acme", Credential: "key", Actions: []policy.Action{policy.Read}})
	require.NoError(t, err)
	allowed, _ := scope.AllowsRepository("acme/any")
	assert.True(t, allowed)
	list, pattern := scope.RepositoryDecider("acme/any")
	assert.Empty(t, list+pattern)
	allowed, _ = scope.AllowsBranch("any")
	assert.True(t, allowed)
	list, pattern = scope.BranchDecider("any")
	assert.Empty(t, list+pattern)
}

// The zero scope allows nothing, and has no patterns.
func TestAPreviewOfTheZeroScope(t *testing.T) {
	var zero policy.Scope
	allowed, why := zero.AllowsRepository("acme/api")
	assert.False(t, allowed)
	assert.Equal(t, "the scope is disabled", why)
	allowed, why = zero.AllowsBranch("main")
	assert.False(t, allowed)
	assert.Equal(t, "the scope is disabled", why)
	assert.False(t, zero.AllowsAction(policy.Read))
	list, pattern := zero.RepositoryDecider("acme/api")
	assert.Empty(t, list+pattern)
	list, pattern = zero.BranchDecider("main")
	assert.Empty(t, list+pattern)
	assert.False(t, policy.UnjudgedWorkspace(zero).Checked())
}
