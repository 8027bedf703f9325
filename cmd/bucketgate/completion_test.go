package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// completed is what a shell is told for a line whose last word is begun.
func completed(t *testing.T, env variables, words ...string) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(must(t, env, append([]string{"__complete"}, words...)...)), "\n")
	require.True(t, strings.HasPrefix(lines[len(lines)-1], ":"), "the last line is for the shell: %q", lines)
	return lines[:len(lines)-1]
}

func TestCompletionOfNames(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	must(t, env, "scope", "create", "docs", "--provider", "acme", "--credential", "reader")
	must(t, env, "provider", "create", "other", "--workspace", "other")
	must(t, env, "credential", "create", "writer", "--provider", "other")
	must(t, env, "client", "create", "bot")
	must(t, env, "client", "create", "gone")
	must(t, env, "client", "delete", "gone")
	for _, row := range []struct{ line, want string }{
		{"stdio --scope ", "docs team"},
		{"call my_access --scope t", "team"},
		{"audit list --scope ", "docs team"},
		{"scope create x --provider ", "acme other"},
		{"scope create x --provider acme --credential ", "reader"},
		{"scope create x --credential ", "reader writer"},
		{"client create x --scope d", "docs"},
		{"scope show ", "docs team"},
		{"scope show team ", ""},
		{"scope preview ", "docs team"},
		{"provider delete o", "other"},
		{"credential test --provider other ", "writer"},
		{"client key ", "bot"},
		{"provider create ", ""},
		{"scope list --output ", "table json"},
		{"audit list --decision ", "allowed denied"},
	} {
		words := strings.Split(row.line, " ")
		assert.Equal(t, row.want, strings.Join(completed(t, env, words...), " "), row.line)
	}
	at := completed(t, env.without("XDG_DATA_HOME").without("XDG_CONFIG_HOME"), "stdio", "--database", databaseFile(env), "--master-key-file", masterKeyFile(env), "--scope", "")
	assert.Equal(t, []string{"docs", "team"}, at)
	named := env.without("XDG_DATA_HOME").without("XDG_CONFIG_HOME").with("BUCKETGATE_DATABASE", databaseFile(env), "BUCKETGATE_MASTER_KEY_FILE", masterKeyFile(env))
	assert.Equal(t, []string{"docs", "team"}, completed(t, named, "stdio", "--scope", ""))
}

// Whoever presses the tabulator gets no database made, and no error.
func TestCompletionMakesNothing(t *testing.T) {
	env := newHome(t)
	assert.Empty(t, completed(t, env, "stdio", "--scope", ""))
	left, err := filepath.Glob(filepath.Join(env["HOME"], "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestCompletionForShells(t *testing.T) {
	env := newHome(t)
	for shell, words := range map[string]string{"bash": "__start_bucketgate", "zsh": "#compdef bucketgate", "fish": "complete -c bucketgate"} {
		assert.Contains(t, must(t, env, "completion", shell), words)
	}
}
