package manage

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// generous is how long a change may take on a machine that is busy; what is
// promised is a second.
const generous = 20 * time.Second

func newDoorkeeper(t *testing.T, d *desk) *Doorkeeper {
	t.Helper()
	keeper, err := NewDoorkeeper(t.Context(), d.store, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return keeper
}

func (d *desk) client(c Client) (store.Client, string) {
	d.t.Helper()
	record, key, err := d.CreateClient(d.t.Context(), boss, c)
	require.NoError(d.t, err)
	return record, key.Reveal()
}

func TestWhoseKeyItIs(t *testing.T) {
	d := newDesk(t)
	d.guide()
	bot, key := d.client(Client{Name: "bot", Scopes: []string{"team"}})
	_, adminKey := d.client(Client{Name: "chief", Role: "admin"})
	_, shortKey := d.client(Client{Name: "brief", ExpiresIn: time.Hour})
	_, goneKey := d.client(Client{Name: "gone"})
	require.NoError(t, d.RevokeClient(t.Context(), boss, "gone"))
	_, oldKey := d.client(Client{Name: "renewed"})
	_, newKey, err := d.ReplaceClientKey(t.Context(), boss, 0, "renewed")
	require.NoError(t, err)
	stranger, _, _ := secret.NewClientKey()
	keeper := newDoorkeeper(t, d)

	for key, want := range map[string]Entrant{
		key: {"bot", "agent"}, adminKey: {"chief", "admin"}, shortKey: {"brief", "agent"}, newKey.Reveal(): {"renewed", "agent"},
	} {
		got, err := keeper.Admit(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	keeper.clock = func() time.Time { return time.Now().Add(2 * time.Hour) }
	// A key that another has the prefix of: its checksum is right.
	forged := forge(t, key)
	for name, row := range map[string]struct{ key, client, reason string }{
		"none":        {"", "", "a key that was not made here"},
		"cut":         {key[:len(key)-1], "", "a key that was not made here"},
		"mistyped":    {key[:20] + "a" + key[21:], "", "a key that was not made here"},
		"a stranger":  {stranger.Reveal(), "", `no client has the key "bg_`},
		"forged":      {forged, "", "a wrong key with the prefix \"" + bot.KeyPrefix + "\", that of the client bot"},
		"expired":     {shortKey, "brief", "expired on"},
		"revoked":     {goneKey, "gone", "was revoked on"},
		"replaced":    {oldKey, "", `no client has the key "bg_`},
		"upper case":  {strings.ToUpper(key), "", "a key that was not made here"},
		"with spaces": {" " + key, "", "a key that was not made here"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := keeper.Admit(t.Context(), row.key)
			var refused *KeyRefused
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, row.client, refused.Client)
			assert.Contains(t, refused.Reason, row.reason)
			if len(row.key) > 16 {
				assert.NotContains(t, refused.Reason, row.key[16:], "no more than the public prefix")
			}
		})
	}
	assert.Equal(t, []string{"team"}, keeper.Scopes(Entrant{"bot", "agent"}))
	for _, e := range []Entrant{{"bot", "admin"}, {"brief", "agent"}, {"gone", "agent"}, {"nobody", "agent"}, {}} {
		assert.Empty(t, keeper.Scopes(e), "%v", e)
	}
}

// forge makes a key with the public prefix of another, and a right checksum.
func forge(t *testing.T, key string) string {
	t.Helper()
	other, _, _ := secret.NewClientKey()
	body := key[:15] + other.Reveal()[15:68]
	encoding := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	forged := body + encoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body))))
	_, _, ok := secret.HashClientKey(forged)
	require.True(t, ok)
	return forged
}

