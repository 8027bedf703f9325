package main

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// editDatabase changes the database as who has its file can.
func editDatabase(t *testing.T, env variables, statements ...string) {
	t.Helper()
	db := openEditor(t, env)
	for _, statement := range statements {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
}

// openEditor opens the database on one connection.
func openEditor(t *testing.T, env variables) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", databaseFile(env))
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestDoctorFindsNothingWrong(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	must(t, env, "client", "create", "bot", "--expires-in", "90d")
	said := must(t, env, "doctor")
	for _, check := range []string{"database", "folder", "master key", "contents", "keys", "scopes", "credentials", "clients", "audit log"} {
		assert.Contains(t, said, "ok       "+check)
	}
	assert.Equal(t, 9, strings.Count(said, "\n"), "one line each")
	var v doctorView
	require.NoError(t, json.Unmarshal([]byte(must(t, env, "doctor", "--output", "json")), &v))
	assert.True(t, v.OK)
	assert.Len(t, v.Checks, 9)
	assert.Contains(t, must(t, env, "audit", "verify"), "4 events", "it leaves none: it only looks")
}

func TestDoctorSaysWhatIsWrong(t *testing.T) {
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	for name, row := range map[string]struct {
		harm  func(t *testing.T, env variables)
		words string // of the line that tells
	}{
		"no database": {func(t *testing.T, env variables) { require.NoError(t, os.Remove(databaseFile(env))) },
			"problem  database     there is no database at "},
		"an empty file": {func(t *testing.T, env variables) { require.NoError(t, os.Truncate(databaseFile(env), 0)) },
			"is empty; put a backup in its place with bucketgate restore"},
		"a text in its place": {func(t *testing.T, env variables) {
			require.NoError(t, os.WriteFile(databaseFile(env), []byte(strings.Repeat("no database ", 100)), 0o600))
		}, "is not a Bucketgate database, or is damaged; name another file or restore a backup"},
		"a newer database": {func(t *testing.T, env variables) {
			editDatabase(t, env, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
		}, "is of version 99, and this program knows versions up to"},
		"an older database": {func(t *testing.T, env variables) {
			editDatabase(t, env, `DELETE FROM goose_db_version WHERE version_id > 1`)
		}, "is of version 1, and this program works with"},
		"no master key": {func(t *testing.T, env variables) { require.NoError(t, os.Remove(masterKeyFile(env))) },
			"problem  master key   there is none at "},
		"another master key": {func(t *testing.T, env variables) {
			other := newHome(t)
			must(t, other, "provider", "create", "x", "--workspace", "x")
			require.NoError(t, os.Rename(masterKeyFile(other), masterKeyFile(env)))
		}, "problem  master key   the database "},
		"a short master key": {func(t *testing.T, env variables) {
			require.NoError(t, os.WriteFile(masterKeyFile(env), []byte("bucketgate-master-key:AAAA\n"), 0o600))
		}, "is too short"},
		"a master key for all to read": {func(t *testing.T, env variables) { require.NoError(t, os.Chmod(masterKeyFile(env), 0o644)) },
			"can be read by others (mode 0644); run chmod 600 on it"},
		"a ciphertext that was changed": {func(t *testing.T, env variables) {
			editDatabase(t, env, `UPDATE sealed_values SET version = version + 1`)
		}, `problem  contents     the API key of credential "reader" (provider "acme") does not open`},
		"a scope that does not compile": {func(t *testing.T, env variables) {
			editDatabase(t, env, `UPDATE scopes SET repositories = '["("]'`)
		}, "problem  scopes       team does not compile and is disabled"},
		"a credential without a key": {func(t *testing.T, env variables) { must(t, env, "credential", "create", "bare", "--provider", "acme") },
			"problem  credentials  acme/bare has no API key; set it with bucketgate credential update bare --provider acme"},
		"a credential that expires soon": {func(t *testing.T, env variables) {
			must(t, env, "credential", "update", "reader", "--expires-on", day(10))
		},
			"problem  credentials  acme/reader expires soon, on " + day(10)},
		"a credential that has expired": {func(t *testing.T, env variables) {
			must(t, env, "credential", "update", "reader", "--expires-on", day(-3))
		},
			"problem  credentials  acme/reader expired on " + day(-3)},
		"a client that has expired": {func(t *testing.T, env variables) {
			must(t, env, "client", "create", "bot", "--expires-in", "90d")
			editDatabase(t, env, `UPDATE clients SET expires_at = 1000000`)
		}, "problem  clients      bot expired on 1970-01-01"},
		"an event that was changed": {func(t *testing.T, env variables) {
			editDatabase(t, env, `UPDATE audit_events SET target = 'innocent' WHERE seq = 2`)
		}, "problem  audit log    the audit log was tampered with: event "},
		"letters for the terminal": {func(t *testing.T, env variables) {
			editDatabase(t, env, `UPDATE credentials SET name = 'x' || char(27) || '[31m' || char(10) || 'ok', expires_on = '2020-01-01'`)
		}, "problem  credentials  acme/x\\x1b[31m\\nok expired on 2020-01-01"},
	} {
		t.Run(name, func(t *testing.T) {
			s, env := newBitbucket(t), newHome(t)
			guide(t, env, s)
			row.harm(t, env)
			_, before := os.Stat(masterKeyFile(env))
			got := run(t, env, "", "doctor")
			assert.Equal(t, exitFailed, got.code)
			assert.Contains(t, got.stdout, row.words)
			assert.Empty(t, got.stderr)
			assert.NotContains(t, got.stdout, testToken)
			for line := range strings.Lines(got.stdout) {
				assert.Regexp(t, `\A(ok     |problem)  [a-z ]{12} .+\n\z`, line)
			}
			var v doctorView
			require.NoError(t, json.Unmarshal([]byte(run(t, env, "", "doctor", "--output", "json").stdout), &v))
			assert.False(t, v.OK)
			_, after := os.Stat(masterKeyFile(env))
			assert.Equal(t, before == nil, after == nil, "it makes no key")
		})
	}
}

// The end of the log that was cut off shows with the head file alone.
func TestDoctorReadsTheHeadFile(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	head := filepath.Join(t.TempDir(), "head")
	env = env.with("BUCKETGATE_AUDIT_HEAD_FILE", head)
	guide(t, env, s)
	must(t, env, "doctor")
	editDatabase(t, env, `DELETE FROM audit_event_scopes`, `DELETE FROM audit_events WHERE seq = 3`)
	assert.Contains(t, must(t, env.without("BUCKETGATE_AUDIT_HEAD_FILE"), "doctor"), "2 events, and the chain is whole")
	got := run(t, env, "", "doctor")
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.stdout, "the head file knows it and it is gone")
	require.NoError(t, os.Remove(head))
	got = run(t, env, "", "doctor")
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.stdout, "if somebody has taken the head file away")
}
