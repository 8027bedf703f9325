package storetest

import (
	"context"
	"errors"
	"fmt"
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

func providerNames(t testing.TB, s *store.Store) []string {
	t.Helper()
	var list []store.Provider
	MustView(t, s, func(tx *store.Tx) (err error) {
		list, err = tx.Providers()
		return err
	})
	return names(list, func(p store.Provider) string { return p.Name })
}

func allOrNothing(t *testing.T, open Open) {
	s := open(t)
	refuse := errors.New("no")
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CreateProvider(store.Provider{Name: "half"})
		require.NoError(t, err)
		return refuse
	})
	assert.ErrorIs(t, err, refuse)
	assert.Panics(t, func() {
		_ = s.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.CreateProvider(store.Provider{Name: "half"})
			require.NoError(t, err)
			panic("in the middle")
		})
	})
	ctx, cancel := context.WithCancel(context.Background())
	err = s.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.CreateProvider(store.Provider{Name: "half"})
		require.NoError(t, err)
		cancel()
		return nil
	})
	assert.Error(t, err)
	assert.Empty(t, providerNames(t, s))
	MustProvider(t, s, "whole") // the writer is free again
	assert.Equal(t, []string{"whole"}, providerNames(t, s))
}

// A change that was refused in part must not be committed in part, also by who
// forgets to hand the error on.
func spoiled(t *testing.T, open Open) {
	s := open(t)
	p := MustProvider(t, s, "acme")
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, _ = tx.CreateCredential(store.Credential{ProviderID: p.ID, Name: "ci", Fields: []store.Field{{Key: "a"}, {Key: "a"}}})
		return nil
	})
	assert.ErrorIs(t, err, store.ErrExists)
	MustView(t, s, func(tx *store.Tx) error {
		list, err := tx.Credentials("")
		assert.Empty(t, list)
		return err
	})
}

func viewChangesNothing(t *testing.T, open Open) {
	s := open(t)
	p := MustProvider(t, s, "acme")
	for _, change := range []func(*store.Tx) error{
		func(tx *store.Tx) error { _, err := tx.CreateProvider(store.Provider{Name: "x"}); return err },
		func(tx *store.Tx) error { return tx.DeleteProvider(p.ID, p.Version) },
		func(tx *store.Tx) error { return tx.AppendAudit(record("w", 1)) },
		func(tx *store.Tx) error { return tx.TouchClient("x", time.Now()) },
	} {
		assert.ErrorContains(t, s.View(context.Background(), change), "belongs in Update")
	}
	assert.Equal(t, []string{"acme"}, providerNames(t, s))
}

func viewHasOnePicture(t *testing.T, open Open) {
	s := open(t)
	MustProvider(t, s, "acme")
	MustView(t, s, func(tx *store.Tx) error {
		before, err := tx.Providers()
		require.NoError(t, err)
		MustProvider(t, s, "zeta") // a reader does not hold up a writer
		after, err := tx.Providers()
		require.NoError(t, err)
		assert.Equal(t, before, after)
		return nil
	})
	assert.Equal(t, []string{"acme", "zeta"}, providerNames(t, s))
}

func conflicts(t *testing.T, open Open) {
	s := open(t)
	p := MustProvider(t, s, "acme")
	c := MustCredential(t, s, p, "ci", "0123456789abcdef")
	scope, client := MustScope(t, s, c, "web"), MustClient(t, s, "claude", "web")
	updates := map[string]func(*store.Tx) error{
		`provider "acme"`: func(tx *store.Tx) error { _, err := tx.UpdateProvider(p); return err },
		`credential "ci"`: func(tx *store.Tx) error { _, err := tx.UpdateCredential(c); return err },
		`scope "web"`:     func(tx *store.Tx) error { _, err := tx.UpdateScope(scope); return err },
		`client "claude"`: func(tx *store.Tx) error { _, err := tx.UpdateClient(client); return err },
	}
	for record, update := range updates {
		MustUpdate(t, s, update)
		err := s.Update(context.Background(), update)
		assert.ErrorIs(t, err, store.ErrConflict)
		assert.ErrorContains(t, err, record+" was changed meanwhile: it is at version 2, and this change was made from version 1")
	}
	for _, remove := range []func(*store.Tx) error{
		func(tx *store.Tx) error { return tx.DeleteClient(client.ID, 1) },
	} {
		assert.ErrorIs(t, s.Update(context.Background(), remove), store.ErrConflict)
	}
}

