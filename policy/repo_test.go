package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

// malformed are full names that Bitbucket would not return, unless somebody
// sits in between. Each is a row that is left out.
var malformed = []string{
	"", "/", "api", "acme", "acme/", "/api", "acme//api", "acme/api/", "acme/api/x", "acme/.", "acme/..", "../api", "./api", "acme/../api", "acme/a b", "acme/api ", " acme/api",
	"acme/api\n", "acme/\x00", "acme/{8f2d1c3e}", "{8f2d1c3e}/api", "acme/%61pi", "acme/api%00", `acme\api`, "acme/api?x", "acme/api#x", "acme/ap\xff", "acme/ap\ufffd", "acme/\u212Aube", "\u212Aube/api",
	"acme/web\u017Fhop", "acme/ａｐｉ", "acme/api\u200b", "acme/café", "acme:api", "acme/" + strings.Repeat("a", 129), strings.Repeat("a", 129) + "/api",
}

func TestRowsAreJudgedByFullName(t *testing.T) {
	all := policytest.Scope(t, policy.Definition{})
	workspace, repo := policytest.Workspace(t, all), policytest.Repo(t, "api", all)
	for _, fullName := range list("acme/api", "ACME/API", "Acme/Api", "acme/.github", "acme/"+strings.Repeat("a", 128)) {
		seen, ok := workspace.Sees(fullName)
		require.True(t, ok, fullName)
		_, slug, _ := strings.Cut(strings.ToLower(fullName), "/")
		assert.Equal(t, slug, seen.Slug())
		assert.Equal(t, "acme/"+slug, seen.FullName())
	}
	for _, fullName := range append(list("globex/api", "acm/api", "acmes/api"), malformed...) {
		seen, ok := workspace.Sees(fullName)
		assert.False(t, ok, "%q", fullName)
		assert.Zero(t, seen, "%q", fullName)
		seen, ok = repo.SeesRepository(fullName)
		assert.False(t, ok, "%q", fullName)
		assert.Zero(t, seen, "%q", fullName)
		assert.False(t, repo.Is(fullName), "%q", fullName)
	}
}

func TestIs(t *testing.T) {
	repo := policytest.Repo(t, "API")
	for _, fullName := range list("acme/api", "ACME/Api") {
		assert.True(t, repo.Is(fullName), fullName)
	}
	for _, fullName := range list("acme/api2", "globex/api", "acme/web", "api") {
		assert.False(t, repo.Is(fullName), fullName)
	}
}

// After a rename Bitbucket returns another repository than was asked for. Of
// the scopes that allowed the old name those stay that allow the new one too;
// one that allows the new name only never comes in.
func TestARenameOnlyLosesScopes(t *testing.T) {
	call := policytest.Call(t,
		policytest.Scope(t, policy.Definition{Name: "both", Repositories: list("old", "new"), Branches: list("main")}),
		policytest.Scope(t, policy.Definition{Name: "new-only", Repositories: list("new")}),
		policytest.Scope(t, policy.Definition{Name: "old-only", Repositories: list("old")}),
	)
	repos, err := call.Repositories(reference(t, "old"))
	require.NoError(t, err)
	require.Equal(t, [][]string{{"both", "old-only"}}, scopesOfEach(repos))
	returned, ok := repos[0].SeesRepository("acme/new")
	require.True(t, ok)
	assert.Equal(t, list("both"), returned.Scopes())
	assert.Equal(t, "new", returned.Slug())
	assert.NotEqual(t, repos[0].Account().Version, returned.Account().Version)
	_, ok = returned.Sees("dev")
	assert.False(t, ok, "new-only would allow it")
	back, ok := returned.SeesRepository("acme/old")
	require.True(t, ok)
	assert.Equal(t, list("both"), back.Scopes(), "what is lost does not come back")
	_, ok = repos[0].SeesRepository("acme/other")
	assert.False(t, ok)
}

// A fork's parent is seen with the scopes and the credential of the fork, or
// not at all.
func TestAParentElsewhereIsHidden(t *testing.T) {
	fork := policytest.Scope(t, policy.Definition{Name: "fork", Workspace: "mallory", Repositories: list("api")})
	parent := policytest.Scope(t, policy.Definition{Name: "parent", Workspace: "acme"})
	repos, err := policytest.Call(t, fork, parent).Repositories(reference(t, "mallory/api"))
	require.NoError(t, err)
	_, ok := repos[0].SeesRepository("acme/api")
	assert.False(t, ok)
}

func TestABranchesRepositoryKeepsTheBranchesScopes(t *testing.T) {
	a := policytest.Scope(t, policy.Definition{Name: "a", Branches: list("main", "dev")})
	b := policytest.Scope(t, policy.Definition{Name: "b", Branches: list("main")})
	branch := policytest.Branch(t, "api", "dev", a, b)
	assert.Equal(t, list("a"), branch.Repo().Scopes())
	assert.Equal(t, "api", branch.Repo().Slug())
	assert.Equal(t, policytest.Repo(t, "api", a).Account(), branch.Repo().Account())
	both := policytest.Branch(t, "api", "main", a, b)
	assert.Equal(t, list("a", "b"), both.Repo().Scopes())
	again, ok := branch.Repo().Sees("main")
	require.True(t, ok)
	assert.Equal(t, list("a"), again.Repo().Scopes(), "b does not come back")
}

