package store_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/internal/store/storetest"
)

// requireSentence holds that an error is one sentence for people, which names
// the database, and nothing of the library below.
func requireSentence(t *testing.T, err, kind error, config store.Config, words string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	require.ErrorContains(t, err, words)
	require.ErrorContains(t, err, config.Database)
	for _, word := range []string{"\n", "SQLITE", "sqlite3", "goose", "malformed", "(8)", "(11)"} {
		require.NotContains(t, err.Error(), word)
	}
}

func openError(t *testing.T, config store.Config) error {
	t.Helper()
	s, err := store.Open(context.Background(), config)
	if err == nil {
		s.Close()
	}
	require.Error(t, err)
	return err
}

func closedDatabase(t *testing.T) store.Config {
	t.Helper()
	config := newConfig(t)
	s := open(t, config)
	storetest.MustCredential(t, s, storetest.MustProvider(t, s, "acme"), "ci", "0123456789abcdef")
	require.NoError(t, s.Close())
	return config
}

func TestWrongMasterKey(t *testing.T) {
	config := closedDatabase(t)
	wrong := config
	wrong.MasterKey = func() (secret.MasterKey, error) { return secret.NewMasterKey(), nil }
	requireSentence(t, openError(t, wrong), secret.ErrWrongMasterKey, config, "the master key is not the one that this database was made with")
	edit(t, config, `UPDATE keyset SET sealed = CAST(replace(CAST(sealed AS TEXT), '"signing":"', '"signing":"AAAA') AS BLOB)`)
	requireSentence(t, openError(t, config), secret.ErrKeysetDamaged, config, "the sealed keyset was changed or is damaged")
	edit(t, config, `DELETE FROM keyset`)
	requireSentence(t, openError(t, config), store.ErrDamaged, config, "has lost its keyset")
}

// Without a master key nothing is made.
func TestNoMasterKeyNoDatabase(t *testing.T) {
	config := newConfig(t)
	config.MasterKey = func() (secret.MasterKey, error) { return secret.MasterKey{}, fs.ErrPermission }
	assert.ErrorIs(t, openError(t, config), fs.ErrPermission)
	assert.NoFileExists(t, config.Database)
	assert.ErrorContains(t, openError(t, store.Config{}), "needs a database and a master key")
}

func TestNewerDatabase(t *testing.T) {
	config := closedDatabase(t)
	edit(t, config, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	before, err := os.ReadFile(config.Database)
	require.NoError(t, err)
	requireSentence(t, openError(t, config), store.ErrNewer, config, "is of version 99, and this program knows versions up to 4; use the newer Bucketgate")
	after, err := os.ReadFile(config.Database)
	require.NoError(t, err)
	assert.Equal(t, before, after, "what is refused is not touched")
}

func TestOldDatabaseIsBroughtUpToDate(t *testing.T) {
	config := closedDatabase(t)
	db := editor(t, config)
	for _, statement := range []string{`DROP TABLE audit_events`, `DROP TABLE audit_event_scopes`, `DROP TABLE secret_links`, `DELETE FROM goose_db_version WHERE version_id >= 2`} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	s := open(t, config)
	writers, err := s.AuditWriters(context.Background())
	require.NoError(t, err)
	assert.Empty(t, writers)
	assert.Len(t, written(t, s), 1)
}

func TestDatabaseOfAnotherProgram(t *testing.T) {
	config := newConfig(t)
	require.NoError(t, os.MkdirAll(filepath.Dir(config.Database), 0o700))
	_, err := editor(t, config).Exec(`CREATE TABLE notes (text TEXT)`)
	require.NoError(t, err)
	requireSentence(t, openError(t, config), store.ErrUnusable, config, "is a database of another program")
	var tables int
	require.NoError(t, editor(t, config).QueryRow(`SELECT count(*) FROM sqlite_master`).Scan(&tables))
	assert.Equal(t, 1, tables)
}

func TestFilesThatAreNoDatabase(t *testing.T) {
	for name, contents := range map[string]string{
		"text":         strings.Repeat("This is a text and no database at all. ", 100),
		"short text":   "no",
		"a wrong head": "SQLite format 3\x00" + strings.Repeat("\xff", 4000),
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(t)
			require.NoError(t, os.MkdirAll(filepath.Dir(config.Database), 0o700))
			require.NoError(t, os.WriteFile(config.Database, []byte(contents), 0o600))
			requireSentence(t, openError(t, config), store.ErrDamaged, config, "damaged")
			after, err := os.ReadFile(config.Database)
			require.NoError(t, err)
			assert.Equal(t, contents, string(after))
		})
	}
}

func TestDamagedDatabase(t *testing.T) {
	config := closedDatabase(t)
	s := open(t, config)
	for i := range 400 {
		storetest.MustProvider(t, s, key(i))
	}
	require.NoError(t, s.Close())
	contents, err := os.ReadFile(config.Database)
	require.NoError(t, err)
	for i := 4096 * 4; i < len(contents); i++ { // the head and the schema stay
		contents[i] = 0xA5
	}
	require.NoError(t, os.WriteFile(config.Database, contents, 0o600))
	s, err = store.Open(context.Background(), config)
	if err == nil {
		defer s.Close()
		err = s.Check(context.Background())
	}
	requireSentence(t, err, store.ErrDamaged, config, "is damaged; restore a backup of it")
}

