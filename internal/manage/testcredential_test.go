package manage

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/policy"
)

const testKey = "ATxTT-the-key-of-the-test"

// asking is a desk whose service asks a Bitbucket that knows one account.
func asking(t *testing.T, account sample.Account, api, workspace string) (*desk, *bitbuckettest.Server) {
	t.Helper()
	account.Name = "Jane"
	up := bitbuckettest.Serve(t, sample.Demo(sample.Options{Accounts: []sample.Account{account}}))
	if api == "" {
		api = up.URL()
	}
	d := newDesk(t)
	d.Service = New(Config{Store: d.store, Audit: d.audit, Client: bitbucket.New(bitbucket.Config{
		Credential: func(ctx context.Context, id string) (bitbucket.Credential, error) {
			return OpenCredential(ctx, d.store, id)
		},
		AllowAddress: func(string) bool { return true },
	})})
	_, err := d.CreateProvider(t.Context(), Actor{Name: "boss", AnyAPI: true}, Provider{Name: "acme", Workspace: workspace, API: api})
	require.NoError(t, err)
	_, err = d.CreateCredential(t.Context(), boss, Credential{Provider: "acme", Name: "reader", Username: account.Username, Key: secret.NewText(testKey)})
	require.NoError(t, err)
	return d, up
}

func TestCredentialTests(t *testing.T) {
	const user = "me@example.com"
	apiToken := func(scopes ...string) sample.Account {
		return sample.Account{Username: user, Token: testKey, Scopes: scopes}
	}
	accessToken := func(scopes ...string) sample.Account {
		return sample.Account{Bearer: true, Token: testKey, Scopes: scopes}
	}
	for name, row := range map[string]struct {
		account        sample.Account
		api, workspace string
		fault          *sample.Fault
		works          bool
		who, words     string
		missing        []string
		beyond         []string
	}{
		"a good API token":            {account: apiToken("read:repository:bitbucket", "read:user:bitbucket"), works: true, who: "Jane", words: "acme can be reached"},
		"one that may not ask who":    {account: apiToken("read:repository:bitbucket"), works: true, who: "unknown: only with read:user", words: "acme can be reached"},
		"no read:repository":          {account: apiToken("read:user:bitbucket"), who: "Jane", words: "lacks a permission", missing: []string{readGranular}},
		"write is not read":           {account: apiToken("write:repository:bitbucket"), who: "unknown", words: "lacks a permission", missing: []string{readGranular}, beyond: []string{"write:repository:bitbucket"}},
		"more than needed":            {account: apiToken("read:repository:bitbucket", "write:repository:bitbucket", "admin:project:bitbucket"), works: true, who: "unknown", words: "can be reached", beyond: []string{"admin:project:bitbucket", "write:repository:bitbucket"}},
		"an access token":             {account: accessToken("repository"), works: true, who: "an access token has no user", words: "can be reached"},
		"an access token that writes": {account: accessToken("repository:write", "webhook"), works: true, who: "an access token has no user", words: "can be reached", beyond: []string{"repository:write", "webhook"}},
		"one for builds only":         {account: accessToken("pipeline"), who: "an access token", words: "lacks a permission", missing: []string{readClassic}},
		"a wrong key":                 {account: sample.Account{Username: user, Token: "another"}, who: "unknown", words: "Bitbucket rejected the key"},
		"a hidden workspace":          {account: apiToken("read:repository:bitbucket", "read:user:bitbucket"), workspace: "mallory", who: "Jane", words: "there is no workspace mallory, or the key may not see it"},
		"nobody listens":              {account: apiToken(), api: "http://127.0.0.1:1/2.0", who: "unknown", words: "gave no usable answer: the connection failed"},
		"429":                         {account: apiToken(), fault: new(sample.RateLimited("3600")), who: "unknown", words: "try again in 1h0m0s"},
		"another's text":              {account: apiToken(), fault: new(sample.HTML(200, testKey)), who: "unknown", words: "something that is no list"},
	} {
		t.Run(name, func(t *testing.T) {
			if row.workspace == "" {
				row.workspace = "acme"
			}
			d, up := asking(t, row.account, row.api, row.workspace)
			if row.fault != nil {
				up.Fail(*row.fault)
			}
			before := len(d.events())
			test, err := d.TestCredential(t.Context(), boss, "", "reader")
			require.NoError(t, err)
			assert.Equal(t, row.works, test.Works)
			assert.Contains(t, test.Who, row.who)
			assert.Contains(t, test.Workspace, row.words)
			if row.missing != nil || row.works {
				assert.Equal(t, row.missing, test.Missing)
			}
			assert.Equal(t, row.beyond, test.Beyond)
			assert.NotContains(t, test.Summary()+test.Who+test.Workspace, testKey)
			events := d.events()
			require.Len(t, events, before+1)
			assert.Equal(t, "test_credential", events[0].Tool)
		})
	}
}

func TestCredentialTestOfAnUnknownOne(t *testing.T) {
	d, up := asking(t, sample.Account{Username: "me@example.com", Token: testKey}, "", "acme")
	_, err := d.TestCredential(t.Context(), boss, "acme", "raeder")
	assert.ErrorContains(t, err, `did you mean "reader"?`)
	assert.Equal(t, audit.Denied, d.events()[0].Decision)
	up.AssertNothingSent(t)
}

func TestPreviewOfAScope(t *testing.T) {
	d, _ := asking(t, sample.Account{Username: "me@example.com", Token: testKey}, "", "acme")
	draft := Scope{Provider: "acme", Credential: "reader", Repositories: []string{"^duplocloud-.*"}, Branches: []string{"main|feature/.*"}, ExcludeBranches: []string{"feature/x"}}
	for _, row := range []struct {
		repository, branch, action string
		allowed                    bool
		pattern                    string
	}{
		{"duplocloud-api", "", "", true, "repositories: ^duplocloud-.*"},
		{"acme/duplocloud-api", "main", "read", true, "repositories: ^duplocloud-.*; branches: main|feature/.*"},
		{"duplocloud-api", "feature/x", "", false, "exclude_branches: feature/x"},
		{"duplocloud-api", "other", "", false, ""},
		{"duplocloud-api", "main~1", "", false, ""},
		{"duplocloud-api", "", "merge", false, ""},
		{"duplocloud", "", "", false, ""},
		{"mallory/duplocloud-api", "", "", false, ""},
	} {
		before := len(d.events())
		answer, err := d.PreviewScope(t.Context(), boss, PreviewQuestion{Draft: draft, Repository: row.repository, Branch: row.branch, Action: policy.Action(row.action)})
		require.NoError(t, err)
		require.NotNil(t, answer.Verdict)
		assert.Equal(t, row.allowed, answer.Verdict.Allowed, row)
		assert.Equal(t, row.pattern, answer.Verdict.Pattern, row)
		assert.Contains(t, answer.Summary(), "7 of 61 repositories match")
		assert.Len(t, d.events(), before+1)
	}
}
