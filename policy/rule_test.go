package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

// A target is a repository ("api", "globex/api") or a branch of one
// ("api:main").
type target = string

func split(target target) (repository, branch string) {
	repository, branch, _ = strings.Cut(target, ":")
	return repository, branch
}

// reached returns the scopes by which a call reaches a target, in name order
// of the checked values. A name has three ways in: from a caller, as a row of
// a list, and as what Bitbucket returned. They must agree, so that it asks all
// three.
func reached(t *testing.T, call *policy.Call, target target) []string {
	t.Helper()
	name, branch := split(target)
	ref, err := policy.ParseReference(name)
	require.NoError(t, err, target)
	var byName, byRow, byReturn []string
	repos, err := call.Repositories(ref)
	var denied *policy.Denied
	require.Equal(t, err == nil, len(repos) > 0, target)
	if err != nil {
		require.ErrorAs(t, err, &denied, target)
	}
	for _, repo := range repos {
		byName = append(byName, scopesOf(t, repo, branch)...)
		returned, ok := repo.SeesRepository(repo.FullName())
		require.True(t, ok, target)
		byReturn = append(byReturn, scopesOf(t, returned, branch)...)
	}
	workspaces, err := call.WorkspacesFor(ref)
	require.True(t, err == nil || len(repos) == 0, target)
	for _, w := range workspaces {
		slug := strings.ReplaceAll(name[strings.Index(name, "/")+1:], " ", "-")
		if repo, ok := w.Sees(w.Name() + "/" + slug); ok {
			byRow = append(byRow, scopesOf(t, repo, branch)...)
		}
	}
	require.ElementsMatch(t, byName, byRow, "%s as a row", target)
	require.Equal(t, byName, byReturn, "%s as returned", target)
	return byName
}

func scopesOf(t *testing.T, repo policy.Repo, branch string) []string {
	t.Helper()
	if branch == "" {
		return repo.Scopes()
	}
	checked, err := repo.Branch(branch)
	seen, ok := repo.Sees(branch)
	require.Equal(t, err == nil, ok, "branch %s", branch)
	require.Equal(t, checked.Repo().Scopes(), seen.Repo().Scopes(), "branch %s", branch)
	return checked.Repo().Scopes()
}

func allow(t *testing.T, call *policy.Call, targets ...target) {
	t.Helper()
	for _, target := range targets {
		assert.NotEmpty(t, reached(t, call, target), "%s must be allowed", target)
	}
}

func deny(t *testing.T, call *policy.Call, targets ...target) {
	t.Helper()
	for _, target := range targets {
		assert.Empty(t, reached(t, call, target), "%s must be denied", target)
	}
}

func list(texts ...string) []string { return texts }

func repositories(patterns ...string) policy.Definition {
	return policy.Definition{Repositories: patterns}
}

func branches(patterns ...string) policy.Definition { return policy.Definition{Branches: patterns} }

func TestOneScope(t *testing.T) {
	tests := []struct {
		name        string
		scope       policy.Definition
		allow, deny []target
	}{
		{"a pattern matches the whole slug", repositories("web"),
			list("web"), list("web-secret", "my-web", "we", "webb")},
		{"a pattern matches the whole branch name", branches("main"),
			list("api:main"), list("api:maintenance", "api:not-main", "api:feature/main", "api:main/x")},
		{"anchors are allowed and redundant", branches("^main$", `\Adev\z`),
			list("api:main", "api:dev"), list("api:main2", "api:2main", "api:devel")},
		{"anchors inside an alternation do not open it", branches("^main|release$"),
			list("api:main", "api:release"), list("api:main-secret", "api:secret-release")},
		{"an alternation is bound as a whole", repositories("api|web"),
			list("api", "web"), list("api-secret", "my-web", "my-api", "web2")},
		{"alternatives are tried for the whole name", repositories("a|ab|abc"),
			list("a", "ab", "abc"), list("abcd", "b")},
		{"a lazy repeat still takes the whole name", repositories("web-.*?"),
			list("web-", "web-shop"), list("web")},
		{"a prefix needs .*", branches("feature/"),
			list(), list("api:feature/x")},
		{"a pattern is case-sensitive", branches("main"),
			list("api:main"), list("api:Main", "api:MAIN")},
		{"unless it says (?i)", branches("(?i)main"),
			list("api:main", "api:Main", "api:MAIN"), list("api:MAINTENANCE")},
		{"(?i) ends with its group", branches("(?i:re)lease"),
			list("api:RElease", "api:release"), list("api:RELEASE")},
		{"a repository pattern meets the lower-case slug", repositories("Web"),
			list(), list("web", "Web")},
		{"every spelling of a slug gets the same answer", repositories("web"),
			list("web", "Web", "WEB", "acme/web", "ACME/Web"), list("API", "acme/API")},
		{"a repository pattern does not meet the workspace", repositories("acme/web"),
			list(), list("web", "acme/web")},
		{"a dot is any character", branches("rel.1"),
			list("api:rel.1", "api:rel/1"), list("api:rel1")},
		{"a list is any of", repositories("web", "api"),
			list("web", "api"), list("docs", "webapi")},
		{"an empty list means all", policy.Definition{},
			list("web", "api", "x", "api:main", "api:feature/x"), list()},
		{"an empty list, not nil, means all too", policy.Definition{Repositories: []string{}, Branches: []string{}},
			list("web", "api:main"), list()},
		{"an exclude list wins over its include list", policy.Definition{Repositories: list("web-.*"), ExcludeRepositories: list(".*-secret")},
			list("web-shop"), list("web-secret", "api-secret", "api")},
		{"an exclude list takes from all", policy.Definition{ExcludeBranches: list("secret/.*", "main")},
			list("api:dev"), list("api:main", "api:secret/y")},
		{"an exclude pattern matches the whole name too", policy.Definition{ExcludeBranches: list("secret")},
			list("api:secret/y", "api:my-secret"), list("api:secret")},
		{"excluding what is included leaves nothing", policy.Definition{Repositories: list("web"), ExcludeRepositories: list("(?i)WEB")},
			list(), list("web")},
		{"a branch needs its repository", policy.Definition{Repositories: list("api"), Branches: list("main")},
			list("api", "api:main"), list("web", "web:main", "api:dev")},
		{"another workspace is no target", repositories(".*"),
			list("acme/api"), list("globex/api", "acm/api", "acmee/api")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			call := policytest.Call(t, policytest.Scope(t, tt.scope))
			allow(t, call, tt.allow...)
			deny(t, call, tt.deny...)
		})
	}
}