func TestWithoutOnlyLosesScopes(t *testing.T) {
	a := policytest.Scope(t, policy.Definition{Name: "a", Branches: list("main", "dev")})
	b := policytest.Scope(t, policy.Definition{Name: "b", Branches: list("main")})
	both := policytest.Branch(t, "api", "main", a, b).Repo()
	onlyA := policytest.Branch(t, "api", "dev", a, b).Repo()
	assert.Equal(t, list("b"), both.Without(onlyA).Scopes())
	assert.Equal(t, list("a", "b"), both.Scopes(), "it stays as it is")
	none := onlyA.Without(both)
	assert.False(t, none.Checked())
	_, sees := none.Sees("main")
	assert.False(t, sees, "b does not come in")
}

// A refused name leaves nothing behind that could be used.
func TestWhatIsRefusedIsZero(t *testing.T) {
	repo := policytest.Repo(t, "api", policytest.Scope(t, branches("main")))
	for _, name := range list("dev", "a..b", "") {
		row, ok := repo.Sees(name)
		assert.False(t, ok)
		assert.Zero(t, row)
		branch, err := repo.Branch(name)
		assert.Error(t, err)
		assert.Zero(t, branch)
	}
}

// Only where nothing is hidden may a caller's text become part of a request.
func TestUnrestricted(t *testing.T) {
	tests := []struct {
		name   string
		scopes []policy.Definition
		want   bool
	}{
		{"no patterns", []policy.Definition{{}}, true},
		{"a repository pattern", []policy.Definition{{Repositories: list(".*")}}, false},
		{"a repository that is excluded", []policy.Definition{{ExcludeRepositories: list("x")}}, false},
		{"a branch pattern", []policy.Definition{{Branches: list(".*")}}, false},
		{"a branch that is excluded", []policy.Definition{{ExcludeBranches: list("x")}}, false},
		{"two halves are no whole", []policy.Definition{{Name: "a", Repositories: list(".*")}, {Name: "b", Branches: list(".*")}}, false},
		{"one of two", []policy.Definition{{Name: "a", Repositories: list(".*")}, {Name: "b"}}, true},
	}
	for _, tt := range tests {
		var scopes []policy.Scope
		for _, d := range tt.scopes {
			scopes = append(scopes, policytest.Scope(t, d))
		}
		assert.Equal(t, tt.want, policytest.Workspace(t, scopes...).Unrestricted(), tt.name)
		assert.Equal(t, tt.want, policytest.Repo(t, "api", scopes...).Unrestricted(), tt.name)
	}
	unrestricted := policytest.Scope(t, policy.Definition{Name: "all", Credential: "c2"})
	patterned := policytest.Scope(t, policy.Definition{Name: "some", Repositories: list("api")})
	for _, w := range policytest.Call(t, unrestricted, patterned).Workspaces() {
		assert.Equal(t, w.Scopes()[0] == "all", w.Unrestricted(), "of this credential's scopes only")
	}
}

// A filter saves requests and must never hide what the scopes allow: one scope
// without patterns asks for all.
func TestFiltersAreOfAllScopes(t *testing.T) {
	web := policytest.Scope(t, policy.Definition{Name: "web", Repositories: list("web-.*"), Branches: list("feature/.*")})
	api := policytest.Scope(t, policy.Definition{Name: "api", Repositories: list("api-.*"), Branches: list("release/.*")})
	all := policytest.Scope(t, policy.Definition{Name: "all"})
	excluding := policytest.Scope(t, policy.Definition{Name: "excluding", ExcludeRepositories: list("web-x"), ExcludeBranches: list("main")})
	assert.Equal(t, `slug ~ "web-"`, policytest.Workspace(t, web).Filter())
	for _, text := range list("web-", "api-") {
		assert.Contains(t, policytest.Workspace(t, web, api).Filter(), text)
	}
	assert.Empty(t, policytest.Workspace(t, web, all).Filter())
	assert.Empty(t, policytest.Workspace(t, all, web).Filter())
	last := policytest.Scope(t, policy.Definition{Name: "z"})
	assert.Empty(t, policytest.Workspace(t, web, last).Filter(), "wherever it stands")
	assert.Empty(t, policytest.Repo(t, "web-a", web, last).BranchFilter())
	assert.Empty(t, policytest.Workspace(t, excluding).Filter())
	assert.Equal(t, `name ~ "feature/"`, policytest.Repo(t, "web-x", web, api).BranchFilter(), "api does not allow the repository")
	assert.Empty(t, policytest.Repo(t, "web-a", web, excluding).BranchFilter())
}

func TestUnjudgedHasTheScopesAccount(t *testing.T) {
	scope := policytest.Scope(t, policy.Definition{Repositories: list("api")})
	unjudged := policy.UnjudgedWorkspace(scope)
	assert.True(t, unjudged.Checked())
	want := policytest.Workspace(t, scope).Account()
	want.Caller = "preview"
	assert.Equal(t, want, unjudged.Account())
}
