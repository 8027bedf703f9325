package manage

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// A desk is a service over a real database, with what it wrote down.
type desk struct {
	*Service
	t     *testing.T
	store *store.Store
	audit *audit.Writer
	path  string // of the database
}

var boss = Actor{Name: "boss", Transport: "test"}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return newDeskAt(t, nil)
}

// newDeskAt is newDesk with records made by this clock.
func newDeskAt(t *testing.T, clock func() time.Time) *desk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bucketgate.db")
	db, err := store.Open(t.Context(), store.Config{
		Database:  path,
		MasterKey: func() (secret.MasterKey, error) { return secret.NewMasterKey(), nil },
		Now:       clock,
	})
	require.NoError(t, err)
	writer, err := audit.NewWriter(t.Context(), audit.Config{
		Writer: "test", Key: db.Keyset(), Append: db.AppendAudit,
		Last: func(ctx context.Context) (audit.Head, error) { return db.LastAudit(ctx, "test") },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, writer.Close(context.Background()))
		assert.NoError(t, db.Close())
	})
	return &desk{Service: New(Config{Store: db, Audit: writer}), t: t, store: db, audit: writer, path: path}
}

// guide sets up what the guide sets up.
func (d *desk) guide() {
	d.t.Helper()
	_, err := d.CreateProvider(d.t.Context(), boss, Provider{Name: "acme", Workspace: "acme"})
	require.NoError(d.t, err)
	_, err = d.CreateCredential(d.t.Context(), boss, Credential{Provider: "acme", Name: "reader", Username: "me@example.com", Key: secret.NewText("ATATT-canary-key-wxyz")})
	require.NoError(d.t, err)
	_, _, err = d.CreateScope(d.t.Context(), boss, Scope{Name: "team", Provider: "acme", Credential: "reader", Repositories: []string{"^duplocloud-.*"}, Branches: []string{"^main$"}})
	require.NoError(d.t, err)
}

func (d *desk) events() []audit.Event {
	d.t.Helper()
	records, _, err := d.store.ListAudit(d.t.Context(), audit.Filter{}, 100, "")
	require.NoError(d.t, err)
	events := make([]audit.Event, len(records))
	for i, r := range records {
		events[i] = r.Event
	}
	return events
}

func TestTheGuidesSteps(t *testing.T) {
	d := newDesk(t)
	d.guide()
	scopes, err := d.Scopes(t.Context())
	require.NoError(t, err)
	require.Len(t, scopes, 1)
	assert.Equal(t, []string{"^duplocloud-.*"}, scopes[0].Repositories)
	assert.Equal(t, []policy.Action{policy.Read}, scopes[0].Actions)
	credentials, err := d.Credentials(t.Context(), "acme")
	require.NoError(t, err)
	assert.Equal(t, "wxyz", credentials[0].KeyHint)
	assert.True(t, credentials[0].Key.IsZero(), "a key does not come back")

	var tools []string
	for _, e := range d.events() {
		tools = append(tools, e.Tool)
		assert.Equal(t, audit.Allowed, e.Decision)
		assert.Equal(t, "boss", e.Caller)
		assert.Equal(t, "admin", e.Role)
	}
	assert.Equal(t, []string{"create_scope", "create_credential", "create_provider"}, tools)
}

