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