// A call reads no database, and a change counts all the same.
func TestAChangeOfAClientCounts(t *testing.T) {
	d := newDesk(t)
	d.guide()
	_, key := d.client(Client{Name: "bot", Scopes: []string{"team"}})
	keeper := newDoorkeeper(t, d)
	admitted := func() bool {
		_, err := keeper.Admit(t.Context(), key)
		return err == nil
	}
	require.True(t, admitted())

	began := time.Now()
	_, err := d.UpdateClient(t.Context(), boss, 0, Client{Name: "bot"})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(keeper.Scopes(Entrant{"bot", "agent"})) == 0 }, generous, time.Millisecond)
	t.Logf("a scope less after %v", time.Since(began))

	began = time.Now()
	_, next, err := d.ReplaceClientKey(t.Context(), boss, 0, "bot")
	require.NoError(t, err)
	_, err = keeper.Admit(t.Context(), next.Reveal())
	require.NoError(t, err, "the new key is good at once")
	require.Eventually(t, func() bool { return !admitted() }, generous, time.Millisecond)
	t.Logf("the old key refused after %v", time.Since(began))

	key = next.Reveal()
	began = time.Now()
	require.NoError(t, d.RevokeClient(t.Context(), boss, "bot"))
	require.Eventually(t, func() bool { return !admitted() }, generous, time.Millisecond)
	t.Logf("revoked after %v", time.Since(began))
}

// What cannot be read lets nobody in, and the next load that works does.
func TestClientsThatCannotBeReadAreNotLetIn(t *testing.T) {
	d := newDesk(t)
	d.guide()
	_, key := d.client(Client{Name: "bot", Scopes: []string{"team"}})
	var said lockedBuffer
	keeper := &Doorkeeper{store: d.store, log: slog.New(slog.NewTextHandler(&said, nil)), clock: time.Now, used: make(chan use, 1), again: rate.NewLimiter(0, 0)}
	var mu sync.Mutex
	var failing error
	err := follower{store: d.store, log: keeper.log, what: "the clients", forget: keeper.forget, load: func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if failing != nil {
			return failing
		}
		return keeper.load(ctx)
	}}.follow(t.Context())
	require.NoError(t, err)
	_, err = keeper.Admit(t.Context(), key)
	require.NoError(t, err)

	mu.Lock()
	failing = errors.New("the disk is gone")
	mu.Unlock()
	_, err = d.UpdateClient(t.Context(), boss, 0, Client{Name: "bot"})
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, err := keeper.Admit(t.Context(), key); return errors.Is(err, errNotLoaded) }, generous, time.Millisecond)
	assert.Empty(t, keeper.Scopes(Entrant{"bot", "agent"}))
	assert.ErrorIs(t, keeper.Err(), errNotLoaded)
	assert.Eventually(t, func() bool { return strings.Contains(said.String(), "the disk is gone") }, generous, time.Millisecond)

	mu.Lock()
	failing = nil
	mu.Unlock()
	require.Eventually(t, func() bool { _, err := keeper.Admit(t.Context(), key); return err == nil }, generous, time.Millisecond, "without another change")
}

func TestTheUseOfAClientIsWrittenDown(t *testing.T) {
	d := newDesk(t)
	bot, key := d.client(Client{Name: "bot"})
	d.client(Client{Name: "idle"})
	keeper := newDoorkeeper(t, d)
	for range 100 {
		_, err := keeper.Admit(t.Context(), key)
		require.NoError(t, err)
	}
	lastUsed := func(name string) time.Time {
		c, err := d.Client(t.Context(), name)
		require.NoError(t, err)
		return c.LastUsedAt
	}
	require.Eventually(t, func() bool { return !lastUsed("bot").IsZero() }, generous, time.Millisecond)
	first := lastUsed("bot")
	assert.True(t, lastUsed("idle").IsZero())
	after, err := d.Client(t.Context(), "bot")
	require.NoError(t, err)
	assert.Equal(t, bot.Version, after.Version, "it is no change")

	later := time.Now().Add(2 * time.Minute)
	keeper.clock = func() time.Time { return later }
	_, err = keeper.Admit(t.Context(), key)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return lastUsed("bot").After(first) }, generous, time.Millisecond)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
