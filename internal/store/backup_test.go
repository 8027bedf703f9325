package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/internal/store/storetest"
)

func backupOf(t *testing.T, s *store.Store) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(context.Background(), path))
	return path
}

func TestBackupAndRestore(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	c := storetest.MustCredential(t, s, storetest.MustProvider(t, s, "acme"), "ci", "0123456789abcdef")
	backup := backupOf(t, s)
	storetest.MustProvider(t, s, "after the backup")
	require.NoError(t, s.RotateKeys(context.Background()))

	// Into the place of the database, while s goes on serving from it.
	noticed := make(chan struct{}, 100)
	require.NoError(t, s.Watch(t.Context(), func() { noticed <- struct{}{} }))
	kept, err := store.Restore(context.Background(), config, backup)
	require.NoError(t, err)
	select {
	case <-noticed:
	case <-time.After(5 * time.Second):
		t.Fatal("a restore went unnoticed")
	}
	assert.Equal(t, map[string]bool{"acme": true}, written(t, s))
	key, err := s.CredentialKey(context.Background(), c.ID)
	require.NoError(t, err, "the keyset of the backup is read anew")
	assert.Equal(t, "0123456789abcdef", key.Reveal())
	storetest.MustProvider(t, s, "after the restore")
	require.NoError(t, s.Check(context.Background()))

	// What was there is kept, and is a database.
	requireMode(t, 0o600, kept)
	assert.Equal(t, filepath.Dir(config.Database), filepath.Dir(kept))
	old := config
	old.Database = kept
	assert.Equal(t, map[string]bool{"acme": true, "after the backup": true}, written(t, open(t, old)))

	// To where there is nothing yet.
	fresh := config
	fresh.Database = filepath.Join(t.TempDir(), "new", "bucketgate.db")
	kept, err = store.Restore(context.Background(), fresh, backup)
	require.NoError(t, err)
	assert.Empty(t, kept)
	requireMode(t, 0o600, fresh.Database)
	assert.Equal(t, map[string]bool{"acme": true}, written(t, open(t, fresh)))
}

func TestBackupsThatAreRefused(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	storetest.MustProvider(t, s, "acme")
	backup := backupOf(t, s)
	contents, err := os.ReadFile(backup)
	require.NoError(t, err)
	variant := func(contents []byte) string {
		path := filepath.Join(t.TempDir(), "variant.db")
		require.NoError(t, os.WriteFile(path, contents, 0o600))
		return path
	}
	newer := config
	newer.Database = variant(contents)
	edit(t, newer, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	foreign := filepath.Join(t.TempDir(), "other", "bucketgate.db")
	other := store.Config{Database: foreign, MasterKey: func() (secret.MasterKey, error) { return secret.NewMasterKey(), nil }}
	theirs := backupOf(t, open(t, other))

	for path, words := range map[string]string{
		variant(nil):                         "is empty",
		variant([]byte("no database at al")): "is not a Bucketgate database",
		variant(contents[:len(contents)/2]):  "is damaged",
		newer.Database:                       "knows versions up to",
		theirs:                               "the master key is not the one",
		t.TempDir():                          "is not a regular file",
		filepath.Join(t.TempDir(), "none"):   "cannot be read: no such file",
	} {
		kept, err := store.Restore(context.Background(), config, path)
		require.ErrorContains(t, err, words)
		assert.ErrorContains(t, err, path)
		assert.Empty(t, kept)
		assert.Equal(t, map[string]bool{"acme": true}, written(t, s), "what is refused changes nothing")
	}
	files, err := os.ReadDir(filepath.Dir(config.Database))
	require.NoError(t, err)
	assert.Len(t, files, 3, "database, log and index")
}

func TestRestoreInPlaceOfADamagedDatabase(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	storetest.MustProvider(t, s, "acme")
	backup := backupOf(t, s)
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(config.Database, []byte("something has overwritten the file"), 0o600))
	kept, err := store.Restore(context.Background(), config, backup)
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{"acme": true}, written(t, open(t, config)))
	contents, err := os.ReadFile(kept)
	require.NoError(t, err)
	assert.Equal(t, "something has overwritten the file", string(contents))
}

