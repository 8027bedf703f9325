package policy_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

func definition() policy.Definition {
	return policy.Definition{
		Name: "web", Description: "the web team", API: "https://api.bitbucket.org/2.0", Workspace: "acme", Credential: "c1", Version: "1",
		Repositories: list("web-.*"), ExcludeRepositories: list("web-secret"),
		Branches: list("main", "feature/.*"), ExcludeBranches: list("feature/x"),
		Actions: []policy.Action{policy.Read},
	}
}

func TestDefinitionsThatAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*policy.Definition)
		words  string
	}{
		{"no name", func(d *policy.Definition) { d.Name = "" }, "a scope needs a name"},
		{"no provider", func(d *policy.Definition) { d.API = "" }, "needs a provider and a credential"},
		{"no credential", func(d *policy.Definition) { d.Credential = "" }, "needs a provider and a credential"},
		{"no workspace", func(d *policy.Definition) { d.Workspace = "" }, "invalid workspace name: it is empty"},
		{"a workspace that climbs", func(d *policy.Definition) { d.Workspace = ".." }, "invalid workspace name: it is a dot segment"},
		{"a workspace with a slash", func(d *policy.Definition) { d.Workspace = "acme/api" }, "invalid workspace name"},
		{"a workspace by uuid", func(d *policy.Definition) { d.Workspace = "{8f2d1c3e}" }, "invalid workspace name"},
		{"a workspace that folds to ASCII", func(d *policy.Definition) { d.Workspace = "\u212Aube" }, "invalid workspace name"},
		{"no action", func(d *policy.Definition) { d.Actions = nil }, "at least one action: read"},
		{"comment", func(d *policy.Definition) { d.Actions = []policy.Action{"comment"} }, `"comment" has no tool yet; this release knows only "read"`},
		{"propose", func(d *policy.Definition) { d.Actions = []policy.Action{policy.Read, "propose"} }, `"propose" has no tool yet`},
		{"merge", func(d *policy.Definition) { d.Actions = []policy.Action{"merge", policy.Read} }, `"merge" has no tool yet`},
		{"build", func(d *policy.Definition) { d.Actions = []policy.Action{"build"} }, `"build" has no tool yet`},
		{"an unknown action", func(d *policy.Definition) { d.Actions = []policy.Action{"admin"} }, `there is no action "admin"`},
		{"an action in other case", func(d *policy.Definition) { d.Actions = []policy.Action{"Read"} }, `there is no action "Read"`},
		{"an empty action", func(d *policy.Definition) { d.Actions = []policy.Action{policy.NoAction} }, `there is no action ""`},
		{"one bad pattern among good ones", func(d *policy.Definition) { d.Branches = list("main", "(", "dev") }, `pattern "(" in branches`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := definition()
			tt.change(&d)
			scope, err := policy.Compile(d)
			assert.ErrorContains(t, err, tt.words)
			assert.Zero(t, scope, "a scope that does not compile is no scope")
		})
	}
}

// Nobody changes a scope's rules through a slice that they still hold.
func TestAScopeKeepsItsRules(t *testing.T) {
	d := definition()
	d.Repositories = append(make([]string, 0, 8), d.Repositories...)
	scope, err := policy.Compile(d)
	require.NoError(t, err)
	call := policytest.Call(t, scope)
	before := call.Access()
	version := policy.NewGrant("a", scope).Version()

	d.Repositories[0], d.ExcludeRepositories[0], d.Branches[0], d.ExcludeBranches[0], d.Actions[0] = ".*", "x", ".*", "x", "merge"
	call.Access()[0].Actions[0] = "merge"
	call.Workspaces()[0].Scopes()[0] = "other"
	policy.NewGrant("a", scope).Names()[0] = "other"

	assert.Equal(t, before, policytest.Call(t, scope).Access())
	assert.Equal(t, version, policy.NewGrant("a", scope).Version())
	allow(t, policytest.Call(t, scope), "web-shop:main")
	deny(t, policytest.Call(t, scope), "api", "web-secret", "web-shop:dev", "web-shop:feature/x")
	assert.Empty(t, scope.Warnings())
}

// Everything that a scope decides by must be in the version of a grant and of
// an account, or a cache would outlive it. New fields are found by reflection.
func TestEveryFieldChangesTheVersion(t *testing.T) {
	versions := map[string]string{}
	note := func(what string, d policy.Definition) {
		t.Helper()
		scope, err := policy.Compile(d)
		require.NoError(t, err, what)
		workspace := policytest.Workspace(t, scope)
		for _, version := range list(policy.NewGrant("a", scope).Version(), workspace.Account().Version) {
			require.NotEmpty(t, version)
			require.Empty(t, versions[version], "%s does not change the version", what)
			versions[version] = what
		}
	}
	note("nothing", definition())
	fields := reflect.TypeFor[policy.Definition]()
	for i := range fields.NumField() {
		d := definition()
		field := reflect.ValueOf(&d).Elem().Field(i)
		switch {
		case field.Kind() == reflect.String:
			field.SetString(field.String() + "x")
		case fields.Field(i).Name == "Actions":
			d.Actions = []policy.Action{policy.Read, policy.Read}
		default:
			field.Set(reflect.Append(field, reflect.ValueOf("more")))
		}
		note(fields.Field(i).Name, d)
	}
	for what, change := range map[string]func(*policy.Definition){
		"a pattern in another list": func(d *policy.Definition) {
			d.Repositories, d.ExcludeRepositories = d.ExcludeRepositories, d.Repositories
		},
		"two patterns made one":        func(d *policy.Definition) { d.Branches = list("main feature/.*") },
		"two patterns made one by ,":   func(d *policy.Definition) { d.Branches = list(`main","feature/.*`) },
		"two patterns made one by \"":  func(d *policy.Definition) { d.Branches = list(`main" "feature/.*`) },
		"patterns in another order":    func(d *policy.Definition) { d.Branches = list("feature/.*", "main") },
		"no patterns":                  func(d *policy.Definition) { d.Branches = nil },
		"text moved to the next field": func(d *policy.Definition) { d.Name, d.Description = "web the", "web team" },
		"bytes that are no text":       func(d *policy.Definition) { d.Credential = "\xff" },
		"other bytes that are no text": func(d *policy.Definition) { d.Credential = "\xfe" },
	} {
		d := definition()
		change(&d)
		note(what, d)
	}
}