// Two scopes that each match one half must never add up to a yes.
func TestOneScopeMustAllowRepositoryAndBranch(t *testing.T) {
	call := policytest.Call(t,
		policytest.Scope(t, policy.Definition{Name: "code", Repositories: list("api"), Branches: list("main")}),
		policytest.Scope(t, policy.Definition{Name: "docs", Repositories: list("docs"), Branches: list("draft")}),
		policytest.Scope(t, policy.Definition{Name: "elsewhere", Workspace: "globex", Branches: list(".*")}),
		policytest.Scope(t, policy.Definition{Name: "other-key", Credential: "c2", Repositories: list("api"), Branches: list("dev")}),
	)
	allow(t, call, "acme/api:main", "acme/docs:draft", "acme/api:dev", "globex/api:draft")
	deny(t, call, "acme/api:draft", "acme/docs:main", "acme/docs:dev", "acme/web:main")
	assert.Equal(t, list("code"), reached(t, call, "acme/api:main"))
	assert.Equal(t, list("other-key"), reached(t, call, "acme/api:dev"))
}

// What an exclude list takes away in one scope, another scope may still give:
// each scope is judged by itself.
func TestAnExcludeListIsOfItsScopeOnly(t *testing.T) {
	call := policytest.Call(t,
		policytest.Scope(t, policy.Definition{Name: "all-but-web", ExcludeRepositories: list("web")}),
		policytest.Scope(t, policy.Definition{Name: "web", Repositories: list("web"), Branches: list("main")}),
	)
	assert.Equal(t, list("web"), reached(t, call, "web:main"))
	deny(t, call, "web:dev")
	assert.Equal(t, list("all-but-web"), reached(t, call, "api:dev"))
}

func TestTheAnswerDoesNotDependOnTheOrderOfPatterns(t *testing.T) {
	patterns := []string{"web-.*", "api", ".*-docs", "[a-m]+"}
	excludes := []string{"web-x", ".*secret.*", "[0-9]+"}
	names := list("web-x", "web-y", "api", "a-docs", "abc", "web-secret", "7", "zzz")
	first := verdicts(t, patterns, excludes, names)
	for range len(patterns) {
		patterns = append(patterns[1:len(patterns):len(patterns)], patterns[0])
		for range len(excludes) {
			excludes = append(excludes[1:len(excludes):len(excludes)], excludes[0])
			assert.Equal(t, first, verdicts(t, patterns, excludes, names))
		}
	}
	assert.Equal(t, "[false true true true true false false false]", first)
}

func verdicts(t *testing.T, include, exclude, names []string) string {
	t.Helper()
	scope := policytest.Scope(t, policy.Definition{Repositories: include, ExcludeRepositories: exclude})
	all := make([]bool, len(names))
	for i, name := range names {
		all[i], _ = scope.AllowsRepository("acme/" + name)
	}
	return fmt.Sprint(all)
}

func TestThePreviewSaysWhy(t *testing.T) {
	scope := policytest.Scope(t, policy.Definition{Repositories: list("api", "web-.*"), ExcludeRepositories: list(".*-old")})
	tests := []struct {
		scope    policy.Scope
		fullName string
		allowed  bool
		why      string
	}{
		{scope, "acme/api", true, "matches api"},
		{scope, "ACME/Web-Shop", true, "matches web-.*"},
		{scope, "acme/web-old", false, "excluded by .*-old"},
		{scope, "acme/docs", false, "matches no pattern"},
		{scope, "globex/api", false, "it is in another workspace"},
		{scope, "acme/a b", false, "the name is no slug"},
		{scope, "api", false, "the name is no slug"},
		{policytest.Scope(t, policy.Definition{}), "acme/api", true, "no pattern excludes it"},
		{policy.Scope{}, "acme/api", false, "the scope is disabled"},
	}
	for _, tt := range tests {
		allowed, why := tt.scope.AllowsRepository(tt.fullName)
		assert.Equal(t, tt.allowed, allowed, tt.fullName)
		assert.Equal(t, tt.why, why, tt.fullName)
	}
}

// The preview counts with the rules that the agent meets, or its numbers lie.
func TestThePreviewAgreesWithTheCheck(t *testing.T) {
	scope := policytest.Scope(t, policy.Definition{Repositories: list("a.*"), ExcludeRepositories: list("ab")})
	workspace := policytest.Workspace(t, scope)
	for _, fullName := range list("acme/a", "acme/ab", "Acme/ABC", "globex/a", "acme/b", "acme/a/b", "acme/..", "a", "", "acme/{a}") {
		allowed, _ := scope.AllowsRepository(fullName)
		_, sees := workspace.Sees(fullName)
		assert.Equal(t, allowed, sees, fullName)
	}
}