func TestIsOpen(t *testing.T) {
	config := newConfig(t)
	requireOpen := func(want bool) {
		t.Helper()
		got, err := store.IsOpen(t.Context(), config)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	requireOpen(false)
	assert.NoFileExists(t, config.Database, "it asks, and makes nothing")
	s := open(t, config)
	requireOpen(true)
	storetest.MustProvider(t, s, "acme")
	requireOpen(true)
	storetest.MustProvider(t, s, "still usable")
	other := open(t, config)
	require.NoError(t, s.Close())
	requireOpen(true)
	require.NoError(t, other.Close())
	requireOpen(false)
	assert.Len(t, written(t, open(t, config)), 2, "what was asked left the database as it was")
}

func TestIsOpenSeesOtherProcesses(t *testing.T) {
	config := newConfig(t)
	other := startHelper(t, "write", filepath.Dir(filepath.Dir(config.Database)), "x", 100_000)
	require.NotEmpty(t, other.lines(1))
	is, err := store.IsOpen(t.Context(), config)
	require.NoError(t, err)
	assert.True(t, is)
	require.NotEmpty(t, other.lines(1), "it goes on")
	other.kill()
	is, err = store.IsOpen(t.Context(), config)
	require.NoError(t, err)
	assert.False(t, is)
}

func TestBackupPathsThatAreRefused(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	path := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	assert.EqualError(t, s.Backup(context.Background(), path), "there is a file "+path+" already; a backup never overwrites one")
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(kept))
	assert.Error(t, s.Backup(context.Background(), config.Database))
	assert.ErrorContains(t, s.Backup(context.Background(), filepath.Join(t.TempDir(), "none", "backup.db")), "cannot be made: no such file")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	path = filepath.Join(t.TempDir(), "cancelled.db")
	assert.Error(t, s.Backup(ctx, path))
	assert.NoFileExists(t, path, "no half backup is left")
}

// A backup that is made while others write is one moment of the database.
func TestBackupWhileOthersWrite(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				storetest.MustUpdate(t, s, func(tx *store.Tx) error { // two at a time
					_, err := tx.CreateProvider(store.Provider{Name: fmt.Sprint(i, "a")})
					if err == nil {
						_, err = tx.CreateProvider(store.Provider{Name: fmt.Sprint(i, "b")})
					}
					return err
				})
			}
		}
	})
	for range 5 {
		copied := config
		copied.Database = backupOf(t, s)
		b := open(t, copied)
		assert.Zero(t, len(written(t, b))%2)
		require.NoError(t, b.Check(context.Background()))
	}
	close(stop)
	all.Wait()
}

// To SQLite "file:copy.db" is an address and not a name: it would write into
// another file than the one that was made, with the mode that others can read,
// or into none at all.
func TestABackupIsTheFileThatWasNamed(t *testing.T) {
	for _, name := range []string{"file:copy.db", "file:copy.db?mode=memory", "copy.db?x#y%20"} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			config := newConfig(t)
			s := open(t, config)
			storetest.MustProvider(t, s, "acme")
			require.NoError(t, s.Backup(context.Background(), name))
			files, err := os.ReadDir(".")
			require.NoError(t, err)
			require.Len(t, files, 1)
			assert.Equal(t, name, files[0].Name())
			requireMode(t, 0o600, name)
			fresh := config
			fresh.Database = filepath.Join(t.TempDir(), "new.db")
			_, err = store.Restore(context.Background(), fresh, name)
			require.NoError(t, err)
			assert.Equal(t, map[string]bool{"acme": true}, written(t, open(t, fresh)))
		})
	}
}

// A mistyped --database must not cost another program its records.
func TestRestoreDoesNotReplaceAnotherProgramsDatabase(t *testing.T) {
	config := newConfig(t)
	s := open(t, config)
	storetest.MustProvider(t, s, "acme")
	backup := backupOf(t, s)
	theirs := config
	theirs.Database = filepath.Join(t.TempDir(), "notes.db")
	_, err := editor(t, theirs).Exec(`CREATE TABLE notes (text TEXT)`)
	require.NoError(t, err)
	before, err := os.ReadFile(theirs.Database)
	require.NoError(t, err)
	_, err = store.Restore(context.Background(), theirs, backup)
	requireSentence(t, err, store.ErrUnusable, theirs, "is a database of another program")
	after, err := os.ReadFile(theirs.Database)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	files, err := os.ReadDir(filepath.Dir(theirs.Database))
	require.NoError(t, err)
	assert.Len(t, files, 1)
}