func TestMistakesAreToldAndNothingIsDone(t *testing.T) {
	day := time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)
	key := secret.NewText("ATCTT-a-key-of-some-length")
	for name, row := range map[string]struct {
		do    func(context.Context, *desk) error
		words string
	}{
		"a provider without a name": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateProvider(ctx, boss, Provider{Workspace: "x"})
			return err
		}, "a provider needs a name"},
		"a provider of another type": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateProvider(ctx, boss, Provider{Name: "x", Workspace: "x", Type: "github"})
			return err
		}, `there is no provider type "github"`},
		"a description that is no text": {func(ctx context.Context, d *desk) error {
			_, err := d.UpdateProvider(ctx, boss, 0, Provider{Name: "acme", Workspace: "acme", Description: "\xff"})
			return err
		}, "a description is text in UTF-8 of at most 1000 bytes"},
		"a scope's description that is no text": {func(ctx context.Context, d *desk) error {
			_, _, err := d.CreateScope(ctx, boss, Scope{Name: "x", Provider: "acme", Credential: "reader", Description: "a\xc3("})
			return err
		}, "a description is text in UTF-8"},
		"a long description": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateProvider(ctx, boss, Provider{Name: "x", Workspace: "x", Description: strings.Repeat("x", 1001)})
			return err
		}, "of at most 1000 bytes"},
		"a field that is no text": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateCredential(ctx, boss, Credential{Provider: "acme", Name: "x", Fields: []store.Field{{Key: "note", Value: "\xff"}}})
			return err
		}, "the key and the value of a field are text in UTF-8"},
		"a field's key that is no text": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateCredential(ctx, boss, Credential{Provider: "acme", Name: "x", Fields: []store.Field{{Key: "\xff", Value: "x"}}})
			return err
		}, "the key and the value of a field are text in UTF-8"},
		"a user name that is no text": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateCredential(ctx, boss, Credential{Provider: "acme", Name: "x", Username: "a\xff@example.com"})
			return err
		}, "the user name is the email"},
		"a workspace that is none": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateProvider(ctx, boss, Provider{Name: "x", Workspace: "../x"})
			return err
		}, "the workspace is the slug"},
		"a name that is taken": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateProvider(ctx, boss, Provider{Name: "acme", Workspace: "x"})
			return err
		}, `there is a provider "acme" already`},
		"another address": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateProvider(ctx, boss, Provider{Name: "x", Workspace: "x", API: "https://evil.example/2.0"})
			return err
		}, "start the server with --allow-api-host evil.example:443"},
		"plain http": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateProvider(ctx, Actor{Name: "cli", AnyAPI: true}, Provider{Name: "x", Workspace: "x", API: "http://evil.example"})
			return err
		}, "it must be https"},
		"a workspace under a credential": {func(ctx context.Context, d *desk) error {
			_, err := d.UpdateProvider(ctx, boss, 0, Provider{Name: "acme", Workspace: "other"})
			return err
		}, "credential"},
		"deleting a provider in use":   {func(ctx context.Context, d *desk) error { return d.DeleteProvider(ctx, boss, "acme") }, `credential "reader"`},
		"deleting a credential in use": {func(ctx context.Context, d *desk) error { return d.DeleteCredential(ctx, boss, "acme", "reader") }, `scope "team"`},
		"an unknown provider":          {func(ctx context.Context, d *desk) error { return d.DeleteProvider(ctx, boss, "acmee") }, `there is no provider "acmee"; did you mean "acme"?`},
		"an unknown credential":        {func(ctx context.Context, d *desk) error { return d.DeleteCredential(ctx, boss, "acme", "raeder") }, `did you mean "reader"?`},
		"an unknown scope":             {func(ctx context.Context, d *desk) error { return d.DeleteScope(ctx, boss, "tean") }, `did you mean "team"?`},
		"an app password": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateCredential(ctx, boss, Credential{Provider: "acme", Name: "x", Key: secret.NewText("ATBB-old")})
			return err
		}, "app password"},
		"an API token without a user": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateCredential(ctx, boss, Credential{Provider: "acme", Name: "x", Key: secret.NewText("ATATT-x")})
			return err
		}, "needs a user name"},
		"two user names": {func(ctx context.Context, d *desk) error {
			_, err := d.CreateCredential(ctx, boss, Credential{Provider: "acme", Name: "x", Username: "a@example.com", Key: key, ExpiresOn: day, Fields: []store.Field{{Key: "USERNAME", Value: "b@example.com"}}})
			return err
		}, "given twice"},
		"a pattern that is none": {func(ctx context.Context, d *desk) error {
			_, _, err := d.CreateScope(ctx, boss, Scope{Name: "x", Provider: "acme", Credential: "reader", Repositories: []string{"(?!web)"}})
			return err
		}, "at position 1"},
		"an action without a tool": {func(ctx context.Context, d *desk) error {
			_, _, err := d.CreateScope(ctx, boss, Scope{Name: "x", Provider: "acme", Credential: "reader", Actions: []policy.Action{"merge"}})
			return err
		}, `the action "merge" has no tool yet`},
		"a credential of another provider": {func(ctx context.Context, d *desk) error {
			if _, err := d.CreateProvider(ctx, boss, Provider{Name: "other", Workspace: "other"}); err != nil {
				return err
			}
			_, _, err := d.CreateScope(ctx, boss, Scope{Name: "x", Provider: "other", Credential: "reader"})
			return err
		}, `the credential "reader" is of provider "acme", and not of "other"`},
		"emptying the repositories": {func(ctx context.Context, d *desk) error {
			_, _, err := d.UpdateScope(ctx, boss, 0, Scope{Name: "team", Provider: "acme", Credential: "reader", Branches: []string{"main"}})
			return err
		}, "all_repositories"},
		"emptying the branches": {func(ctx context.Context, d *desk) error {
			_, _, err := d.UpdateScope(ctx, boss, 0, Scope{Name: "team", Provider: "acme", Credential: "reader", Repositories: []string{"web"}})
			return err
		}, "all_branches"},
		"a stale version": {func(ctx context.Context, d *desk) error {
			_, err := d.UpdateProvider(ctx, boss, 7, Provider{Name: "acme", Workspace: "acme"})
			return err
		}, "somebody else has changed it meanwhile"},
		"a client of an unknown scope": {func(ctx context.Context, d *desk) error {
			_, _, err := d.CreateClient(ctx, boss, Client{Name: "bot", Scopes: []string{"temm"}})
			return err
		}, `did you mean "team"?`},
		"a role that is none": {func(ctx context.Context, d *desk) error {
			_, _, err := d.CreateClient(ctx, boss, Client{Name: "bot", Role: "root"})
			return err
		}, `there is no role "root"`},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.guide()
			err := row.do(t.Context(), d)
			var refused *Refused
			require.ErrorAs(t, err, &refused)
			assert.Contains(t, refused.Words, row.words)
			assert.NotContains(t, refused.Words, "ATATT")
			latest := d.events()[0]
			assert.Equal(t, audit.Denied, latest.Decision)
			assert.Equal(t, refused.Words, latest.Reason)
			scopes, err := d.Scopes(t.Context())
			require.NoError(t, err)
			require.Len(t, scopes, 1)
			assert.Equal(t, int64(1), scopes[0].Version)
		})
	}
}

