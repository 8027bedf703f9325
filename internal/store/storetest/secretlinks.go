package storetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/store"
)

// aLink returns a link whose token has this hash.
func aLink(hash string, expires time.Time) store.SecretLink {
	return store.SecretLink{
		TokenHash: []byte(hash), CredentialID: "gone", CredentialVersion: 3, Provider: "acme", Credential: "ci", API: "https://api.bitbucket.org/2.0",
		Workspace: "acme", AskedBy: "alice", AskedThrough: "http", CreatedAt: start, ExpiresAt: expires,
	}
}

func secretLinks(t *testing.T, open Open) {
	s := open(t)
	stamps := 0
	require.NoError(t, s.Watch(t.Context(), func() { stamps++ }))
	made := aLink("\x00\xff one", start.Add(10*time.Minute))
	MustUpdate(t, s, func(tx *store.Tx) error {
		require.NoError(t, tx.CreateSecretLink(aLink("old", start.Add(-time.Microsecond))))
		return tx.CreateSecretLink(made)
	})
	read := func(hash string) (store.SecretLink, error) {
		var l store.SecretLink
		err := s.View(context.Background(), func(tx *store.Tx) (err error) {
			l, err = tx.SecretLink([]byte(hash))
			return err
		})
		return l, err
	}
	back, err := read("\x00\xff one")
	require.NoError(t, err)
	assert.Equal(t, made, back, "a link needs no record: it outlives its credential")
	for _, hash := range []string{"", "\x00\xff", "\x00\xff one ", "two"} {
		_, err = read(hash)
		assert.ErrorIs(t, err, store.ErrNotFound)
	}
	assert.Error(t, s.Update(context.Background(), func(tx *store.Tx) error { return tx.CreateSecretLink(made) }), "no two links have one token")

	MustUpdate(t, s, func(tx *store.Tx) error { return tx.UseSecretLink(made.TokenHash) })
	back, err = read("\x00\xff one")
	require.NoError(t, err)
	requireRecent(t, back.UsedAt)
	for _, hash := range []string{"\x00\xff one", "two"} {
		err = s.Update(context.Background(), func(tx *store.Tx) error {
			_ = tx.UseSecretLink([]byte(hash)) // who overlooks it commits nothing all the same
			return nil
		})
		assert.ErrorIs(t, err, store.ErrConflict)
	}

	MustUpdate(t, s, func(tx *store.Tx) error { return tx.SweepSecretLinks(start) })
	_, err = read("old")
	assert.ErrorIs(t, err, store.ErrNotFound)
	_, err = read("\x00\xff one")
	assert.NoError(t, err)
	MustView(t, s, func(tx *store.Tx) error {
		assert.Error(t, tx.CreateSecretLink(aLink("view", start)))
		assert.Error(t, tx.UseSecretLink(made.TokenHash))
		assert.Error(t, tx.SweepSecretLinks(start))
		return nil
	})
	assert.Zero(t, stamps, "links are no records, and nobody loads anything anew for them")
}

func secretLinkRace(t *testing.T, open Open) {
	stores := []*store.Store{open(t), open(t)}
	MustUpdate(t, stores[0], func(tx *store.Tx) error { return tx.CreateSecretLink(aLink("one", start)) })
	var won, lost atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			err := stores[i%2].Update(context.Background(), func(tx *store.Tx) error { return tx.UseSecretLink([]byte("one")) })
			if err == nil {
				won.Add(1)
			} else if assert.ErrorIs(t, err, store.ErrConflict) {
				lost.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, won.Load())
	assert.EqualValues(t, 7, lost.Load())
}
