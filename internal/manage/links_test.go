package manage

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

const typedKey = "ATATT-typed-by-a-person-9876"

// asks returns a link for the key of a new credential.
func (d *desk) asks(actor Actor) Link {
	d.t.Helper()
	_, link, err := d.CreateCredentialWithLink(d.t.Context(), actor, Credential{Provider: "acme", Name: "new", Username: "me@example.com"})
	require.NoError(d.t, err)
	return link
}

func (d *desk) use(link Link, key string) error {
	_, err := d.UseLink(d.t.Context(), link.Token.Reveal(), secret.NewText(key))
	return err
}

func (d *desk) key(name string) secret.Text {
	d.t.Helper()
	c, err := d.Credential(d.t.Context(), "acme", name)
	require.NoError(d.t, err)
	key, err := d.store.CredentialKey(d.t.Context(), c.ID)
	if errors.Is(err, store.ErrNoKey) {
		return secret.Text{}
	}
	require.NoError(d.t, err)
	return key
}

// edit changes the database behind the service's back, as who has the file can.
func (d *desk) edit(statement string) error {
	db, err := sql.Open("sqlite", "file:"+d.path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(d.t.Context(), statement)
	return err
}

func TestALinkTakesOneKey(t *testing.T) {
	d := newDesk(t)
	d.guide()
	link := d.asks(boss)
	assert.WithinDuration(t, time.Now().Add(DefaultLinkTTL), link.Expires, time.Minute)
	assert.Equal(t, "with a one-time link at which its key is typed", d.events()[0].Reason)
	for range 3 { // looking uses nothing up, and is no event
		before := len(d.events())
		asked, err := d.LookAtLink(t.Context(), link.Token.Reveal())
		require.NoError(t, err)
		assert.Equal(t, Asked{By: "boss", Provider: "acme", Credential: "new", Username: "me@example.com", Workspace: "acme", APIHost: "api.bitbucket.org",
			Expires: link.Expires.Truncate(time.Microsecond)}, asked)
		assert.Len(t, d.events(), before)
	}
	for words, key := range map[string]string{
		"type the API key": "", "app password": "ATBB-x", "a blank or a control character": typedKey + " " + typedKey,
		"or is longer than": strings.Repeat("k", maxKeyBytes+1),
	} {
		err := d.use(link, key)
		require.ErrorContains(t, err, words)
		assert.NotErrorIs(t, err, ErrLinkOver, "a key that is refused does not use the link up")
		assert.True(t, d.key("new").IsZero())
		e := d.events()[0]
		assert.Equal(t, []any{"use_link", "acme/new", audit.Denied}, []any{e.Tool, e.Target, e.Decision})
		assert.NotContains(t, e.Reason, typedKey)
	}
	require.NoError(t, d.use(link, typedKey))
	assert.True(t, d.key("new").Equal(secret.NewText(typedKey)))
	e := d.events()[0]
	assert.Equal(t, []any{"use_link", "acme/new", audit.Allowed, "boss", "one-time link"}, []any{e.Tool, e.Target, e.Decision, e.Caller, e.Transport})
	c, err := d.Credential(t.Context(), "acme", "new")
	require.NoError(t, err)
	assert.Equal(t, "boss", c.KeySetBy)
	assert.Equal(t, "9876", c.KeyHint)

	require.ErrorIs(t, d.use(link, "ATATT-another-key"), ErrLinkOver)
	assert.Contains(t, d.events()[0].Reason, "was used already")
	_, err = d.LookAtLink(t.Context(), link.Token.Reveal())
	require.ErrorIs(t, err, ErrLinkOver)
	assert.True(t, d.key("new").Equal(secret.NewText(typedKey)))
}

// A link is bound to its time, its credential as it was, to where the key goes,
// and to the right of who made it.
func TestALinkIsOverWhen(t *testing.T) {
	admin := Actor{Name: "ann", Transport: "http"}
	for name, row := range map[string]struct {
		actor   Actor
		happens func(context.Context, *desk) error
		why     string
		target  string
	}{
		"its credential is changed": {boss, func(ctx context.Context, d *desk) error {
			_, err := d.UpdateCredential(ctx, boss, 0, Credential{Provider: "acme", Name: "new", Username: "you@example.com"})
			return err
		}, "credential was changed", "acme/new"},
		"another link was used": {boss, func(ctx context.Context, d *desk) error {
			_, other, err := d.UpdateCredentialWithLink(ctx, boss, 0, Credential{Provider: "acme", Name: "new", Username: "me@example.com"})
			return errors.Join(err, d.use(other, "ATATT-of-another-link"))
		}, "credential was changed", "acme/new"},
		"its credential is gone": {boss, func(ctx context.Context, d *desk) error { return d.DeleteCredential(ctx, boss, "acme", "new") }, "credential was changed", "acme/new"},
		"another has its name": {boss, func(ctx context.Context, d *desk) error {
			err := d.DeleteCredential(ctx, boss, "acme", "new")
			_, err2 := d.CreateCredential(ctx, boss, Credential{Provider: "acme", Name: "new", Username: "me@example.com"})
			return errors.Join(err, err2)
		}, "credential was changed", "acme/new"},
		"the key would go elsewhere": {boss, func(ctx context.Context, d *desk) error {
			return d.edit(`UPDATE providers SET api = 'https://evil.example/2.0'`)
		}, "provider was changed", "acme/new"},
		"the workspace is another": {boss, func(ctx context.Context, d *desk) error { return d.edit(`UPDATE providers SET workspace = 'mallory'`) }, "provider was changed", "acme/new"},
		"it is late": {boss, func(ctx context.Context, d *desk) error {
			return d.edit(`UPDATE secret_links SET expires_at = created_at`)
		}, "too late", "acme/new"},
		"it was swept":          {boss, func(ctx context.Context, d *desk) error { return d.edit(`DELETE FROM secret_links`) }, "no such", ""},
		"its maker is revoked":  {admin, func(ctx context.Context, d *desk) error { return d.RevokeClient(ctx, boss, "ann") }, "an admin no more", "acme/new"},
		"its maker has expired": {admin, func(ctx context.Context, d *desk) error { return d.edit(`UPDATE clients SET expires_at = 1`) }, "an admin no more", "acme/new"},
		"its maker is an agent now": {admin, func(ctx context.Context, d *desk) error {
			_, err := d.UpdateClient(ctx, boss, 0, Client{Name: "ann", Role: "agent"})
			return err
		}, "an admin no more", "acme/new"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.guide()
			_, _, err := d.CreateClient(t.Context(), boss, Client{Name: "ann", Role: "admin"})
			require.NoError(t, err)
			link := d.asks(row.actor)
			_, err = d.LookAtLink(t.Context(), link.Token.Reveal())
			require.NoError(t, err, "it is good before")
			require.NoError(t, row.happens(t.Context(), d))
			before := len(d.events())
			for _, err := range []error{d.use(link, typedKey), func() error { _, err := d.LookAtLink(t.Context(), link.Token.Reveal()); return err }()} {
				require.ErrorIs(t, err, ErrLinkOver)
				assert.NotContains(t, err.Error(), typedKey)
			}
			events := d.events()
			require.Len(t, events, before+2)
			for _, e := range events[:2] {
				assert.Contains(t, e.Reason, row.why)
				assert.Equal(t, []any{"use_link", row.target, audit.Denied, "unknown"}, []any{e.Tool, e.Target, e.Decision, e.Caller})
			}
			if c, err := d.Credential(t.Context(), "acme", "new"); err == nil {
				key, err := d.store.CredentialKey(t.Context(), c.ID)
				assert.True(t, err != nil || !key.Equal(secret.NewText(typedKey)))
			}
		})
	}
}

