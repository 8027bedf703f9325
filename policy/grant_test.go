package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

func named(t *testing.T, names ...string) []policy.Scope {
	t.Helper()
	scopes := make([]policy.Scope, len(names))
	for i, name := range names {
		scopes[i] = policytest.Scope(t, policy.Definition{Name: name, Repositories: list(name)})
	}
	return scopes
}

func TestAGrantHoldsItsScopesInNameOrder(t *testing.T) {
	grant := policy.NewGrant("ci", named(t, "b", "a", "c")...)
	assert.Equal(t, "ci", grant.Caller())
	assert.Equal(t, list("a", "b", "c"), grant.Names())
	call, err := grant.Begin(policy.Read, "")
	require.NoError(t, err)
	var names []string
	for _, access := range call.Access() {
		names = append(names, access.Scope)
	}
	assert.Equal(t, list("a", "b", "c"), names)
}

func TestAGrantsVersion(t *testing.T) {
	version := func(names ...string) string { return policy.NewGrant("ci", named(t, names...)...).Version() }
	assert.Equal(t, version("a", "b"), version("b", "a"), "order does not matter")
	assert.NotEqual(t, version("a"), version("a", "b"), "a scope more")
	assert.NotEqual(t, version("a"), version(), "no scope")
	assert.NotEqual(t, version("a", "b"), version("a", "c"), "another scope")
	assert.Equal(t, version("a"), policy.NewGrant("ci", append(named(t, "a"), policy.Scope{})...).Version(), "a disabled scope is not held")
	assert.Len(t, version("a"), 16)
}

func TestBegin(t *testing.T) {
	grant := policy.NewGrant("ci", named(t, "a", "b")...)
	t.Run("the scope that it names is the only one", func(t *testing.T) {
		call, err := grant.Begin(policy.Read, "a")
		require.NoError(t, err)
		allow(t, call, "a")
		deny(t, call, "b")
		assert.Len(t, call.Access(), 1)
		again, err := grant.Begin(policy.Read, "")
		require.NoError(t, err)
		allow(t, again, "a", "b")
	})
	t.Run("a scope that is not held reads like one that does not exist", func(t *testing.T) {
		for _, name := range list("c", "A", "a ", "*") {
			call, err := grant.Begin(policy.Read, name)
			assert.Nil(t, call)
			assert.Equal(t, &policy.UnknownScope{Held: list("a", "b")}, err)
			assert.EqualError(t, err, "the caller does not hold that scope")
		}
	})
	t.Run("an action that no scope allows", func(t *testing.T) {
		for _, action := range []policy.Action{"comment", "propose", "merge", "build", "READ", "*"} {
			call, err := grant.Begin(action, "b")
			assert.Nil(t, call)
			assert.Equal(t, &policy.ActionNotGranted{Action: action, Held: list("b")}, err)
		}
		_, err := grant.Begin("merge", "")
		assert.EqualError(t, err, `no scope of the caller allows the action "merge"`)
	})
	t.Run("without an action nothing is reached", func(t *testing.T) {
		call, err := grant.Begin(policy.NoAction, "")
		require.NoError(t, err)
		assert.Len(t, call.Access(), 2)
		assert.Empty(t, call.Workspaces())
		deny(t, call, "a", "b")
	})
	t.Run("who holds nothing may still ask for its rules", func(t *testing.T) {
		call, err := policy.NewGrant("ci").Begin(policy.NoAction, "")
		require.NoError(t, err)
		assert.Empty(t, call.Access())
	})
}
