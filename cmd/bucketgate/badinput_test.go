package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// assertOneSentence holds that a command was refused with one line for people,
// and nothing else.
func assertOneSentence(t *testing.T, got outcome, code int, words string) {
	t.Helper()
	assert.Equal(t, code, got.code)
	assert.Empty(t, got.stdout)
	assert.Contains(t, got.stderr, words)
	assert.True(t, strings.HasPrefix(got.stderr, "bucketgate: "), got.stderr)
	assert.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
	for _, word := range []string{"SQLITE", "sqlite3", "goose", "malformed", "panic", "no such table", testToken} {
		assert.NotContains(t, got.stderr, word)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestWhatIsAskedForWrongly(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	must(t, env, "provider", "create", "other", "--workspace", "other")
	must(t, env, "credential", "create", "theirs", "--provider", "other", "--username", testUsername, "--api-key-env", "KEY")
	must(t, env, "client", "create", "bot", "--scope", "team")
	before := must(t, env, "export")
	line40 := func(text string) string {
		return writeFile(t, "scopes:\n"+strings.Repeat("# filler\n", 36)+"- name: web\n  provider: acme\n"+text+"\n")
	}
	newScope := func(more ...string) []string { return append([]string{"scope", "create", "x"}, more...) }
	for name, row := range map[string]struct {
		args  []string
		code  int
		words string
	}{
		"an unknown provider":                {newScope("--provider", "amce", "--credential", "reader"), 1, `there is no provider "amce"; did you mean "acme"?`},
		"an unknown credential":              {newScope("--provider", "acme", "--credential", "raeder"), 1, `there is no credential "raeder"; did you mean "reader"?`},
		"an unknown scope":                   {[]string{"scope", "show", "taem"}, 1, `there is no scope "taem"; did you mean "team"?`},
		"an unknown scope to call with":      {[]string{"call", "my_access", "--scope", "taem"}, 1, `there is no scope "taem"; did you mean "team"?`},
		"an unknown scope of a client":       {[]string{"client", "create", "x", "--scope", "taem"}, 1, `there is no scope "taem"; did you mean "team"?`},
		"an unknown client":                  {[]string{"client", "key", "bto"}, 1, `there is no client "bto"; did you mean "bot"?`},
		"a name like none":                   {[]string{"provider", "show", "zzzzzz"}, 1, `there is no provider "zzzzzz"; there is acme, other`},
		"a provider twice":                   {[]string{"provider", "create", "acme", "--workspace", "acme"}, 1, `there is a provider "acme" already; take another name, or update that one`},
		"a credential twice":                 {[]string{"credential", "create", "reader", "--provider", "acme", "--username", testUsername, "--api-key-env", "KEY"}, 1, `there is a credential "reader" already`},
		"a scope twice":                      {[]string{"scope", "create", "team", "--provider", "acme", "--credential", "reader"}, 1, `there is a scope "team" already`},
		"a client twice":                     {[]string{"client", "create", "bot"}, 1, `there is a client "bot" already`},
		"deleting a provider in use":         {[]string{"provider", "delete", "acme"}, 1, `provider "acme" is in use by credential "reader", scope "team"; change or delete that first`},
		"deleting a credential in use":       {[]string{"credential", "delete", "reader"}, 1, `credential "reader" is in use by scope "team"; change or delete that first`},
		"deleting a scope in use":            {[]string{"scope", "delete", "team"}, 1, `scope "team" is in use by client "bot"; change or delete that first`},
		"emptying a list":                    {[]string{"scope", "update", "team", "--repositories", ""}, 2, "to allow all say --all-repositories or --all-branches"},
		"emptying a list by file":            {[]string{"apply", "-f", writeFile(t, "scopes: [{name: team, provider: acme, credential: reader, branches: [main]}]\n")}, 1, "line 1: scope \"team\": an empty list of repositories means all of them: say all_repositories if that is meant"},
		"another workspace under a key":      {[]string{"provider", "update", "acme", "--workspace", "zz"}, 1, `the api_url and the workspace of provider "acme" cannot change while it has a credential (credential "reader")`},
		"another address under a key":        {[]string{"provider", "update", "acme", "--api-url", "https://evil.example/2.0"}, 1, "a key must not go to another address; create another provider"},
		"another address by file":            {[]string{"apply", "-f", writeFile(t, "providers: [{name: acme, workspace: acme, api_url: 'https://evil.example/2.0'}]\n")}, 1, "line 1: provider \"acme\": the api_url and the workspace"},
		"a credential of another provider":   {newScope("--provider", "acme", "--credential", "theirs"), 1, `the credential "theirs" is of provider "other", and not of "acme"`},
		"a scope that moves away":            {[]string{"scope", "update", "team", "--provider", "other"}, 1, `the credential "reader" is of provider "acme", and not of "other"`},
		"an action without a tool":           {newScope("--provider", "acme", "--credential", "reader", "--actions", "merge"), 1, `the action "merge" has no tool yet; this release knows only "read"`},
		"an action that is none":             {newScope("--provider", "acme", "--credential", "reader", "--actions", "fly"), 1, `there is no action "fly"`},
		"a scope without a provider":         {newScope(), 2, "--provider is missing; write bucketgate scope create NAME --provider P --credential C"},
		"a provider without a workspace":     {[]string{"provider", "create", "x"}, 2, "--workspace is missing"},
		"a provider without a name":          {[]string{"provider", "create"}, 2, "write bucketgate provider create NAME --workspace SLUG"},
		"an unknown key on line 40":          {[]string{"apply", "-f", line40("  credential: reader\n  repositry: [a]")}, 1, "line 41: scopes: unknown key repositry; did you mean repositories?"},
		"no YAML on line 40":                 {[]string{"apply", "-f", line40("  repositories: [a")}, 1, "line 40: this is not YAML"},
		"an unknown credential on line 40":   {[]string{"apply", "-f", line40("  credential: raeder")}, 1, `line 40: scope "web": there is no credential "raeder"; did you mean "reader"?`},
		"a credential of another on line 40": {[]string{"apply", "-f", line40("  credential: theirs")}, 1, `line 40: scope "web": the credential "theirs" is of provider "other"`},
		"a backup over a file":               {[]string{"backup", writeFile(t, "mine")}, 1, "already; a backup never overwrites one"},
		"a backup that is none":              {[]string{"restore", writeFile(t, strings.Repeat("no database", 100)), "--replace"}, 1, "is not a Bucketgate database, or is damaged"},
		"a backup that is not there":         {[]string{"restore", "/nonexistent.db", "--replace"}, 1, "the backup /nonexistent.db cannot be read: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			assertOneSentence(t, run(t, env, "", row.args...), row.code, row.words)
			assert.Equal(t, before, must(t, env, "export"), "nothing is half done")
		})
	}
}

func TestWhatIsWrongWithTheFiles(t *testing.T) {
	moved := `UPDATE sealed_values SET sealed = (SELECT v.sealed FROM sealed_values v JOIN credentials c ON c.id = v.credential_id WHERE c.name = 'other')
		WHERE credential_id = (SELECT id FROM credentials WHERE name = 'reader')`
	for name, row := range map[string]struct {
		harm  func(t *testing.T, env variables)
		words string
	}{
		"another master key": {func(t *testing.T, env variables) {
			other := newHome(t)
			must(t, other, "provider", "create", "x", "--workspace", "x")
			require.NoError(t, os.Rename(masterKeyFile(other), masterKeyFile(env)))
		}, "cannot be used: the master key is not the one that this database was made with; name the right file with BUCKETGATE_MASTER_KEY_FILE"},
		"a short master key": {func(t *testing.T, env variables) {
			require.NoError(t, os.WriteFile(masterKeyFile(env), []byte("bucketgate-master-key:AAAA\n"), 0o600))
		}, "is too short: it must hold 32 random bytes in base64; part of it is missing"},
		"an empty master key": {func(t *testing.T, env variables) { require.NoError(t, os.Truncate(masterKeyFile(env), 0)) },
			"is not a master key: its one line must begin with bucketgate-master-key:"},
		"a master key for all to read": {func(t *testing.T, env variables) { require.NoError(t, os.Chmod(masterKeyFile(env), 0o604)) },
			"can be read by others (mode 0604); run chmod 600 on it, and if somebody may have seen it, make a new one"},
		"no master key": {func(t *testing.T, env variables) { require.NoError(t, os.Remove(masterKeyFile(env))) },
			"needs the one that it was made with: put your copy of it there, or name it with --master-key-file"},
		"a newer database": {func(t *testing.T, env variables) {
			editDatabase(t, env, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
		}, "is of version 99, and this program knows versions up to 4; use the newer Bucketgate that made it"},
		"a corrupt database": {func(t *testing.T, env variables) {
			raw, err := os.ReadFile(databaseFile(env))
			require.NoError(t, err)
			for i := 4 * 4096; i < len(raw); i++ {
				raw[i] = 0xA5
			}
			require.NoError(t, os.WriteFile(databaseFile(env), raw, 0o600))
		}, "is damaged; restore a backup of it"},
		"a text in place of the database": {func(t *testing.T, env variables) {
			require.NoError(t, os.WriteFile(databaseFile(env), []byte("a text"), 0o600))
		}, "is not a Bucketgate database, or is damaged; name another file or restore a backup"},
		"a database with a trigger": {func(t *testing.T, env variables) {
			editDatabase(t, env, `CREATE TRIGGER t AFTER UPDATE ON clients BEGIN UPDATE clients SET revoked_at = 0; END`)
		}, "holds a trigger or a view, which Bucketgate never makes: somebody has edited it; restore a backup of it"},
		"a database that tells of no change": {func(t *testing.T, env variables) { editDatabase(t, env, `DELETE FROM changes`) },
			"has lost its mark of changes: somebody has edited it; restore a backup of it"},
		"a folder in place of the database": {func(t *testing.T, env variables) {
			require.NoError(t, os.Remove(databaseFile(env)))
			require.NoError(t, os.Mkdir(databaseFile(env), 0o700))
		}, "is a directory; name the file in it"},
	} {
		t.Run(name, func(t *testing.T) {
			s, env := newBitbucket(t), newHome(t)
			guide(t, env, s)
			row.harm(t, env)
			for _, args := range [][]string{
				{"scope", "list"}, {"client", "create", "x"}, {"stdio", "--scope", "team"}, {"call", "my_access", "--scope", "team"}, {"check", "--scope", "team"},
				{"keys", "rotate"}, {"backup", filepath.Join(t.TempDir(), "copy")}, {"audit", "verify"}, {"export"},
			} {
				assertOneSentence(t, run(t, env, "", args...), exitFailed, row.words)
			}
		})
	}
	t.Run("a ciphertext that was moved", func(t *testing.T) {
		s, env := newBitbucket(t), newHome(t)
		guide(t, env, s)
		must(t, env, "credential", "create", "other", "--provider", "acme", "--username", testUsername, "--api-key-env", "KEY")
		editDatabase(t, env, moved)
		words := `the API key of credential "reader" (provider "acme") does not open: it was changed in the database, or moved there from elsewhere; set it again`
		assertOneSentence(t, run(t, env, "", "scope", "preview", "team"), exitFailed, words)
		assertOneSentence(t, run(t, env, "", "keys", "rotate"), exitFailed, words+"; then bucketgate keys rotate once more finishes it")
		assert.Contains(t, run(t, env, "", "check").stderr, "bucketgate: "+words+"\n")
		assert.Contains(t, run(t, env, "", "credential", "test", "reader").stdout, words)
		call := run(t, env, "", "call", "get_repo", "repository=api")
		assert.Contains(t, call.stdout, `"code":"credential_rejected"`, "an agent learns no more")
		assert.NotContains(t, call.stdout, "reader")
		assert.Contains(t, call.stderr, "does not open", "and an admin why")

		must(t, env, "credential", "update", "reader", "--api-key-env", "KEY")
		must(t, env, "keys", "rotate")
		must(t, env, "call", "get_repo", "repository=api")
		assert.Len(t, keysOf(t, env).Keys, 1)
	})
	t.Run("a key that is not set", func(t *testing.T) {
		s, env := newBitbucket(t), newHome(t)
		guide(t, env, s)
		must(t, env, "credential", "create", "bare", "--provider", "acme")
		must(t, env, "scope", "create", "bare", "--provider", "acme", "--credential", "bare")
		words := `no API key is set for credential "bare"; set it with bucketgate credential update`
		assertOneSentence(t, run(t, env, "", "scope", "preview", "bare"), exitFailed, words)
		assert.Contains(t, run(t, env, "", "check", "--scope", "bare").stderr, "bucketgate: "+words+"\n")
		assert.Contains(t, run(t, env, "", "call", "get_repo", "repository=api", "--scope", "bare").stdout, `"code":"credential_rejected"`)
	})
}

// Another process that writes for long makes a command wait, and then say so.
func TestALockedDatabase(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	before := must(t, env, "export")
	db := openEditor(t, env)
	_, err := db.Exec(`BEGIN IMMEDIATE`)
	require.NoError(t, err)
	assertOneSentence(t, run(t, env, "", "client", "create", "x"), exitFailed, "is locked by another process; try again when that has finished")
	_, err = db.Exec(`ROLLBACK`)
	require.NoError(t, err)
	assert.Equal(t, before, must(t, env, "export"))
}

// Of two who change one record at once from one version, one is told; of many
// who write at once all do.
func TestProcessesThatWriteAtOnce(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	var all sync.WaitGroup
	outcomes := make([]outcome, 16)
	for i := range outcomes {
		all.Go(func() {
			args := []string{"client", "create", "c" + string(rune('a'+i))}
			if i%2 == 1 {
				args = []string{"scope", "update", "team", "--version", "1", "--description", args[2]}
			}
			cmd := command(t, env, args...)
			var stdout, stderr lockedBuffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run()
			outcomes[i] = outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
		})
	}
	all.Wait()
	updated := 0
	for i, got := range outcomes {
		switch {
		case got.code == exitDone && i%2 == 1:
			updated++
		case i%2 == 1:
			assertOneSentence(t, got, exitFailed, "somebody else has changed it meanwhile: look at it again, and repeat the change with the version that you then see")
		default:
			assert.Equal(t, exitDone, got.code, got.stderr)
		}
	}
	assert.Equal(t, 1, updated)
	assert.Equal(t, 9, strings.Count(must(t, env, "client", "list"), "\n"))
	assert.Contains(t, must(t, env, "audit", "verify"), "19 events")
}
