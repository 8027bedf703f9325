package manage

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/internal/secret"
	"bucketgate/policy"
)

func clientFor(up *bitbuckettest.Server) *bitbucket.Client {
	return bitbucket.New(bitbucket.Config{
		Credential: func(context.Context, string) (bitbucket.Credential, error) {
			return bitbucket.Credential{API: up.URL(), Username: "me@example.com", APIKey: secret.NewText("token")}, nil
		},
		AllowAddress: func(string) bool { return true },
	})
}

func scopeOn(t *testing.T, up *bitbuckettest.Server, patterns ...string) policy.Scope {
	t.Helper()
	scope, err := policy.Compile(policy.Definition{
		Name: "test", API: up.URL(), Workspace: "acme", Credential: "key", Repositories: patterns, Actions: []policy.Action{policy.Read},
	})
	require.NoError(t, err)
	return scope
}

func TestPreviewCountsWhatAScopeHides(t *testing.T) {
	up := bitbuckettest.Serve(t, sample.Demo(sample.Options{Accounts: []sample.Account{{Name: "Jane", Username: "me@example.com", Token: "token"}}}))
	for _, row := range []struct {
		patterns []string
		summary  string
	}{
		{[]string{"^duplocloud-.*"}, "7 of 61 repositories match: duplocloud-agent, duplocloud-api, duplocloud-docs, duplocloud-helm, duplocloud-portal, duplocloud-sdk, duplocloud-terraform"},
		{[]string{"duplocloud"}, "1 of 61 repositories match: duplocloud"},
		{[]string{"^nothing$"}, "0 of 61 repositories match"},
	} {
		preview, err := PreviewScope(t.Context(), clientFor(up), scopeOn(t, up, row.patterns...))
		require.NoError(t, err)
		assert.Equal(t, row.summary, preview.Summary())
	}
	all, err := PreviewScope(t.Context(), clientFor(up), scopeOn(t, up))
	require.NoError(t, err)
	assert.Equal(t, 61, all.Matched)
	assert.Len(t, all.Names, previewNames)
	assert.Contains(t, all.Summary(), ", …")
}

func TestPreviewSaysWhenItDidNotSeeAll(t *testing.T) {
	assert.Equal(t, "3 of the first 10000 repositories match: a, …", Preview{Matched: 3, Total: 10000, More: true, Names: []string{"a"}}.Summary())
}

func TestPreviewFails(t *testing.T) {
	up := bitbuckettest.New(t)
	_, err := PreviewScope(t.Context(), clientFor(up), scopeOn(t, up))
	assert.ErrorIs(t, err, bitbucket.ErrNotFound)
	_, err = PreviewScope(t.Context(), clientFor(up), policy.Scope{})
	assert.ErrorIs(t, err, bitbucket.ErrUnchecked)
}

func TestWhoAmI(t *testing.T) {
	up := bitbuckettest.Serve(t, sample.Demo(sample.Options{Accounts: []sample.Account{{Name: "Jane", Username: "me@example.com", Token: "token"}}}))
	name, err := WhoAmI(t.Context(), clientFor(up), scopeOn(t, up))
	require.NoError(t, err)
	assert.Equal(t, "Jane", name)
}

// The judgement about one repository, branch and action, for each rule that can
// decide; and whether Bitbucket has the repository, which only an admin is told.
func TestPreviewJudgesOneName(t *testing.T) {
	scope, err := policy.Compile(policy.Definition{
		Name: "team", API: bitbucket.DefaultAPI, Workspace: "acme", Credential: "key",
		Repositories: []string{"web.*"}, ExcludeRepositories: []string{"web-secret"}, Branches: []string{"main", "feature/.*"}, ExcludeBranches: []string{"feature/secret"},
		Actions: []policy.Action{policy.Read},
	})
	require.NoError(t, err)
	whole := bitbucket.Page[string]{Rows: []string{"acme/Web", "acme/other"}}
	for name, row := range map[string]struct {
		q             PreviewQuestion
		allowed       bool
		pattern, says string
	}{
		"a repository":              {PreviewQuestion{Repository: "web"}, true, "repositories: web.*", `Allowed: repository "web": `},
		"with its workspace":        {PreviewQuestion{Repository: "acme/web"}, true, "repositories: web.*", `Allowed: repository "acme/web": `},
		"in upper case":             {PreviewQuestion{Repository: "WEB"}, true, "repositories: web.*", "Allowed: "},
		"of another workspace":      {PreviewQuestion{Repository: "mallory/web"}, false, "", "it is in another workspace"},
		"that is left out":          {PreviewQuestion{Repository: "web-secret"}, false, "exclude_repositories: web-secret", "Not allowed: "},
		"that matches nothing":      {PreviewQuestion{Repository: "other"}, false, "", "Not allowed: "},
		"that is no slug":           {PreviewQuestion{Repository: "web/x/y"}, false, "", "the name is no slug"},
		"that is not there":         {PreviewQuestion{Repository: "web-two"}, true, "repositories: web.*", "But the credential sees no repository of that name."},
		"a branch":                  {PreviewQuestion{Repository: "web", Branch: "feature/x"}, true, "repositories: web.*; branches: feature/.*", `; branch "feature/x": `},
		"a branch that is left out": {PreviewQuestion{Repository: "web", Branch: "feature/secret"}, false, "exclude_branches: feature/secret", `Not allowed: branch "feature/secret": `},
		"a branch of none":          {PreviewQuestion{Repository: "web", Branch: "dev"}, false, "", `Not allowed: branch "dev": `},
		"a branch that is none":     {PreviewQuestion{Repository: "web", Branch: "feature/x~1"}, false, "", "the name is no branch name"},
		"a branch of a hidden one":  {PreviewQuestion{Repository: "other", Branch: "main"}, false, "", `Not allowed: repository "other": `},
		"reading":                   {PreviewQuestion{Repository: "web", Action: policy.Read}, true, "repositories: web.*", "Allowed: "},
		"another action":            {PreviewQuestion{Repository: "web", Branch: "main", Action: "merge"}, false, "", `Not allowed: the scope does not hold the action "merge".`},
	} {
		t.Run(name, func(t *testing.T) {
			verdict := judge(scope, "acme", row.q, whole)
			assert.Equal(t, row.allowed, verdict.Allowed)
			assert.Equal(t, row.pattern, verdict.Pattern)
			assert.Contains(t, verdict.Words, row.says)
			if row.q.Repository == "web" {
				assert.NotContains(t, verdict.Words, "sees no repository", "Web is there, by another case")
			}
		})
	}
	half := bitbucket.Page[string]{Rows: []string{"acme/other"}, Next: new(bitbucket.Position)}
	assert.NotContains(t, judge(scope, "acme", PreviewQuestion{Repository: "web"}, half).Words, "sees no repository", "it may be on a page that was not read")
}

// A branch alone is no question: the same name may be allowed in one repository
// and not in another. Nothing is asked for it.
func TestPreviewOfABranchNeedsItsRepository(t *testing.T) {
	d, up := asking(t, sample.Account{Username: "me@example.com", Token: testKey}, "", "acme")
	for _, q := range []PreviewQuestion{{Branch: "main"}, {Action: policy.Read}} {
		q.Draft = Scope{Provider: "acme", Credential: "reader"}
		_, err := d.PreviewScope(t.Context(), boss, q)
		assert.ErrorContains(t, err, "a branch or an action is judged together with a repository")
	}
	up.AssertNothingSent(t)
}
