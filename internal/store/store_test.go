package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(helperJob); job != "" {
		os.Exit(help(job))
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	databases := map[*testing.T]store.Config{}
	storetest.Run(t, func(t *testing.T) *store.Store {
		config, ok := databases[t]
		if !ok {
			config = newConfig(t)
			databases[t] = config
		}
		return open(t, config)
	})
}

// newConfig is for a new database with a new master key, both on the disk.
func newConfig(t testing.TB) store.Config {
	t.Helper()
	folder := t.TempDir()
	return configIn(folder)
}

func configIn(folder string) store.Config {
	return store.Config{
		Database: filepath.Join(folder, "data", "bucketgate.db"),
		MasterKey: func() (secret.MasterKey, error) {
			return secret.LoadOrCreateMasterKey(filepath.Join(folder, "master.key"))
		},
	}
}

func open(t testing.TB, config store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// editor opens the database file as somebody would who goes round the store.
func editor(t testing.TB, config store.Config) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file://"+config.Database+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func edit(t testing.TB, config store.Config, statement string, args ...any) {
	t.Helper()
	result, err := editor(t, config).Exec(statement, args...)
	require.NoError(t, err)
	rows, err := result.RowsAffected()
	require.NoError(t, err)
	require.NotZero(t, rows, "the edit hit nothing: %s", statement)
}