// Many in two stores add one to the same record: each addition counts once.
func twoWriters(t *testing.T, open Open) {
	one, two := open(t), open(t)
	made := MustProvider(t, one, "counter")
	const each = 20
	var all sync.WaitGroup
	for i, s := range []*store.Store{one, two, one, two} {
		all.Go(func() {
			for range each {
				err := s.Update(context.Background(), func(tx *store.Tx) error {
					p, err := tx.Provider("counter")
					if err != nil {
						return err
					}
					p.UpdatedBy = fmt.Sprint(i)
					_, err = tx.UpdateProvider(p)
					return err
				})
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	MustView(t, two, func(tx *store.Tx) error {
		p, err := tx.Provider("counter")
		assert.Equal(t, made.Version+4*each, p.Version)
		return err
	})
}

// noticed counts what a watch reports, and waits for it.
type noticed struct{ count atomic.Int64 }

func watchOn(t *testing.T, s *store.Store) *noticed {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	n := &noticed{}
	require.NoError(t, s.Watch(ctx, func() { n.count.Add(1) }))
	return n
}

func (n *noticed) wait(t *testing.T, why string) {
	t.Helper()
	require.Eventually(t, func() bool { return n.count.Load() > 0 }, 5*time.Second, time.Millisecond, why)
	n.count.Store(0)
}

func watch(t *testing.T, open Open) {
	one, two := open(t), open(t)
	own, foreign := watchOn(t, one), watchOn(t, two)
	p := MustProvider(t, one, "acme")
	own.wait(t, "in the same store")
	foreign.wait(t, "in another")
	c := MustCredential(t, one, p, "ci", "0123456789abcdef")
	foreign.wait(t, "a credential")
	MustScope(t, one, c, "web")
	foreign.wait(t, "a scope")
	client := MustClient(t, one, "claude", "web")
	foreign.wait(t, "a client")
	MustUpdate(t, one, func(tx *store.Tx) error { return tx.DeleteClient(client.ID, client.Version) })
	foreign.wait(t, "a deletion")

	ctx, cancel := context.WithCancel(context.Background())
	ended := &noticed{}
	require.NoError(t, two.Watch(ctx, func() { ended.count.Add(1) }))
	cancel()
	time.Sleep(50 * time.Millisecond)
	MustProvider(t, two, "zeta")
	foreign.wait(t, "still watched")
	assert.Zero(t, ended.count.Load())
}

func watchOverlooks(t *testing.T, open Open) {
	s := open(t)
	client := MustClient(t, s, "claude")
	own, foreign := watchOn(t, s), watchOn(t, open(t))
	require.NoError(t, s.AppendAudit(context.Background(), []audit.Record{record("w", 1)}))
	MustUpdate(t, s, func(tx *store.Tx) error { return tx.TouchClient(client.ID, time.Now()) })
	require.NoError(t, s.RotateKeys(context.Background()))
	_ = s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CreateProvider(store.Provider{Name: "refused"})
		require.NoError(t, err)
		return errors.New("no")
	})
	time.Sleep(300 * time.Millisecond)
	assert.Zero(t, own.count.Load())
	assert.Zero(t, foreign.count.Load())
}

func rotation(t *testing.T, open Open) {
	s, other := open(t), open(t)
	p := MustProvider(t, s, "acme")
	var list []store.Credential
	for i := range 120 { // more than two batches
		list = append(list, MustCredential(t, s, p, fmt.Sprintf("c%03d", i), fmt.Sprintf("key-number-%04d", i)))
	}
	before, err := s.KeyStatus(context.Background())
	require.NoError(t, err)
	require.Len(t, before.Keys, 1)
	assert.Equal(t, 120, before.Keys[0].Values)
	assert.True(t, before.Keys[0].Primary)
	assertKey(t, other, list[0], "key-number-0000")
	mac, err := s.Keyset().MAC([]byte("x"))
	require.NoError(t, err)

	require.NoError(t, s.RotateKeys(context.Background()))
	after, err := other.KeyStatus(context.Background())
	require.NoError(t, err)
	require.Len(t, after.Keys, 1)
	assert.NotEqual(t, before.Keys[0].ID, after.Keys[0].ID)
	assert.Equal(t, 120, after.Keys[0].Values)
	assert.Zero(t, after.Lost)
	for _, s := range []*store.Store{s, other, open(t)} {
		for i, c := range list {
			assertKey(t, s, c, fmt.Sprintf("key-number-%04d", i))
		}
		assert.NoError(t, s.Keyset().VerifyMAC(mac, []byte("x")), "what was signed stays signed")
	}
	require.NoError(t, other.RotateKeys(context.Background()))
	assertKey(t, s, list[7], "key-number-0007")
}

// While one store rotates again and again, another sets keys and reads them.
func rotationAtWork(t *testing.T, open Open) {
	s, other := open(t), open(t)
	p := MustProvider(t, s, "acme")
	first := MustCredential(t, s, p, "first", "first-key-0123")
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer close(done)
		for range 6 {
			assert.NoError(t, s.RotateKeys(context.Background()))
		}
	})
	made := map[string]store.Credential{}
	for i := 0; ; i++ {
		select {
		case <-done:
		default:
			key := fmt.Sprintf("key-set-meanwhile-%d", i)
			var c store.Credential
			MustUpdate(t, other, func(tx *store.Tx) (err error) {
				c, err = tx.CreateCredential(store.Credential{ProviderID: p.ID, Name: fmt.Sprint(i), Key: secret.NewText(key)})
				return err
			})
			made[key] = c
			assertKey(t, other, c, key)
			assertKey(t, other, first, "first-key-0123")
			continue
		}
		break
	}
	all.Wait()
	for key, c := range made {
		assertKey(t, s, c, key)
	}
	status, err := s.KeyStatus(context.Background())
	require.NoError(t, err)
	assert.Len(t, status.Keys, 1)
	assert.Zero(t, status.Lost)
	assert.NoError(t, s.Check(context.Background()))
}

func openedAgain(t *testing.T, open Open) {
	s := open(t)
	c := MustCredential(t, s, MustProvider(t, s, "acme"), "ci", "0123456789abcdef")
	derived, err := s.Keyset().Derive("cursors", 32)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice does no harm")
	assert.Error(t, s.Update(context.Background(), func(*store.Tx) error { return nil }))

	again := open(t)
	assertKey(t, again, c, "0123456789abcdef")
	same, err := again.Keyset().Derive("cursors", 32)
	require.NoError(t, err)
	assert.Equal(t, derived, same)
}
