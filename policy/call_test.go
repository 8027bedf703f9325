package policy_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

func reference(t *testing.T, text string) policy.Reference {
	t.Helper()
	ref, err := policy.ParseReference(text)
	require.NoError(t, err)
	return ref
}

// groupCall holds scopes of two workspaces, two credentials and two addresses,
// given out of order.
func groupCall(t *testing.T) *policy.Call {
	t.Helper()
	const other = "https://api.example.com/2.0"
	return policytest.Call(t,
		policytest.Scope(t, policy.Definition{Name: "f", API: other}),
		policytest.Scope(t, policy.Definition{Name: "e", Workspace: "ACME", Repositories: list("web")}),
		policytest.Scope(t, policy.Definition{Name: "d", Credential: "c2", Repositories: list("api", "web")}),
		policytest.Scope(t, policy.Definition{Name: "c", Workspace: "globex", Credential: "c3"}),
		policytest.Scope(t, policy.Definition{Name: "b", Repositories: list("docs", "api")}),
		policytest.Scope(t, policy.Definition{Name: "a", Credential: "c2", Repositories: list("web")}),
	)
}

func scopesOfEach[T interface{ Scopes() []string }](values []T) [][]string {
	var all [][]string
	for _, v := range values {
		all = append(all, v.Scopes())
	}
	return all
}

func TestWorkspacesAreOneForEachAccountInNameOrder(t *testing.T) {
	workspaces := groupCall(t).Workspaces()
	assert.Equal(t, [][]string{{"a", "d"}, {"b", "e"}, {"c"}, {"f"}}, scopesOfEach(workspaces))
	assert.Equal(t, "acme", workspaces[0].Name())
	account := workspaces[0].Account()
	assert.Equal(t, "c2", account.Credential)
	assert.Equal(t, policytest.Caller, account.Caller)
	assert.Equal(t, "https://api.example.com/2.0", workspaces[3].Account().API)
}

func TestRepositoriesAreOneForEachAccountInNameOrder(t *testing.T) {
	tests := []struct {
		name string
		want [][]string
	}{
		{"api", [][]string{{"b"}, {"c"}, {"d"}, {"f"}}},
		{"web", [][]string{{"a", "d"}, {"c"}, {"e"}, {"f"}}},
		{"docs", [][]string{{"b"}, {"c"}, {"f"}}},
		{"other", [][]string{{"c"}, {"f"}}},
		{"acme/api", [][]string{{"b"}, {"d"}, {"f"}}},
		{"ACME/API", [][]string{{"b"}, {"d"}, {"f"}}},
		{"globex/api", [][]string{{"c"}}},
	}
	for _, tt := range tests {
		repos, err := groupCall(t).Repositories(reference(t, tt.name))
		require.NoError(t, err, tt.name)
		assert.Equal(t, tt.want, scopesOfEach(repos), tt.name)
	}
}

// The version of an account is that of its own scopes, no more and no fewer:
// what was cached with one set of scopes never answers for another.
func TestAnAccountsVersionIsOfItsScopes(t *testing.T) {
	a := policytest.Scope(t, policy.Definition{Name: "a", Repositories: list("api")})
	b := policytest.Scope(t, policy.Definition{Name: "b", Repositories: list("api", "web")})
	both := policytest.Repo(t, "api", a, b).Account()
	onlyB := policytest.Repo(t, "web", a, b).Account()
	assert.NotEqual(t, both.Version, onlyB.Version)
	assert.Equal(t, policytest.Repo(t, "web", b).Account(), onlyB)
	assert.Equal(t, both, policytest.Workspace(t, a, b).Account())
	c := policytest.Scope(t, policy.Definition{Name: "c", Repositories: list("api")})
	assert.NotEqual(t, both.Version, policytest.Repo(t, "api", a, c).Account().Version, "of each of them")
}

