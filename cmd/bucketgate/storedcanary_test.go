package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canaryField is the value of a sensitive field.
const canaryField = `c4n4ry-F1eld/With&<Every>"Letter%41=9876543210`

// A canaryRun runs commands and keeps all that they say.
type canaryRun struct {
	t     *testing.T
	env   variables
	said  strings.Builder
	stdin string
}

// run runs a command, and leaves lines that begin with hide out of what is kept.
func (c *canaryRun) run(code int, hide string, args ...string) string {
	c.t.Helper()
	got := run(c.t, c.env, c.stdin, args...)
	require.Equal(c.t, code, got.code, "%v: %s%s", args, got.stdout, got.stderr)
	for line := range strings.Lines(got.stdout + got.stderr) {
		if hide == "" || !strings.HasPrefix(line, hide) {
			c.said.WriteString(line)
		}
	}
	return got.stdout
}

// No byte of a key, in any spelling, is in a file that the program writes or in
// what it says; but for a client's key, once, to who has just made it.
func TestNothingStoredOrSaidHoldsASecret(t *testing.T) {
	s, _ := canaryEnvironment(t)
	env := newHome(t).with("KEY", canaryKey, "FIELD", canaryField)
	env["BUCKETGATE_AUDIT_HEAD_FILE"] = filepath.Join(env["HOME"], "head")
	c := &canaryRun{t: t, env: env, stdin: canaryKey + "\n"}
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte(canaryKey), 0o600))

	c.run(exitDone, "", "provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL())
	c.run(exitDone, "", "credential", "create", "reader", "--provider", "acme", "--username", canaryUser, "--api-key-stdin",
		"--sensitive-field", "Pin="+canaryField, "--sensitive-field", "Other="+canaryField, "--field", "note=plain")
	db := databaseOf(t, env) // stays open, so that the log and the index beside the file stay too
	c.run(exitDone, "", "scope", "create", "team", "--provider", "acme", "--credential", "reader", "--repositories", "api")
	created := c.run(exitDone, "bg_", "client", "create", "bot", "--scope", "team")
	replaced := c.run(exitDone, "bg_", "client", "key", "bot")
	secrets := []string{canaryKey, canaryField, secretPart(t, created), secretPart(t, replaced)}

	c.run(exitDone, "", "credential", "update", "reader", "--api-key-file", path)
	c.run(exitDone, "", "credential", "update", "reader", "--api-key-env", "KEY")
	c.run(exitDone, "", "keys", "rotate")
	for _, output := range []string{"table", "json"} {
		for _, kind := range []string{"provider", "credential", "scope", "client"} {
			c.run(exitDone, "", kind, "list", "--output", output)
		}
		c.run(exitDone, "", "credential", "show", "reader", "--output", output)
		c.run(exitDone, "", "client", "show", "bot", "--output", output)
		c.run(exitDone, "", "credential", "test", "reader", "--output", output)
		c.run(exitDone, "", "scope", "preview", "team", "--output", output)
		c.run(exitDone, "", "keys", "status", "--output", output)
		c.run(exitDone, "", "doctor", "--output", output)
		c.run(exitDone, "", "audit", "list", "--output", output)
	}
	c.run(exitDone, "", "call", "get_repo", "repository=api")
	c.run(exitFailed, "", "call", "get_repo", "repository=hidden")
	c.run(exitDone, "", "check")
	c.run(exitFailed, "", "credential", "create", "reader", "--provider", "acme", "--username", canaryUser, "--api-key-env", "KEY")
	c.run(exitFailed, "", "credential", "create", "x", "--provider", "nosuch", "--api-key-env", "KEY", "--sensitive-field", "p="+canaryField)
	c.run(exitFailed, "", "credential", "create", "x", "--provider", "acme", "--api-key-env", "KEY") // no user name
	c.run(exitUsage, "", "credential", "create", "x", "--provider", "acme", "--sensitive-field", canaryKey[:20])
	c.stdin = "credentials:\n- {provider: acme, name: second, username: " + canaryUser + ", api_key_env: KEY, fields: [{key: Pin, sensitive: true, value_env: FIELD}]}\n"
	c.run(exitDone, "", "apply", "-f", "-")
	c.stdin = strings.Replace(c.stdin, "api_key_env: KEY", `api_key: '`+canaryKey+`'`, 1)
	c.run(exitFailed, "", "apply", "-f", "-")
	c.run(exitDone, "", "export")
	c.run(exitDone, "", "audit", "export")
	c.run(exitDone, "", "audit", "verify")
	copied := filepath.Join(env["HOME"], "copy.db")
	c.run(exitDone, "", "backup", copied)
	assertNoTraceOf(t, secrets, "what was said", c.said.String())

	names := assertNoFileHolds(t, env["HOME"], secrets)
	for _, name := range []string{"bucketgate.db", "bucketgate.db-wal", "bucketgate.db-shm", "copy.db", "head", "master.key"} {
		assert.Contains(t, names, name)
	}
	require.NoError(t, db.Close())
	c.run(exitDone, "", "restore", copied, "--replace")
	assertNoFileHolds(t, env["HOME"], secrets)
	assertNoTraceOf(t, secrets, "what was said", c.said.String())
}

// secretPart is a client's key without the part by which it is known.
func secretPart(t *testing.T, said string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(said), "\n")
	parts := strings.Split(lines[len(lines)-1], "_")
	require.Len(t, parts, 3)
	return parts[2]
}

func assertNoTraceOf(t *testing.T, secrets []string, where, text string) {
	t.Helper()
	for _, secret := range secrets {
		for _, trace := range traces(secret) {
			assert.False(t, strings.Contains(text, trace), "%s holds %q", where, trace)
		}
	}
}

// assertNoFileHolds returns the names of the files that it looked through.
func assertNoFileHolds(t *testing.T, folder string, secrets []string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		names = append(names, entry.Name())
		raw, err := os.ReadFile(path)
		assertNoTraceOf(t, secrets, path, string(raw))
		return err
	}))
	return names
}

// The search finds what lies in the database in plain: a field that is not
// sensitive.
func TestTheSearchThroughTheDatabaseFinds(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	db := databaseOf(t, env)
	must(t, env, "credential", "update", "reader", "--field", "plain="+canaryField)
	found := false
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(databaseFile(env) + suffix)
		require.NoError(t, err)
		for _, trace := range traces(canaryField) {
			found = found || strings.Contains(string(raw), trace)
		}
	}
	assert.True(t, found)
	require.NoError(t, db.Close())
}
