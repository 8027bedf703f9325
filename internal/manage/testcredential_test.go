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
	"bucketgate/internal/store"
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
	const read, pulls, runs = "read:repository:bitbucket", "read:pullrequest:bitbucket", "read:pipeline:bitbucket"
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
		closed         []string
		beyond         []string
	}{
		"a good API token":            {account: apiToken(read, pulls, runs, "read:user:bitbucket"), works: true, who: "Jane", words: "acme can be reached"},
		"one that may not ask who":    {account: apiToken(read, pulls, runs), works: true, who: "unknown: only with read:user", words: "acme can be reached"},
		"no pull requests":            {account: apiToken(read, runs), works: true, who: "unknown", words: "can be reached", missing: []string{pulls}, closed: []string{"pull requests"}},
		"no pipelines":                {account: apiToken(read, pulls), works: true, who: "unknown", words: "can be reached", missing: []string{runs}, closed: []string{"pipelines"}},
		"neither":                     {account: apiToken(read), works: true, who: "unknown", words: "can be reached", missing: []string{pulls, runs}, closed: []string{"pull requests", "pipelines"}},
		"to write is not to read":     {account: apiToken(read, "write:pullrequest:bitbucket", runs), works: true, who: "unknown", words: "can be reached", missing: []string{pulls}, closed: []string{"pull requests"}, beyond: []string{"write:pullrequest:bitbucket"}},
		"no read:repository":          {account: apiToken("read:user:bitbucket", pulls, runs), who: "Jane", words: "lacks a permission", missing: []string{read}},
		"nothing at all":              {account: apiToken("read:user:bitbucket"), who: "Jane", words: "lacks a permission", missing: []string{read, pulls, runs}},
		"write is not read":           {account: apiToken("write:repository:bitbucket", pulls, runs), who: "unknown", words: "lacks a permission", missing: []string{read}, beyond: []string{"write:repository:bitbucket"}},
		"more than needed":            {account: apiToken(read, pulls, runs, "write:repository:bitbucket", "admin:project:bitbucket"), works: true, who: "unknown", words: "can be reached", beyond: []string{"admin:project:bitbucket", "write:repository:bitbucket"}},
		"an access token":             {account: accessToken("repository", "pullrequest", "pipeline"), works: true, who: "an access token has no user", words: "can be reached"},
		"one where one holds another": {account: accessToken("pullrequest:write", "pipeline:write"), works: true, who: "an access token", words: "can be reached", beyond: []string{"pipeline:write", "pullrequest:write"}},
		"one for repositories only":   {account: accessToken("repository"), works: true, who: "an access token", words: "can be reached", missing: []string{"pullrequest", "pipeline"}, closed: []string{"pull requests", "pipelines"}},
		"an access token that writes": {account: accessToken("repository:write", "webhook"), works: true, who: "an access token has no user", words: "can be reached", missing: []string{"pullrequest", "pipeline"}, closed: []string{"pull requests", "pipelines"}, beyond: []string{"repository:write", "webhook"}},
		"one for builds only":         {account: accessToken("pipeline"), who: "an access token", words: "lacks a permission", missing: []string{"repository", "pullrequest"}},
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
			assert.Equal(t, row.closed, test.Closed)
			assert.Equal(t, row.beyond, test.Beyond)
			assert.NotContains(t, test.Summary()+test.Who+test.Workspace, testKey)
			events := d.events()
			require.Len(t, events, before+1)
			assert.Equal(t, "test_credential", events[0].Tool)
		})
	}
}

// What is missing is what the scopes that use the credential take; of one that
// no scope uses it is told what reading would.
func TestWhatACredentialIsTestedFor(t *testing.T) {
	d, _ := asking(t, sample.Account{Username: "me@example.com", Token: testKey, Scopes: []string{"read:repository:bitbucket"}}, "", "acme")
	unused, err := d.TestCredential(t.Context(), boss, "acme", "reader")
	require.NoError(t, err)
	lacks := "The credential reader works for reading, but not for pull requests and pipelines: it lacks read:pullrequest:bitbucket, read:pipeline:bitbucket."
	assert.Equal(t, lacks+" No scope uses it yet: it was tested for all that reading takes.", unused.Summary())

	_, _, err = d.CreateScope(t.Context(), boss, Scope{Name: "team", Provider: "acme", Credential: "reader"})
	require.NoError(t, err)
	used, err := d.TestCredential(t.Context(), boss, "acme", "reader")
	require.NoError(t, err)
	assert.Equal(t, lacks, used.Summary())

	_, err = d.CreateCredential(t.Context(), boss, Credential{Provider: "acme", Name: "spare", Username: "me@example.com", Key: secret.NewText(testKey)})
	require.NoError(t, err)
	spare, err := d.TestCredential(t.Context(), boss, "acme", "spare")
	require.NoError(t, err)
	assert.True(t, spare.Unused, "another credential's scope is none of this one's")
}

func TestWhatActionsTake(t *testing.T) {
	assert.Equal(t, needs[policy.Read], needsOf(nil))
	assert.Equal(t, needs[policy.Read], needsOf([]policy.Action{policy.Read}))
	assert.Empty(t, needsOf([]policy.Action{"comment"}), "what no tool does yet takes nothing")
}

func TestWhatBitbucketDoesNotSayIsNotMissing(t *testing.T) {
	test := CredentialTest{Name: "reader"}
	test.read(store.Credential{Username: "me@example.com"}, "acme", bitbucket.Probe{Sees: true}, needsOf(nil))
	assert.True(t, test.Works)
	assert.Empty(t, test.Missing)
	assert.Equal(t, "The credential reader works for reading. Bitbucket did not say which permissions it has, so that pull requests and pipelines were not tested.", test.Summary())
}

// A key that sees no repository does not work for that reason, whatever it
// lacks besides.
func TestAKeyThatSeesNothing(t *testing.T) {
	test := CredentialTest{Name: "reader"}
	test.read(store.Credential{Username: "me@example.com"}, "acme", bitbucket.Probe{Told: true, Granted: []string{"read:repository:bitbucket"}}, needsOf(nil))
	assert.Equal(t, []string{"read:pullrequest:bitbucket", "read:pipeline:bitbucket"}, test.Missing)
	assert.Contains(t, test.Summary(), "does not work: acme can be reached, but the key sees no repository in it")
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