func TestAnEmptiedListThatIsMeant(t *testing.T) {
	d := newDesk(t)
	d.guide()
	updated, warnings, err := d.UpdateScope(t.Context(), boss, 1, Scope{Name: "team", Provider: "acme", Credential: "reader", AllRepositories: true, Branches: []string{"^feature/"}})
	require.NoError(t, err)
	assert.Empty(t, updated.Repositories)
	assert.Equal(t, int64(2), updated.Version)
	require.Len(t, warnings, 1)
	assert.Contains(t, warnings[0].Words, "matches only the name 'feature/'")
}

func TestClients(t *testing.T) {
	d := newDesk(t)
	d.guide()
	created, key, err := d.CreateClient(t.Context(), boss, Client{Name: "bot", Scopes: []string{"team", "team"}, ExpiresIn: time.Hour})
	require.NoError(t, err)
	assert.Equal(t, []string{"team"}, created.Scopes)
	prefix, hash, ok := secret.HashClientKey(key.Reveal())
	require.True(t, ok)
	assert.Equal(t, created.KeyPrefix, prefix)
	assert.True(t, secret.SameHash(created.KeyHash, hash))

	replaced, next, err := d.ReplaceClientKey(t.Context(), boss, 0, "bot")
	require.NoError(t, err)
	assert.NotEqual(t, key.Reveal(), next.Reveal())
	assert.False(t, secret.SameHash(replaced.KeyHash, hash), "the old key is not taken any more")

	require.ErrorContains(t, d.DeleteScope(t.Context(), boss, "team"), `client "bot"`)
	require.NoError(t, d.RevokeClient(t.Context(), boss, "bot"))
	require.NoError(t, d.DeleteScope(t.Context(), boss, "team"), "a revoked client holds nothing")
	_, _, err = d.ReplaceClientKey(t.Context(), boss, 0, "bot")
	assert.ErrorContains(t, err, "was revoked")
}

func TestUserNameAmongTheFields(t *testing.T) {
	d := newDesk(t)
	d.guide()
	c, err := d.CreateCredential(t.Context(), boss, Credential{
		Provider: "acme", Name: "x", Key: secret.NewText("ATATT-key"),
		Fields: []store.Field{{Key: "Username", Value: "a@example.com"}, {Key: "note", Value: "n"}},
	})
	require.NoError(t, err)
	assert.Equal(t, "a@example.com", c.Username)
	require.Len(t, c.Fields, 1)
}

// What cannot be written down is not done.
func TestAnActionThatCannotBeWrittenDownIsNotDone(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, d.audit.Close(t.Context()))
	_, err := d.CreateProvider(t.Context(), boss, Provider{Name: "acme", Workspace: "acme"})
	require.ErrorIs(t, err, audit.ErrUnavailable)
	providers, err := d.Providers(t.Context())
	require.NoError(t, err)
	assert.Empty(t, providers)
}

func TestAnyAddressOnTheCommandLine(t *testing.T) {
	d := newDesk(t)
	p, err := d.CreateProvider(t.Context(), Actor{Name: "cli", AnyAPI: true}, Provider{Name: "x", Workspace: "x", API: "https://git.example:8443/2.0/"})
	require.NoError(t, err)
	assert.Equal(t, "https://git.example:8443/2.0", p.API)
	p, err = d.CreateProvider(t.Context(), boss, Provider{Name: "y", Workspace: "y"})
	require.NoError(t, err)
	assert.Equal(t, bitbucket.DefaultAPI, p.API)
}
