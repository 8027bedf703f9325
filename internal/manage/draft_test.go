package manage

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
)

func TestADraftIsPreviewedWithoutAskingForEachLetter(t *testing.T) {
	up := bitbuckettest.Serve(t, sample.Demo(sample.Options{Accounts: []sample.Account{{Name: "Jane", Username: "me@example.com", Token: "token"}}}))
	d := newDesk(t)
	d.config.Client = clientFor(up)
	owner := Actor{Name: "root", Transport: "command line", AnyAPI: true}
	_, err := d.CreateProvider(t.Context(), owner, Provider{Name: "acme", Workspace: "acme", API: up.URL()})
	require.NoError(t, err)
	_, err = d.CreateCredential(t.Context(), boss, Credential{Provider: "acme", Name: "reader", Username: "me@example.com", Key: secret.NewText("ATATT-a-key")})
	require.NoError(t, err)
	drafts := NewDrafts(d.Service)
	draft := func(patterns ...string) Scope {
		return Scope{Provider: "acme", Credential: "reader", Repositories: patterns}
	}
	before := len(d.events())
	for _, row := range []struct {
		pattern string
		matched int
	}{{"^duplocloud-.*", 7}, {"duplocloud", 1}, {"^duplocloud-", 0}, {".*", 61}} {
		answer, err := drafts.Preview(t.Context(), boss, draft(row.pattern))
		require.NoError(t, err)
		assert.Equal(t, row.matched, answer.Matched, row.pattern)
		assert.Equal(t, 61, answer.Total)
	}
	answer, err := drafts.Preview(t.Context(), boss, draft("^duplocloud-"))
	require.NoError(t, err)
	assert.NotEmpty(t, answer.Warnings)
	asked := len(up.Requests())
	assert.LessOrEqual(t, asked, 1, "one listing serves them all")
	assert.Len(t, d.events(), before+1, "and leaves one event")

	_, err = drafts.Preview(t.Context(), boss, draft("("))
	var refused *Refused
	require.True(t, errors.As(err, &refused))
	assert.Equal(t, "repositories", refused.Field)
	assert.Len(t, up.Requests(), asked)

	// A credential with another key may see something else.
	_, err = d.UpdateCredential(t.Context(), boss, 0, Credential{Provider: "acme", Name: "reader", Username: "me@example.com", Key: secret.NewText("ATATT-another-key")})
	require.NoError(t, err)
	_, err = drafts.Preview(t.Context(), boss, draft(".*"))
	require.NoError(t, err)
	assert.Greater(t, len(up.Requests()), asked)

	_, err = d.CreateCredential(t.Context(), boss, Credential{Provider: "acme", Name: "waiting"})
	require.NoError(t, err)
	unset := draft(".*")
	unset.Credential = "waiting"
	_, err = drafts.Preview(t.Context(), boss, unset)
	require.True(t, errors.As(err, &refused))
	assert.Equal(t, "credential", refused.Field)
}

func TestAllThatIsWrongIsSaidAtOnceAndWhere(t *testing.T) {
	d := newDesk(t)
	d.guide()
	fields := func(err error) []string {
		var list []string
		for _, refused := range Refusals(err) {
			list = append(list, refused.Field)
		}
		return list
	}
	_, err := d.CreateProvider(t.Context(), boss, Provider{Type: "github", Workspace: "../x", Description: strings.Repeat("x", 1001), API: "ftp://x"})
	assert.Equal(t, []string{"name", "type", "workspace", "description", "api_url"}, fields(err))
	_, err = d.CreateProvider(t.Context(), boss, Provider{Name: "acme", Workspace: "x"})
	assert.Equal(t, []string{"name"}, fields(err), "the name is taken")
	_, err = d.CreateCredential(t.Context(), boss, Credential{Provider: "acme", Key: secret.NewText("ATATT-x")})
	assert.Equal(t, []string{"name", "username"}, fields(err))
	_, _, err = d.CreateScope(t.Context(), boss, Scope{Name: "!", Provider: "acme", Credential: "none", Branches: []string{"("}})
	assert.Equal(t, []string{"name", "credential", "branches"}, fields(err))
	_, _, err = d.CreateClient(t.Context(), boss, Client{Role: "king", Scopes: []string{"none"}})
	assert.Equal(t, []string{"name", "role", "scopes"}, fields(err))
	assert.Empty(t, Refusals(errors.New("of the disk")))
	assert.Empty(t, Refusals(nil))
	assert.NotContains(t, d.events()[0].Reason, "\n")
}

func TestWhatStaysNeedsNoNewPermission(t *testing.T) {
	d := newDesk(t)
	owner := Actor{Name: "root", Transport: "command line", AnyAPI: true}
	_, err := d.CreateProvider(t.Context(), owner, Provider{Name: "own", Workspace: "own", API: "https://bitbucket.example/2.0"})
	require.NoError(t, err)
	_, err = d.UpdateProvider(t.Context(), boss, 0, Provider{Name: "own", Workspace: "own", API: "https://bitbucket.example/2.0", Description: "ours"})
	assert.NoError(t, err)
	_, err = d.UpdateProvider(t.Context(), boss, 0, Provider{Name: "own", Workspace: "own", API: "https://evil.example/2.0"})
	assert.ErrorContains(t, err, "--allow-api-host evil.example:443")
}

func TestWhatLooksLikeASecret(t *testing.T) {
	for _, name := range []string{"API Key", "token", "Client-Secret", "db_password", "PRIVATE", "authorization"} {
		assert.True(t, LooksSecret(name), name)
	}
	for _, name := range []string{"", "Username", "region", "team", "url"} {
		assert.False(t, LooksSecret(name), name)
	}
}

func TestTheAuditLogIsExportedAndVerified(t *testing.T) {
	d := newDesk(t)
	d.guide()
	var out bytes.Buffer
	require.NoError(t, d.ExportAudit(t.Context(), boss, audit.Filter{Tool: "create_scope"}, &out))
	assert.Equal(t, 1, strings.Count(out.String(), "\n"))
	assert.Contains(t, out.String(), `"tool":"create_scope"`)
	assert.Equal(t, "export_audit", d.events()[0].Tool)
	report, err := d.VerifyAudit(t.Context(), nil, func(int64) {})
	require.NoError(t, err)
	assert.True(t, report.OK())
	assert.EqualValues(t, len(d.events()), report.Events)
	_, err = d.VerifyAudit(t.Context(), func() (audit.Heads, error) { return nil, errors.New("no file") }, func(int64) {})
	assert.Error(t, err)
}