func TestTheSameRulesHaveTheSameVersion(t *testing.T) {
	d := definition()
	a, b := policytest.Scope(t, d), policytest.Scope(t, d)
	assert.Equal(t, policy.NewGrant("a", a).Version(), policy.NewGrant("a", b).Version())
}

func TestAccessTellsTheRulesInWords(t *testing.T) {
	tests := []struct {
		include, exclude []string
		want             string
	}{
		{nil, nil, "all repositories"},
		{list("web"), nil, "repositories whose whole slug matches web"},
		{list("web", "api"), nil, "repositories whose whole slug matches web or api"},
		{nil, list("web", "api"), "all repositories, except those that match web or api"},
		{list("w.*"), list("web"), "repositories whose whole slug matches w.*, except those that match web"},
	}
	for _, tt := range tests {
		scope := policytest.Scope(t, policy.Definition{Repositories: tt.include, ExcludeRepositories: tt.exclude, Branches: list("main")})
		assert.Equal(t, []policy.Access{{
			Scope: "test", Workspace: "acme", Repositories: tt.want,
			Branches: "branches whose whole name matches main", Actions: []policy.Action{policy.Read},
		}}, policytest.Call(t, scope).Access())
	}
}

func TestWarningsNameTheList(t *testing.T) {
	scope := policytest.Scope(t, policy.Definition{
		Repositories: list("api-"), ExcludeRepositories: list("web-"), Branches: list("main", "feature/"), ExcludeBranches: list("release/"),
	})
	var fields []string
	for _, w := range policy.NewGrant("a", scope).Warnings() {
		fields = append(fields, w.Field+" "+w.Pattern)
		assert.NotEmpty(t, w.Words)
	}
	assert.Equal(t, list("repositories api-", "exclude_repositories web-", "branches feature/", "exclude_branches release/"), fields)
}

// Zero values, and what JSON makes of one, allow nothing and do not panic.
func TestZeroValuesAllowNothing(t *testing.T) {
	var scope policy.Scope
	assert.Empty(t, scope.Warnings())
	grant := policy.NewGrant("a", scope, policy.Scope{})
	assert.Empty(t, grant.Names())
	for _, g := range []policy.Grant{{}, grant, policy.NewGrant("a")} {
		call, err := g.Begin(policy.Read, "")
		assert.Nil(t, call)
		var refused *policy.ActionNotGranted
		assert.ErrorAs(t, err, &refused)
		_, err = g.Begin(policy.Read, "test")
		var unknown *policy.UnknownScope
		assert.ErrorAs(t, err, &unknown)
	}

	var call policy.Call
	assert.Empty(t, call.Access())
	assert.Empty(t, call.Workspaces())
	ref, err := policy.ParseReference("api")
	require.NoError(t, err)
	var denied *policy.Denied
	_, err = call.Repositories(ref)
	assert.ErrorAs(t, err, &denied)

	var decoded struct {
		Repo   policy.Repo
		Branch policy.Branch
	}
	require.NoError(t, json.Unmarshal([]byte(`{"Repo":{"repoSlug":"api","repoScopes":[{}]},"Branch":{"branchName":"main","branchScopes":[{}]}}`), &decoded))
	repo, branch := decoded.Repo, decoded.Branch
	var workspace policy.Workspace
	unjudged := policy.UnjudgedWorkspace(policy.Scope{})
	for _, repo := range []policy.Repo{repo, branch.Repo(), {}} {
		assert.False(t, repo.Checked())
		assert.Zero(t, repo.Account())
		assert.Empty(t, repo.Slug())
		assert.Empty(t, repo.Scopes())
		assert.False(t, repo.Is("acme/api"))
		assert.False(t, repo.Is("/"))
		assert.False(t, repo.Unrestricted())
		assert.Empty(t, repo.BranchFilter())
		_, err := repo.Branch("main")
		assert.ErrorAs(t, err, &denied)
		_, ok := repo.Sees("main")
		assert.False(t, ok)
		_, ok = repo.SeesRepository("acme/api")
		assert.False(t, ok)
		assert.NotPanics(t, repo.Use)
	}
	assert.False(t, workspace.Checked())
	assert.False(t, workspace.Unrestricted())
	assert.Zero(t, workspace.Account())
	_, ok := workspace.Sees("acme/api")
	assert.False(t, ok)
	assert.False(t, branch.Checked())
	assert.Empty(t, branch.Name())
	assert.False(t, unjudged.Checked())
	assert.Zero(t, unjudged.Account())
}
