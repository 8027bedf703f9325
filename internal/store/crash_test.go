package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/internal/store/storetest"
)

// written returns the providers that are stored.
func written(t *testing.T, s *store.Store) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	storetest.MustView(t, s, func(tx *store.Tx) error {
		list, err := tx.Providers()
		for _, p := range list {
			names[p.Name] = true
		}
		return err
	})
	return names
}

// kill -9 in the middle of a thousand writes, again and again: what was
// acknowledged is there, each change has its event, and no event is without its
// change.
func TestKilledWritersLoseNothing(t *testing.T) {
	folder := t.TempDir()
	var acknowledged []string
	for round := range 10 {
		p := startHelper(t, "write", folder, fmt.Sprintf("round%02d", round), 1000)
		acknowledged = append(acknowledged, p.lines(1+rand.IntN(150))...)
		time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
		acknowledged = append(acknowledged, p.kill()...)

		s := open(t, configIn(folder))
		stored := written(t, s)
		for _, name := range acknowledged {
			require.Contains(t, stored, name)
		}
		require.LessOrEqual(t, len(stored), len(acknowledged)+round+1, "at most one write of each round was committed and not yet told")
		require.NoError(t, s.Check(context.Background()))
		requireEventsOf(t, s, stored)
		require.NoError(t, s.Close())
	}
	assert.Greater(t, len(acknowledged), 12)
}

func requireEventsOf(t *testing.T, s *store.Store, stored map[string]bool) {
	t.Helper()
	writers, err := s.AuditWriters(context.Background())
	require.NoError(t, err)
	events := map[string]bool{}
	for _, writer := range writers {
		want := int64(1)
		require.NoError(t, s.EachAudit(context.Background(), writer, func(r audit.Record) error {
			require.Equal(t, want, r.Seq)
			want++
			events[r.Event.ID] = true
			return nil
		}))
	}
	require.Equal(t, stored, events)
}

// A process that is killed while it makes the database leaves one that opens.
func TestKilledWhileTheDatabaseIsMade(t *testing.T) {
	for i := range 15 {
		folder := t.TempDir()
		p := startHelper(t, "open", folder, "", 0)
		time.Sleep(time.Duration(i*2) * time.Millisecond)
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		s := open(t, configIn(folder))
		storetest.MustProvider(t, s, "acme")
		require.NoError(t, s.Close())
	}
}

func TestTwoProcessesWriteAtOnce(t *testing.T) {
	folder := t.TempDir()
	const each = 150
	var helpers []*process
	for _, name := range []string{"one", "two", "three"} { // none of them finds a database
		helpers = append(helpers, startHelper(t, "write", folder, name, each))
	}
	var acknowledged []string
	for _, p := range helpers {
		acknowledged = append(acknowledged, p.succeed()...)
	}
	require.Len(t, acknowledged, 3*each)
	s := open(t, configIn(folder))
	stored := written(t, s)
	assert.Len(t, stored, 3*each)
	requireEventsOf(t, s, stored)
}

func TestProcessesThatOpenANewDatabaseAtOnce(t *testing.T) {
	for range 2 {
		folder := t.TempDir()
		var helpers []*process
		for range 6 {
			helpers = append(helpers, startHelper(t, "open", folder, "", 0))
		}
		for _, p := range helpers {
			p.succeed()
		}
		open(t, configIn(folder))
	}
}

// A rotation that is killed leaves a database in which everything opens, for
// processes that serve meanwhile too, and goes on when it is run again.
func TestKilledRotationGoesOn(t *testing.T) {
	folder := t.TempDir()
	s := open(t, configIn(folder))
	p := storetest.MustProvider(t, s, "acme")
	const count = 120
	ids := make([]string, count)
	storetest.MustUpdate(t, s, func(tx *store.Tx) error {
		for i := range ids {
			c, err := tx.CreateCredential(store.Credential{ProviderID: p.ID, Name: fmt.Sprint(i), Key: secret.NewText(key(i)),
				Fields: []store.Field{{Key: "pin", Sensitive: true, Secret: secret.NewText("4711")}}})
			if err != nil {
				return err
			}
			ids[i] = c.ID
		}
		return nil
	})
	requireKeys := func(s *store.Store) {
		t.Helper()
		for i, id := range ids[:20] { // Check opens them all
			got, err := s.CredentialKey(context.Background(), id)
			require.NoError(t, err)
			require.Equal(t, key(i), got.Reveal())
		}
		status, err := s.KeyStatus(context.Background())
		require.NoError(t, err)
		require.Zero(t, status.Lost)
		require.LessOrEqual(t, len(status.Keys), 2, "an interrupted rotation goes on and adds no further key")
		require.NoError(t, s.Check(context.Background()))
	}
	interrupted := 0
	for range 10 {
		helper := startHelper(t, "rotate", folder, "", 1000)
		helper.lines(1 + rand.IntN(3))
		time.Sleep(time.Duration(rand.IntN(20000)) * time.Microsecond)
		helper.kill()
		requireKeys(s)
		status, err := s.KeyStatus(context.Background())
		require.NoError(t, err)
		if len(status.Keys) == 2 {
			interrupted++
		}
	}
	assert.NotZero(t, interrupted, "no kill hit a rotation in the middle: the test tests nothing")
	require.NoError(t, s.RotateKeys(context.Background()))
	requireKeys(s)
	status, err := s.KeyStatus(context.Background())
	require.NoError(t, err)
	assert.Len(t, status.Keys, 1)
	assert.Equal(t, 2*count, status.Keys[0].Values)
}

func key(i int) string { return fmt.Sprintf("key-of-credential-%04d", i) }

// A change that another process makes is noticed within a second.
func TestWatchAcrossProcesses(t *testing.T) {
	folder := t.TempDir()
	s := open(t, configIn(folder))
	noticed := make(chan time.Time, 1000)
	require.NoError(t, s.Watch(t.Context(), func() { noticed <- time.Now() }))
	p := startHelper(t, "write", folder, "other", 1)
	require.Len(t, p.lines(1), 1)
	told := time.Now()
	select {
	case at := <-noticed:
		assert.Less(t, at.Sub(told), time.Second)
		assert.Len(t, written(t, s), 1)
	case <-time.After(10 * time.Second):
		t.Fatal("the change went unnoticed")
	}
	p.succeed()
}

func TestNewFilesAreForTheirOwnerOnly(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	storetest.MustProvider(t, s, "acme")
	requireMode(t, 0o700, filepath.Dir(config.Database))
	for _, file := range []string{"", "-wal", "-shm"} {
		requireMode(t, 0o600, config.Database+file)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(context.Background(), backup))
	requireMode(t, 0o600, backup)
}
