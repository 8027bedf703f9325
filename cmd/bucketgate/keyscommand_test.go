package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// manyCredentials are more than one transaction of a rotation seals anew.
func manyCredentials(t *testing.T, env variables, n int) {
	t.Helper()
	var file strings.Builder
	file.WriteString("credentials:\n")
	for i := range n {
		fmt.Fprintf(&file, "- {provider: acme, name: c%d, username: %s, api_key_env: KEY}\n", i, testUsername)
	}
	got := run(t, env, file.String(), "apply", "-f", "-")
	require.Equal(t, exitDone, got.code, got.stderr)
}

func keysOf(t *testing.T, env variables) keysView {
	t.Helper()
	var v keysView
	require.NoError(t, json.Unmarshal([]byte(must(t, env, "keys", "status", "--output", "json")), &v))
	return v
}

// databaseOf opens the database of an environment, as another process does.
func databaseOf(t *testing.T, env variables) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{
		Database: filepath.Join(env["XDG_DATA_HOME"], "bucketgate", "bucketgate.db"),
		MasterKey: func() (secret.MasterKey, error) {
			return secret.LoadMasterKey(filepath.Join(env["XDG_CONFIG_HOME"], "bucketgate", "master.key"))
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// served starts the built program as an MCP client does, and returns a call of
// get_repo and what ends it.
func served(t *testing.T, env variables) (call func() string, end func()) {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: command(t, env, "stdio", "--scope", "team")}, nil)
	require.NoError(t, err)
	call = func() string {
		result, err := session.CallTool(context.WithoutCancel(t.Context()), &mcp.CallToolParams{Name: "get_repo", Arguments: map[string]any{"repository": "api"}})
		if err != nil {
			return err.Error()
		}
		return result.Content[0].(*mcp.TextContent).Text
	}
	var once sync.Once
	end = func() { once.Do(func() { session.Close() }) }
	t.Cleanup(end)
	return call, end
}

func TestKeysAreReplacedWhileAServerServes(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	manyCredentials(t, env, 120)
	call, _ := served(t, env)
	require.Contains(t, call(), `"full_name":"acme/api"`)

	stop, failed := make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-stop:
				return
			default:
				if answer := call(); !strings.Contains(answer, `"full_name":"acme/api"`) {
					failed <- answer
					return
				}
			}
		}
	}()
	first := keysOf(t, env)
	for range 3 {
		assert.Regexp(t, `\Asealed with the new key \d+: 121 values; the old key is gone\n\z`, must(t, env, "keys", "rotate"))
	}
	close(stop)
	assert.Empty(t, <-failed)
	last := keysOf(t, env)
	require.Len(t, last.Keys, 1)
	assert.Equal(t, keyView{ID: last.Keys[0].ID, State: "in use", Values: 121}, last.Keys[0])
	assert.NotEqual(t, first.Keys[0].ID, last.Keys[0].ID)

	// What is sealed with the new key the running server opens too: after a
	// change it reads the credential anew.
	must(t, env, "credential", "update", "reader", "--api-key-env", "KEY", "--field", "note=x")
	must(t, env, "scope", "update", "team", "--description", "new")
	time.Sleep(300 * time.Millisecond) // not needed for it to be right, but to be a test of the reload
	assert.Contains(t, call(), `"full_name":"acme/api"`)
	again, _ := served(t, env)
	assert.Contains(t, again(), `"full_name":"acme/api"`)
	assert.Equal(t, 3, strings.Count(must(t, env, "audit", "list", "--tool", "rotate_keys"), "allowed"), "one event each")
	must(t, env, "audit", "verify")
}

// A rotation that another process has begun and not finished is told, and
// finished without a further key.
func TestAnInterruptedRotationIsFinished(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	db := databaseOf(t, env)
	require.NoError(t, db.Update(t.Context(), (*store.Tx).BeginRotation))
	status := run(t, env, "", "keys", "status")
	assert.Regexp(t, `(?m)^\d+ +being replaced +1$`, status.stdout)
	assert.Regexp(t, `(?m)^\d+ +in use +0$`, status.stdout)
	assert.Contains(t, status.stderr, "bucketgate keys rotate finishes it")
	begun := keysOf(t, env).Keys[1].ID
	doctor := run(t, env, "", "doctor")
	assert.Equal(t, exitFailed, doctor.code)
	assert.Contains(t, doctor.stdout, "problem  keys")

	must(t, env, "keys", "rotate")
	assert.Equal(t, []keyView{{ID: begun, State: "in use", Values: 1}}, keysOf(t, env).Keys)
	must(t, env, "call", "get_repo", "repository=api")
}

// Killed at any moment, a rotation leaves a database in which everything opens.
func TestARotationThatIsKilled(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	manyCredentials(t, env, 300)
	call, _ := served(t, env)
	for i := range 8 {
		rotate := command(t, env, "keys", "rotate")
		require.NoError(t, rotate.Start())
		time.Sleep(time.Duration(15+5*i) * time.Millisecond) // whatever it has reached by then
		_ = rotate.Process.Kill()
		var exit *exec.ExitError
		if err := rotate.Wait(); err != nil {
			require.ErrorAs(t, err, &exit)
		}
		require.Contains(t, call(), `"full_name":"acme/api"`)
		require.NoError(t, databaseOf(t, env).Check(t.Context()))
	}
	must(t, env, "keys", "rotate")
	assert.Len(t, keysOf(t, env).Keys, 1)
	assert.Zero(t, keysOf(t, env).Lost)
	must(t, env, "call", "get_repo", "repository=api")
	must(t, env, "audit", "verify")
}

// A row that somebody has put into the database keeps no old key, and a rotation
// that could not begin does not speak of an end.
func TestWhatARotationSays(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	editDatabase(t, env, `INSERT INTO sealed_values (credential_id, name, version, sealed) SELECT 'nobody', name, version, sealed FROM sealed_values`)
	old := keysOf(t, env).Keys[0].ID
	assert.Contains(t, must(t, env, "keys", "rotate"), "the old key is gone")
	keys := keysOf(t, env).Keys
	require.Len(t, keys, 1)
	assert.NotEqual(t, old, keys[0].ID)
	doctor := run(t, env, "", "doctor")
	assert.Equal(t, exitFailed, doctor.code)
	assert.Contains(t, doctor.stdout, "a row of sealed_values belongs to a record that is not there")

	db := openEditor(t, env)
	_, err := db.Exec(`BEGIN IMMEDIATE`)
	require.NoError(t, err)
	locked := run(t, env, "", "keys", "rotate")
	assertOneSentence(t, locked, exitFailed, "is locked by another process; try again when that has finished")
	assert.NotContains(t, locked.stderr, "once more")
}

// What would only make an empty database says that there is none, and makes
// neither it nor a key.
func TestCommandsThatNeedADatabase(t *testing.T) {
	for _, args := range [][]string{{"keys", "status"}, {"keys", "rotate"}, {"backup", "copy.db"}, {"doctor"}, {"audit", "list"}, {"audit", "verify"}, {"audit", "export"}, {"export"}} {
		env := newHome(t)
		got := run(t, env, "", args...)
		assert.Equal(t, exitFailed, got.code, args)
		assert.Contains(t, got.stdout+got.stderr, "there is no database at "+env["XDG_DATA_HOME"])
		left, err := filepath.Glob(filepath.Join(env["HOME"], "*"))
		require.NoError(t, err)
		assert.Empty(t, left, args)
	}
}
