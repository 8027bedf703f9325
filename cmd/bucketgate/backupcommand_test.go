package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func databaseFile(env variables) string {
	return filepath.Join(env["XDG_DATA_HOME"], "bucketgate", "bucketgate.db")
}

func masterKeyFile(env variables) string {
	return filepath.Join(env["XDG_CONFIG_HOME"], "bucketgate", "master.key")
}

func TestBackupOfALiveDatabaseAndRestore(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	call, end := served(t, env)
	require.Contains(t, call(), `"full_name":"acme/api"`)
	copied := filepath.Join(t.TempDir(), "copy.db")
	said := must(t, env, "backup", copied)
	assert.Contains(t, said, "the master key is not in it")
	assert.Contains(t, said, "keep a copy of "+masterKeyFile(env)+" elsewhere")
	info, err := os.Stat(copied)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	before, err := os.ReadFile(copied)
	require.NoError(t, err)
	again := run(t, env, "", "backup", copied)
	assert.Equal(t, exitFailed, again.code)
	assert.Equal(t, "bucketgate: there is a file "+copied+" already; a backup never overwrites one\n", again.stderr)
	after, err := os.ReadFile(copied)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	assert.Equal(t, 1, strings.Count(must(t, env, "audit", "list", "--tool", "backup"), "denied"))
	assert.Equal(t, 1, strings.Count(must(t, env, "audit", "list", "--tool", "backup"), "allowed"))

	must(t, env, "scope", "update", "team", "--repositories", "hidden")
	told := run(t, env, "", "restore", copied)
	assert.Equal(t, exitFailed, told.code)
	assert.Contains(t, told.stderr, "say --replace")
	open := run(t, env, "", "restore", copied, "--replace")
	assert.Equal(t, exitFailed, open.code)
	assert.Contains(t, open.stderr, "another process has the database "+databaseFile(env)+" open; stop the servers that use it, then restore")
	must(t, env, "call", "get_repo", "repository=hidden")
	end()

	var restored backupView
	require.NoError(t, json.Unmarshal([]byte(must(t, env, "restore", copied, "--replace", "--output", "json")), &restored))
	must(t, env, "call", "get_repo", "repository=api")
	assert.Contains(t, must(t, env, "audit", "verify"), "the audit log is whole")
	assert.Equal(t, 1, strings.Count(must(t, env, "audit", "list", "--tool", "restore"), "copy.db"))
	must(t, env.with("BUCKETGATE_DATABASE", restored.Kept), "call", "get_repo", "repository=hidden")
	must(t, env.with("BUCKETGATE_DATABASE", restored.Kept), "audit", "verify")
}

// On another machine: the backup, and the master key from where it was kept.
func TestRestoreElsewhereNeedsTheMasterKey(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	copied := filepath.Join(t.TempDir(), "copy.db")
	must(t, env, "backup", copied)
	elsewhere := newHome(t)
	none := run(t, elsewhere, "", "restore", copied)
	assert.Equal(t, exitFailed, none.code)
	assert.Equal(t, "bucketgate: there is no master key at "+masterKeyFile(elsewhere)+"; a backup does not hold it: put your copy of it there, or name it with --master-key-file\n", none.stderr)
	assert.NoFileExists(t, masterKeyFile(elsewhere), "a new one would only hide that the right one is missing")
	assert.NoFileExists(t, databaseFile(elsewhere))

	other := newHome(t)
	must(t, other, "provider", "create", "other", "--workspace", "other")
	wrong := run(t, elsewhere, "", "restore", copied, "--master-key-file", masterKeyFile(other))
	assert.Equal(t, exitFailed, wrong.code)
	assert.Contains(t, wrong.stderr, "the master key is not the one that this database was made with")
	assert.NoFileExists(t, databaseFile(elsewhere))

	assert.Equal(t, "restored "+databaseFile(elsewhere)+" from "+copied+"\n", must(t, elsewhere, "restore", copied, "--master-key-file", masterKeyFile(env)))
	must(t, elsewhere.with("BUCKETGATE_MASTER_KEY_FILE", masterKeyFile(env)), "call", "get_repo", "repository=api")
}

// Of a head file a restored log is a cut one: it is kept with the log that it
// belongs to, and another is begun.
func TestRestoreSetsTheHeadFileAside(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	head := filepath.Join(t.TempDir(), "head")
	env = env.with("BUCKETGATE_AUDIT_HEAD_FILE", head)
	guide(t, env, s)
	copied := filepath.Join(t.TempDir(), "copy.db")
	must(t, env, "backup", copied)
	must(t, env, "client", "create", "bot")
	must(t, env, "client", "create", "bot2")
	var restored backupView
	require.NoError(t, json.Unmarshal([]byte(must(t, env, "restore", copied, "--replace", "--output", "json")), &restored))
	must(t, env, "audit", "verify")
	must(t, env, "client", "create", "bot")
	must(t, env.with("BUCKETGATE_DATABASE", restored.Kept, "BUCKETGATE_AUDIT_HEAD_FILE", restored.KeptHead), "audit", "verify")
	cut := run(t, env.with("BUCKETGATE_AUDIT_HEAD_FILE", restored.KeptHead), "", "audit", "verify")
	assert.Equal(t, exitFailed, cut.code, "the kept head file still tells that this log is a shorter one")
}

func TestRestoreOfADamagedDatabase(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	copied := filepath.Join(t.TempDir(), "copy.db")
	must(t, env, "backup", copied)
	require.NoError(t, os.WriteFile(databaseFile(env), []byte("something has overwritten the file"), 0o600))
	must(t, env, "restore", copied, "--replace")
	must(t, env, "call", "get_repo", "repository=api")
}