// Of many who come at once with a link one gets it.
func TestOneOfManyGetsTheLink(t *testing.T) {
	d := newDesk(t)
	d.guide()
	link := d.asks(boss)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := d.use(link, typedKey); err == nil {
				won.Add(1)
			} else {
				assert.ErrorIs(t, err, ErrLinkOver)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, won.Load())
	allowed := 0
	for _, e := range d.events() {
		if e.Tool == "use_link" && e.Decision == audit.Allowed {
			allowed++
		}
	}
	assert.Equal(t, 1, allowed)
}

// What cannot be written down is not stored, and the link stays good.
func TestAKeyThatCannotBeWrittenDownIsNotStored(t *testing.T) {
	d := newDesk(t)
	d.guide()
	link := d.asks(boss)
	require.NoError(t, d.audit.Close(t.Context()))
	require.ErrorIs(t, d.use(link, typedKey), audit.ErrUnavailable)
	assert.True(t, d.key("new").IsZero())
	_, err := d.LookAtLink(t.Context(), link.Token.Reveal())
	assert.NoError(t, err)
}

// Who guesses does not fill the audit log.
func TestWrongLinksDoNotFloodTheLog(t *testing.T) {
	d := newDesk(t)
	before := len(d.events())
	for range 100 {
		token, _ := secret.NewLinkToken()
		_, err := d.LookAtLink(t.Context(), token.Reveal())
		require.ErrorIs(t, err, ErrLinkOver)
		_, err = d.UseLink(t.Context(), "no token at all", secret.NewText(typedKey))
		require.ErrorIs(t, err, ErrLinkOver)
	}
	assert.Len(t, d.events(), before+5)

	q := quota{limit: 2}
	now := time.Now()
	for i, want := range []bool{true, true, false, false, false} {
		ok, missed := q.take(now.Add(time.Duration(i) * time.Second))
		assert.Equal(t, want, ok)
		assert.Zero(t, missed)
	}
	ok, missed := q.take(now.Add(time.Minute))
	assert.True(t, ok)
	assert.Equal(t, 3, missed, "the next that is written says how many were not")
}