func TestWorkspacesFor(t *testing.T) {
	call := groupCall(t)
	tests := []struct {
		name string
		want [][]string
	}{
		{"Foo Bar", [][]string{{"a", "d"}, {"b", "e"}, {"c"}, {"f"}}},
		{"acme/Foo Bar", [][]string{{"a", "d"}, {"b", "e"}, {"f"}}},
		{"GLOBEX/x", [][]string{{"c"}}},
	}
	for _, tt := range tests {
		workspaces, err := call.WorkspacesFor(reference(t, tt.name))
		require.NoError(t, err, tt.name)
		assert.Equal(t, tt.want, scopesOfEach(workspaces), tt.name)
	}
	workspaces, err := call.WorkspacesFor(reference(t, "initech/api"))
	assert.Empty(t, workspaces)
	assert.Equal(t, &policy.Denied{Reason: "no scope for that workspace"}, err)
}

func TestTrail(t *testing.T) {
	ab := func() *policy.Call { return policytest.Call(t, named(t, "b", "a")...) }
	t.Run("nothing happened", func(t *testing.T) {
		assert.Equal(t, policy.Trail{Scopes: list("a", "b")}, ab().Trail())
	})
	t.Run("a repository was looked at and used", func(t *testing.T) {
		call := ab()
		repos, err := call.Repositories(reference(t, "acme/B"))
		require.NoError(t, err)
		assert.Equal(t, policy.Trail{Target: "acme/B", Scopes: list("a", "b")}, call.Trail(), "as the caller wrote it; looking uses nothing")
		repos[0].Use()
		repos[0].Use()
		assert.Equal(t, policy.Trail{Target: "acme/B", Scopes: list("b")}, call.Trail())
	})
	t.Run("a row uses its scopes", func(t *testing.T) {
		call := ab()
		repo, ok := call.Workspaces()[0].Sees("acme/a")
		require.True(t, ok)
		repo.Use()
		assert.Equal(t, policy.Trail{Scopes: list("a")}, call.Trail())
	})
	t.Run("a repository was refused", func(t *testing.T) {
		call := ab()
		_, err := call.Repositories(reference(t, "c"))
		reason := `repository "c" is allowed by none of the scopes "a", "b"`
		assert.Equal(t, &policy.Denied{Reason: reason}, err)
		assert.EqualError(t, err, "out of scope: "+reason)
		assert.Equal(t, policy.Trail{Target: "c", Scopes: list("a", "b"), Refusal: reason}, call.Trail())
	})
	t.Run("a workspace was refused", func(t *testing.T) {
		call := ab()
		_, err := call.Repositories(reference(t, "globex/Foo Bar"))
		require.Error(t, err)
		assert.Equal(t, policy.Trail{Target: "globex/Foo Bar", Scopes: list("a", "b"), Refusal: "no scope for that workspace"}, call.Trail())
	})
	t.Run("a branch was refused", func(t *testing.T) {
		call := policytest.Call(t, policytest.Scope(t, branches("main")))
		repos, err := call.Repositories(reference(t, "api"))
		require.NoError(t, err)
		_, err = repos[0].Branch("dev")
		reason := `branch "dev" of api is allowed by none of the scopes "test"`
		assert.Equal(t, &policy.Denied{Reason: reason}, err)
		assert.Equal(t, policy.Trail{Target: "acme/api:dev", Scopes: list("test"), Refusal: reason}, call.Trail())
	})
	t.Run("a refusal stays", func(t *testing.T) {
		call := ab()
		_, err := call.Repositories(reference(t, "c"))
		require.Error(t, err)
		repos, err := call.Repositories(reference(t, "a"))
		require.NoError(t, err)
		repos[0].Use()
		assert.NotEmpty(t, call.Trail().Refusal)
	})
	t.Run("rows that are left out refuse nothing", func(t *testing.T) {
		call := ab()
		_, ok := call.Workspaces()[0].Sees("acme/secret")
		require.False(t, ok)
		assert.Equal(t, policy.Trail{Scopes: list("a", "b")}, call.Trail())
	})
}

// A call's checks may run side by side; the race detector watches this one.
func TestACallIsSafeSideBySide(t *testing.T) {
	call := groupCall(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, name := range list("api", "web", "acme/none", "docs") {
				ref, err := policy.ParseReference(name)
				assert.NoError(t, err)
				repos, _ := call.Repositories(ref)
				for _, repo := range repos {
					repo.Use()
					_, err := repo.Branch("main")
					assert.NoError(t, err)
				}
				call.Trail()
			}
		})
	}
	all.Wait()
	assert.Equal(t, list("a", "b", "c", "d", "e", "f"), call.Trail().Scopes)
}
