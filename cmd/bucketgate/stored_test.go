package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
)

// newHome returns an environment with a home of its own and nothing set up.
func newHome(t *testing.T) variables {
	t.Helper()
	home := t.TempDir()
	return variables{"HOME": home, "XDG_DATA_HOME": filepath.Join(home, "data"), "XDG_CONFIG_HOME": filepath.Join(home, "config"), "KEY": testToken}
}

// must runs a command line that must succeed, and returns its stdout.
func must(t *testing.T, env variables, args ...string) string {
	t.Helper()
	got := run(t, env, "", args...)
	require.Equal(t, exitDone, got.code, "%v: %s", args, got.stderr)
	return got.stdout
}

// guide does the guide's steps 2 to 4 by command.
func guide(t *testing.T, env variables, s *bitbuckettest.Server) {
	t.Helper()
	must(t, env, "provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL())
	must(t, env, "credential", "create", "reader", "--provider", "acme", "--username", testUsername, "--api-key-env", "KEY")
	must(t, env, "scope", "create", "team", "--provider", "acme", "--credential", "reader", "--repositories", "api.*", "--branches", "main|feature/.*")
}

func TestTheGuideByCommandAndACall(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	answer := must(t, env, "call", "get_repo", "repository=api")
	assert.Contains(t, answer, `"full_name":"acme/api"`)
	assert.Contains(t, answer, `"scopes":["team"]`)

	s.ResetJournal()
	refused := run(t, env, "", "call", "get_repo", "repository=hidden")
	assert.Equal(t, exitFailed, refused.code)
	assert.Contains(t, refused.stdout, `"code":"not_found"`)
	s.AssertNothingSent(t)

	check := must(t, env, "check")
	assert.Contains(t, check, "2 of 3 repositories match: api, api-two")
}

func TestStdioFromTheStore(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: command(t, env, "stdio", "--scope", "team")}, nil)
	require.NoError(t, err)
	defer session.Close()
	call := func() string {
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "list_repos", Arguments: map[string]any{"detail": "names"}})
		require.NoError(t, err)
		return result.Content[0].(*mcp.TextContent).Text
	}
	assert.Contains(t, call(), `"names":["api","api-two"]`)

	// A change by another process takes effect in the running one.
	must(t, env, "scope", "update", "team", "--repositories", "api")
	require.Eventually(t, func() bool { return strings.Contains(call(), `"names":["api"]`) }, time.Second, 20*time.Millisecond)
	must(t, env, "scope", "delete", "team")
	require.Eventually(t, func() bool { return strings.Contains(call(), "action_not_granted") }, time.Second, 20*time.Millisecond)
}

func TestWhichStoredScope(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	none := run(t, env, "", "stdio")
	assert.Equal(t, exitFailed, none.code)
	assert.Empty(t, none.stdout)
	assert.Contains(t, none.stderr, varWorkspace)
	assert.Contains(t, none.stderr, "bucketgate provider create")

	guide(t, env, s)
	must(t, env, "scope", "create", "other", "--provider", "acme", "--credential", "reader", "--repositories", "hidden")
	several := run(t, env, "", "stdio")
	assert.Equal(t, exitFailed, several.code)
	assert.Contains(t, several.stderr, "name those to serve with --scope, of other, team")
	unknown := run(t, env, "", "call", "my_access", "--scope", "taem")
	assert.Contains(t, unknown.stderr, `there is no scope "taem"; did you mean "team"?`)

	both := must(t, env, "call", "list_repos", "detail=names", "--scope", "team", "--scope", "other")
	assert.Contains(t, both, `"names":["api","api-two","hidden"]`)
	one := must(t, env, "call", "list_repos", "detail=names", "--scope", "other")
	assert.Contains(t, one, `"names":["hidden"]`)
}

func TestRecordsAsJSON(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	for _, kind := range []string{"provider", "credential", "scope", "client"} {
		var list []map[string]any
		require.NoError(t, json.Unmarshal([]byte(must(t, env, kind, "list", "--output", "json")), &list), kind)
		if kind == "client" {
			assert.Empty(t, list)
			continue
		}
		require.Len(t, list, 1, kind)
		var shown map[string]any
		require.NoError(t, json.Unmarshal([]byte(must(t, env, kind, "show", list[0]["name"].(string), "--output", "json")), &shown))
		assert.Equal(t, list[0], shown)
	}
	var created map[string]any
	require.NoError(t, json.Unmarshal([]byte(must(t, env, "client", "create", "bot", "--scope", "team", "--output", "json")), &created))
	assert.True(t, strings.HasPrefix(created["key"].(string), "bg_"))
}