func TestOldLinksAreSwept(t *testing.T) {
	d := newDesk(t)
	d.guide()
	link := d.asks(boss)
	require.NoError(t, d.edit(`UPDATE secret_links SET expires_at = expires_at - 90000000000`)) // 25 hours
	_, _, err := d.UpdateCredentialWithLink(t.Context(), boss, 0, Credential{Provider: "acme", Name: "new", Username: "me@example.com"})
	require.NoError(t, err)
	hash, _ := secret.HashLinkToken(link.Token.Reveal())
	err = d.store.View(t.Context(), func(tx *store.Tx) error {
		_, err := tx.SecretLink(hash)
		return err
	})
	assert.ErrorIs(t, err, store.ErrNotFound)
}

// A client without a key is let in by none.
func TestAClientWithoutAKey(t *testing.T) {
	d := newDesk(t)
	d.guide()
	c, err := d.CreateClientWithoutKey(t.Context(), boss, Client{Name: "bot", Scopes: []string{"team"}})
	require.NoError(t, err)
	assert.False(t, secret.SameHash(c.KeyHash, nil))
	require.Error(t, d.store.View(t.Context(), func(tx *store.Tx) error {
		_, err := tx.ClientByKeyPrefix(c.KeyPrefix)
		return err
	}))
	_, _, err = d.ReplaceClientKey(t.Context(), boss, 0, "bot")
	require.NoError(t, err)
}

// What stays as it is was allowed when it was set; another address was not.
func TestAnAddressThatStays(t *testing.T) {
	d := newDesk(t)
	made, err := d.CreateProvider(t.Context(), Actor{Name: "cli", AnyAPI: true}, Provider{Name: "x", Workspace: "x", API: "https://git.example/2.0"})
	require.NoError(t, err)
	_, err = d.UpdateProvider(t.Context(), boss, 1, Provider{Name: "x", Workspace: "x", API: made.API, Description: "d"})
	require.NoError(t, err)
	_, err = d.UpdateProvider(t.Context(), boss, 2, Provider{Name: "x", Workspace: "x", API: "https://git.example/3.0"})
	assert.ErrorContains(t, err, "--allow-api-host")
}
