package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runCommand runs one command that stands alone.
func runCommand(t *testing.T, env variables, command func(program) *cobra.Command, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr lockedBuffer
	cmd := command(program{stdout: &stdout, stderr: &stderr, lookupEnv: env.lookup})
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(append(args, "--database", env["BUCKETGATE_DATABASE"], "--master-key-file", env["BUCKETGATE_MASTER_KEY_FILE"]))
	err := cmd.ExecuteContext(t.Context())
	return stdout.String(), err
}

func TestCredentialTestAndScopePreview(t *testing.T) {
	s := newBitbucket(t)
	folder := t.TempDir()
	env := variables{"BUCKETGATE_DATABASE": filepath.Join(folder, "b.db"), "BUCKETGATE_MASTER_KEY_FILE": filepath.Join(folder, "k"), "K": testToken, "WRONG": "ATATT-wrong-key"}
	for _, args := range [][]string{
		{"provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL()},
		{"provider", "create", "other", "--workspace", "acme", "--api-url", s.URL()},
		{"credential", "create", "reader", "--provider", "acme", "--username", testUsername, "--api-key-env", "K"},
		{"credential", "create", "twin", "--provider", "acme", "--username", testUsername, "--api-key-env", "WRONG"},
		{"credential", "create", "twin", "--provider", "other", "--username", testUsername, "--api-key-env", "K"},
		{"scope", "create", "team", "--provider", "acme", "--credential", "reader", "--repositories", "api.*"},
	} {
		got := run(t, env, "", args...)
		require.Equal(t, exitDone, got.code, got.stderr)
	}
	out, err := runCommand(t, env, program.credentialTestCommand, "reader")
	require.NoError(t, err)
	assert.Contains(t, out, "who am I      Test Bot\n")
	out, err = runCommand(t, env, program.credentialTestCommand, "twin", "--provider", "acme", "--output", "json")
	assert.ErrorIs(t, err, errAnswered)
	assert.True(t, json.Valid([]byte(out)))
	assert.Contains(t, out, "Bitbucket rejected the key")
	_, err = runCommand(t, env, program.credentialTestCommand, "twin")
	assert.ErrorContains(t, err, "one of acme, other")

	out, err = runCommand(t, env, program.scopePreviewCommand, "team", "--repository", "hidden", "--output", "json")
	require.NoError(t, err)
	assert.Contains(t, out, `"matched":2,"total":3,"names":["api","api-two"],"warnings":[],"allowed":false`)
	out, err = runCommand(t, env, program.scopePreviewCommand, "--repositories", "API", "--provider", "acme", "--credential", "reader")
	require.NoError(t, err)
	assert.Contains(t, out, "0 of 3 repositories match\nwarning: repositories: API ")
	_, err = runCommand(t, env, program.scopePreviewCommand, "team", "--branches", "x")
	assert.ErrorIs(t, err, errUsage)
	_, err = runCommand(t, env, program.scopePreviewCommand)
	assert.ErrorIs(t, err, errUsage)
}