func TestAClientsKeyIsAloneOnTheLastLine(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	last := func(out string) string {
		lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
		return lines[len(lines)-1]
	}
	first := last(must(t, env, "client", "create", "bot", "--expires-in", "90d"))
	second := last(must(t, env, "client", "key", "bot"))
	assert.Regexp(t, `\Abg_[a-z0-9]+_[a-z0-9]+\z`, first)
	assert.NotEqual(t, first, second)
	must(t, env, "client", "delete", "bot")
	assert.Contains(t, must(t, env, "client", "list"), "revoked")
}

// What is not given to update stays.
func TestUpdateKeepsTheRest(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	must(t, env, "scope", "update", "team", "--description", "for the team")
	shown := must(t, env, "scope", "show", "team", "--output", "json")
	assert.Contains(t, shown, `"repositories":["api.*"]`)
	assert.Contains(t, shown, `"version":2`)
	must(t, env, "credential", "update", "reader", "--field", "note=x")
	assert.Contains(t, must(t, env, "credential", "show", "reader"), "set, ends in …")
	must(t, env, "call", "get_repo", "repository=api")

	emptied := run(t, env, "", "scope", "update", "team", "--version", "1", "--description", "stale")
	assert.Equal(t, exitFailed, emptied.code)
	assert.Contains(t, emptied.stderr, "somebody else has changed it meanwhile")
	must(t, env, "scope", "update", "team", "--all-repositories")
	assert.Contains(t, must(t, env, "scope", "show", "team", "--output", "json"), `"repositories":[]`)
}

func TestMistakesInRecords(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	for name, row := range map[string]struct {
		args  []string
		code  int
		words string
	}{
		"no key in the variable":       {[]string{"credential", "create", "x", "--provider", "acme", "--api-key-env", "NOPE"}, exitFailed, "the environment variable NOPE is not set"},
		"two sources of a key":         {[]string{"credential", "create", "x", "--provider", "acme", "--api-key-env", "KEY", "--api-key-stdin"}, exitUsage, "api-key"},
		"a key as an argument":         {[]string{"credential", "create", "x", "--provider", "acme", "--api-key", "secret"}, exitUsage, "unknown flag"},
		"an unknown provider":          {[]string{"credential", "create", "x", "--provider", "amce", "--api-key-env", "KEY"}, exitFailed, `did you mean "acme"?`},
		"a field without a value":      {[]string{"credential", "create", "x", "--provider", "acme", "--field", "x"}, exitUsage, "key=value"},
		"a day that is none":           {[]string{"credential", "create", "x", "--provider", "acme", "--expires-on", "soon"}, exitUsage, "2027-01-31"},
		"a pattern that is none":       {[]string{"scope", "create", "x", "--provider", "acme", "--credential", "reader", "--repositories", "(?=x)"}, exitFailed, "position 1"},
		"an empty pattern":             {[]string{"scope", "create", "x", "--provider", "acme", "--credential", "reader", "--branches", ""}, exitFailed, "an empty string is not a pattern"},
		"an action without a tool":     {[]string{"scope", "create", "x", "--provider", "acme", "--credential", "reader", "--actions", "merge"}, exitFailed, "has no tool yet"},
		"a workspace under a key":      {[]string{"provider", "update", "acme", "--workspace", "other"}, exitFailed, "reader"},
		"an output that is none":       {[]string{"scope", "list", "--output", "xml"}, exitUsage, "table or json"},
		"a duration that is none":      {[]string{"client", "create", "x", "--expires-in", "soon"}, exitUsage, "90d"},
		"a negative duration":          {[]string{"client", "create", "x", "--expires-in", "-5m"}, exitUsage, "90d"},
		"deleting what is in use":      {[]string{"credential", "delete", "reader"}, exitFailed, `scope "team"`},
		"an unknown command":           {[]string{"scope", "frobnicate"}, exitUsage, ""},
		"an admin's tools and a scope": {[]string{"stdio", "--admin", "--scope", "team"}, exitUsage, "leave --scope out"},
		"an admin's check":             {[]string{"check", "--admin"}, exitUsage, "leave --admin out"},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, env, "", row.args...)
			assert.Equal(t, row.code, got.code, got.stderr)
			assert.Contains(t, got.stderr, row.words)
			assert.Empty(t, got.stdout)
			assert.NotContains(t, got.stderr, testToken)
		})
	}
}

func TestTheKeyFromAFileAndFromStdin(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte(testToken+"\n"), 0o600))
	must(t, env, "credential", "update", "reader", "--api-key-file", path)
	must(t, env, "call", "get_repo", "repository=api")
	got := run(t, env, testToken+"\n", "credential", "update", "reader", "--api-key-stdin")
	require.Equal(t, exitDone, got.code, got.stderr)
	must(t, env, "call", "get_repo", "repository=api")
	empty := run(t, env, "\n", "credential", "update", "reader", "--api-key-stdin")
	assert.Contains(t, empty.stderr, "the API key is empty")
}

func TestAStoredStdioEndsWithItsContext(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := runUntil(ctx, env, "", "stdio")
	assert.NotContains(t, got.stderr, "panic")
}