func TestADirectoryInPlaceOfTheDatabase(t *testing.T) {
	config := newConfig(t)
	require.NoError(t, os.MkdirAll(config.Database, 0o700))
	requireSentence(t, openError(t, config), store.ErrUnusable, config, "is a directory; name the file in it")
}

func TestAFileInPlaceOfTheFolder(t *testing.T) {
	config := newConfig(t)
	require.NoError(t, os.WriteFile(filepath.Dir(config.Database), nil, 0o600))
	requireSentence(t, openError(t, config), store.ErrUnusable, config, "not a directory")
}

func TestLockedDatabase(t *testing.T) {
	config := closedDatabase(t)
	config.LockTimeout = 50 * time.Millisecond
	s := open(t, config)
	other := editor(t, config)
	other.SetMaxOpenConns(1)
	_, err := other.Exec(`BEGIN IMMEDIATE`)
	require.NoError(t, err)
	words := "is locked by another process; try again"
	requireSentence(t, openError(t, config), store.ErrLocked, config, words)
	requireSentence(t, s.Update(context.Background(), func(*store.Tx) error { return nil }), store.ErrLocked, config, words)
	assert.Len(t, written(t, s), 1, "readers go on")
	_, err = other.Exec(`ROLLBACK`)
	require.NoError(t, err)
	storetest.MustProvider(t, s, "zeta")
}

// Who waits no longer than its context is not told that the database is locked
// for good, and waits no longer.
func TestWaitingEndsWithTheContext(t *testing.T) {
	config := closedDatabase(t)
	s := open(t, config)
	other := editor(t, config)
	other.SetMaxOpenConns(1)
	_, err := other.Exec(`BEGIN IMMEDIATE`)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	require.Error(t, s.Update(ctx, func(*store.Tx) error { return nil }))
	assert.Less(t, time.Since(begin), 4*time.Second)
	_, err = other.Exec(`ROLLBACK`)
	require.NoError(t, err)
}

func TestPathsWithUnusualLetters(t *testing.T) {
	for _, name := range []string{"a b.db", "a?b=c.db", "a%20b.db", "a#b.db", "ünï.db", "a'b\"c;.db", "a&mode=memory.db"} {
		config := newConfig(t)
		config.Database = filepath.Join(filepath.Dir(config.Database), name)
		s := open(t, config)
		storetest.MustProvider(t, s, "acme")
		require.NoError(t, s.Close())
		files, err := os.ReadDir(filepath.Dir(config.Database))
		require.NoError(t, err)
		require.Len(t, files, 1)
		assert.Equal(t, name, files[0].Name())
		assert.Len(t, written(t, open(t, config)), 1)
	}
}

func TestARelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	config := newConfig(t)
	config.Database = "here.db"
	s := open(t, config)
	storetest.MustProvider(t, s, "acme")
	assert.FileExists(t, "here.db")
}

// A trigger works in every process: it could take a revocation back in the
// very transaction in which an admin is told that it is done.
func TestADatabaseWithATriggerIsRefused(t *testing.T) {
	for name, statement := range map[string]string{
		"a trigger": `CREATE TRIGGER t AFTER UPDATE ON clients BEGIN UPDATE clients SET revoked_at = 0; END`,
		"a view":    `CREATE VIEW v AS SELECT 1`,
	} {
		t.Run(name, func(t *testing.T) {
			config := closedDatabase(t)
			copied := newConfig(t)
			s := open(t, config)
			backup := backupOf(t, s)
			require.NoError(t, s.Close())
			harmed := config
			harmed.Database = backup
			for _, c := range []store.Config{config, harmed} {
				_, err := editor(t, c).Exec(statement)
				require.NoError(t, err)
			}
			words := "holds a trigger or a view, which Bucketgate never makes: somebody has edited it; restore a backup of it"
			requireSentence(t, openError(t, config), store.ErrDamaged, config, words)
			_, err := store.Restore(context.Background(), copied, backup)
			require.ErrorContains(t, err, words)
			assert.NoFileExists(t, copied.Database)
		})
	}
}

// Without the row that tells of changes a server would go on with the rules
// that an admin has just taken back.
func TestAChangeThatNobodyWouldNoticeIsRefused(t *testing.T) {
	config := closedDatabase(t)
	s := open(t, config)
	edit(t, config, `DELETE FROM changes`)
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CreateProvider(store.Provider{Name: "unnoticed"})
		return err
	})
	requireSentence(t, err, store.ErrDamaged, config, "has lost its mark of changes")
	assert.Len(t, written(t, s), 1)
	require.NoError(t, s.Close())
	requireSentence(t, openError(t, config), store.ErrDamaged, config, "has lost its mark of changes")
}
