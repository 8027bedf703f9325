package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/internal/audit"
	"bucketgate/internal/testneeds"
)

const interrupt = syscall.SIGTERM

func TestCall(t *testing.T) {
	s := newBitbucket(t)
	env := environmentOf(s)
	for _, tt := range []struct {
		name   string
		args   []string
		code   int
		stdout string // holds this
		stderr string // is this
	}{
		{"an answer", []string{"get_repo", "repository=api"}, exitDone, `{"summary":"Yes, acme/api can be accessed`, ""},
		{"a number", []string{"list_repos", "limit=1"}, exitDone, `"next_cursor"`, ""},
		{"a value with =", []string{"list_repos", "query=a=b"}, exitDone, `"repositories":[]`, ""},
		{"no arguments", []string{"my_access"}, exitDone, `"scopes":[{"scope":"environment"`, ""},
		{"out of scope", []string{"get_repo", "repository=hidden"}, exitFailed, `{"error":{"code":"not_found"`,
			"bucketgate: refused get_repo \"hidden\": repository \"hidden\" is allowed by none of the scopes \"environment\"\n"},
		{"missing", []string{"get_repo", "repository=api-missing"}, exitFailed, `{"error":{"code":"not_found"`, ""},
		{"a number that is none", []string{"list_repos", "limit=many"}, exitFailed, `\"limit\" must be a whole number`,
			"bucketgate: refused list_repos \"\": invalid_argument: \"limit\" must be a whole number from 1 to 1000.\n"},
		{"an argument twice", []string{"get_repo", "repository=api", "repository=hidden"}, exitFailed, `\"repository\" is given more than once`,
			"bucketgate: refused get_repo \"\": invalid_argument: \"repository\" is given more than once.\n"},
		{"an argument in another case", []string{"get_repo", "Repository=api"}, exitFailed, `write \"repository\"`,
			"bucketgate: refused get_repo \"\": invalid_argument: Argument names are case-sensitive: write \"repository\".\n"},
		{"an unknown tool", []string{"drop_repo"}, exitFailed, `The tools here are my_access, list_repos, get_repo, list_branches,`,
			"bucketgate: refused unknown \"\": invalid_argument: There is no such tool here.\n"},
		{"no tool", nil, exitUsage, "", "bucketgate: wrong usage: requires at least 1 arg(s), only received 0; write bucketgate call TOOL [key=value]... [flags] (see bucketgate call --help)\n"},
		{"no pair", []string{"get_repo", "api"}, exitUsage, "", "bucketgate: wrong usage: \"api\" is not key=value\n"},
		{"a pair without a key", []string{"get_repo", "=api"}, exitUsage, "", "bucketgate: wrong usage: \"=api\" is not key=value\n"},
		{"an unknown flag", []string{"get_repo", "--workspace=x"}, exitUsage, "", "bucketgate: wrong usage: unknown flag: --workspace\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, env, "", append([]string{"call"}, tt.args...)...)
			assert.Equal(t, tt.code, got.code)
			assert.Equal(t, tt.stderr, got.stderr)
			if tt.stdout == "" {
				assert.Empty(t, got.stdout)
				return
			}
			assert.Contains(t, got.stdout, tt.stdout)
			assert.True(t, json.Valid([]byte(got.stdout)))
			assert.Equal(t, 1, strings.Count(got.stdout, "\n"))
		})
	}
	s.AssertNoneNamed(t, "hidden")
}

func TestCheck(t *testing.T) {
	s := newBitbucket(t)
	env := environmentOf(s)
	for _, tt := range []struct {
		name   string
		env    variables
		fault  *sample.Fault
		code   int
		stdout string
		stderr string
	}{
		{"it works", env, nil, exitDone,
			"workspace     acme can be reached\n" +
				"credential    works, and belongs to Test Bot\n" +
				"repositories  repositories whose whole slug matches api.*: 2 of 3 repositories match: api, api-two\n" +
				"branches      branches whose whole name matches main|feature/.*\n", ""},
		{"nobody may be asked", env, new(sample.Status(403, "no").On("/user")), exitDone, "credential    works; whom it belongs to cannot be asked", ""},
		{"nothing matches", env.with(varRepoRegex, "nothing"), nil, exitFailed, "0 of 3 repositories match\n", "bucketgate: no repository matches: an agent would reach nothing\n"},
		{"a wrong key", env.with(varToken, "ATATTwrong"), nil, exitFailed, "",
			"bucketgate: Bitbucket rejected the credential of this scope. It may be wrong, expired, or need a user name: an admin has to renew it (without set-up: BITBUCKET_API_TOKEN and BITBUCKET_USERNAME). Trying again does not help.\n"},
		{"another workspace", env.with(varWorkspace, "mallory"), nil, exitFailed, "", "workspace mallory was not found, or the credential may not see it"},
		{"nobody listens", env.with(varAPI, "http://127.0.0.1:1/2.0"), nil, exitFailed, "", "bucketgate: Bitbucket gave no usable answer: the connection failed. Try again in a minute; if it stays so, tell an admin.\n"},
		{"HTML", env, new(sample.HTML(200, "<html>")), exitFailed, "", "Bitbucket gave no usable answer: it answered something that is no list."},
		{"429", env, new(sample.RateLimited("3600")), exitFailed, "", "Bitbucket takes no more requests of this credential for now."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.ClearFaults()
			if tt.fault != nil {
				s.Fail(*tt.fault)
			}
			got := run(t, tt.env, "", "check")
			assert.Equal(t, tt.code, got.code)
			assert.Contains(t, got.stdout, tt.stdout)
			assert.Equal(t, tt.stdout == "", got.stdout == "", got.stdout)
			assert.Contains(t, got.stderr, tt.stderr)
			assert.Equal(t, tt.stderr == "", got.stderr == "", got.stderr)
			assert.NotContains(t, got.stdout, "hidden", "what does not match is counted and not named")
		})
	}
}

// playedDemo runs the demo until it has said all, asks it, and interrupts it.
func playedDemo(t *testing.T, env variables, ask func(stdout string)) outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr lockedBuffer
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, lookupEnv: env.lookup}
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx, []string{"demo", "--listen", "127.0.0.1:0"}) }()
	require.Eventually(t, func() bool { return strings.Contains(stdout.String(), "docs/clients.md") || len(ended) > 0 }, time.Minute, 10*time.Millisecond)
	ask(stdout.String())
	cancel()
	return outcome{code: <-ended, stdout: stdout.String(), stderr: stderr.String()}
}

var demoLines = regexp.MustCompile(`agents  (\S+)/mcp\n\s+Authorization: Bearer (\S+)\n  admins  (\S+)/admin/mcp\n\s+Authorization: Bearer (\S+)\n`)

func TestDemo(t *testing.T) {
	got := playedDemo(t, nil, func(stdout string) {
		said := demoLines.FindStringSubmatch(stdout)
		require.Len(t, said, 5, stdout)
		agent, admin := rawClient{http.DefaultClient, said[1] + "/mcp", said[2]}, rawClient{http.DefaultClient, said[3] + "/admin/mcp", said[4]}
		status, body, err := agent.call("get_repo", arguments{"repository": "Duplocloud"})
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, body, "acme/duplocloud")
		status, body, err = admin.call("list_scopes", nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, body, demoScope)
	})
	require.Equal(t, exitDone, got.code, got.stderr)
	assert.Contains(t, got.stdout, `"summary":"Yes, acme/duplocloud can be accessed through scope duplocloud.`)
	assert.Contains(t, got.stdout, `"code":"not_found"`)
	for _, client := range []string{"Claude Code", "VS Code", "Cursor", "Codex", "Gemini CLI"} {
		assert.Contains(t, got.stdout, "\n"+client+", ")
	}
	assert.Equal(t, 1, strings.Count(got.stdout, `"error"`), "one call is refused")

	got = run(t, nil, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_repos","arguments":{"detail":"names"}}}`, "demo", "--stdio")
	require.Equal(t, exitDone, got.code, got.stderr)
	assert.Equal(t, 1, strings.Count(got.stdout, "\n"), "nothing but the answer")
	assert.Contains(t, got.stdout, "8 repositories of workspace acme")

	got = playedDemo(t, variables{varWorkspace: "other", varToken: "x", varRepoRegex: ".*"}, func(string) {})
	assert.Contains(t, got.stdout, "workspace     acme", "the demo is not about the user's own workspace")
}

func TestUsage(t *testing.T) {
	env := variables{varWorkspace: "acme", varToken: "x"}
	for _, tt := range []struct {
		args []string
		code int
		want string // on stdout when done, on stderr when not
	}{
		{[]string{"version"}, exitDone, "bucketgate "},
		{[]string{"--help"}, exitDone, "bucketgate demo"},
		{[]string{"stdio", "--help"}, exitDone, "BITBUCKET_REPO_REGEX"},
		{[]string{"nosuch"}, exitUsage, "wrong usage: unknown command \"nosuch\" for \"bucketgate\""},
		{[]string{"--nosuch"}, exitUsage, "wrong usage: unknown flag: --nosuch"},
		{[]string{"stdio", "--nosuch"}, exitUsage, "wrong usage: unknown flag: --nosuch"},
		{[]string{"stdio", "extra"}, exitUsage, "wrong usage: "},
		{[]string{"check", "extra"}, exitUsage, "wrong usage: "},
		{[]string{"demo", "extra"}, exitUsage, "wrong usage: "},
		{[]string{"version", "extra"}, exitUsage, "wrong usage: "},
		{[]string{"stdio", "--audit-file"}, exitUsage, "wrong usage: flag needs an argument: --audit-file"},
		{[]string{"stdio", "--tool-prefix", "a b"}, exitUsage, "wrong usage: --tool-prefix takes up to 32 letters"},
		{[]string{"stdio", "--admin=maybe"}, exitUsage, "wrong usage: invalid argument \"maybe\" for \"--admin\""},
	} {
		got := run(t, env, "", tt.args...)
		assert.Equal(t, tt.code, got.code, "%v: %s", tt.args, got.stderr)
		if tt.code == exitDone {
			assert.Contains(t, got.stdout, tt.want)
			assert.Empty(t, got.stderr)
			continue
		}
		assert.Empty(t, got.stdout, "%v", tt.args)
		assert.Contains(t, got.stderr, "bucketgate: "+tt.want)
		assert.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
	}
	got := run(t, env.with("BUCKETGATE_ADMIN", "maybe"), "", "stdio")
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.stderr, "BUCKETGATE_ADMIN")
}

func readEvents(t *testing.T, path string) []audit.Event {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	var events []audit.Event
	for line := range strings.Lines(string(content)) {
		var e audit.Event
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		require.True(t, strings.HasSuffix(line, "\n"))
		events = append(events, e)
	}
	return events
}

func TestAuditFile(t *testing.T) {
	env := environmentOf(newBitbucket(t))
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	run(t, env, "", "call", "get_repo", "repository=api", "--audit-file", path)
	run(t, env.with("BUCKETGATE_AUDIT_FILE", path), "", "call", "get_repo", "repository=hidden")
	got := run(t, env.with("BUCKETGATE_AUDIT_FILE", "/nonexistent/x"), strings.Join([]string{
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"my_access"}}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"nosuch"}}`,
		`{"jsonrpc":"2.0","id":4,"METHOD":"tools/call","params":{"name":"my_access"}}`,
	}, "\n"), "stdio", "--audit-file", path)
	assert.Equal(t, exitDone, got.code, "a flag wins over its variable")

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	events := readEvents(t, path)
	require.Len(t, events, 4, "one line for each call")
	assert.Equal(t, []string{"get_repo", "api", "allowed", "command line"}, []string{events[0].Tool, events[0].Target, string(events[0].Decision), events[0].Transport})
	assert.Equal(t, []string{"get_repo", "hidden", "denied"}, []string{events[1].Tool, events[1].Target, string(events[1].Decision)})
	assert.NotEmpty(t, events[1].Reason)
	for _, e := range events {
		assert.NotEmpty(t, e.ID)
		assert.WithinDuration(t, time.Now(), e.Time, time.Minute)
		assert.Equal(t, []string{"local", "agent", "environment"}, []string{e.Caller, e.Role, e.Scope})
		assert.NotEmpty(t, e.GrantVersion)
	}
}

// Without its audit file the program does not start.
func TestAuditFilesThatCannotBe(t *testing.T) {
	s := newBitbucket(t)
	env := environmentOf(s)
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing", "audit")} {
		for _, args := range [][]string{{"stdio"}, {"check"}, {"call", "my_access"}} {
			got := run(t, env.with("BUCKETGATE_AUDIT_FILE", path), "", args...)
			assert.Equal(t, exitFailed, got.code)
			assert.Empty(t, got.stdout)
			assert.True(t, strings.HasPrefix(got.stderr, "bucketgate: opening the audit file: "), got.stderr)
			assert.Contains(t, got.stderr, path)
		}
	}
	s.AssertNothingSent(t)
}

// A full disk refuses the calls that it could not record.
func TestAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		testneeds.Skip(t, "this system has no /dev/full")
	}
	got := run(t, environmentOf(newBitbucket(t)), "", "call", "get_repo", "repository=api", "--audit-file", "/dev/full")
	assert.Equal(t, exitFailed, got.code)
	assert.Contains(t, got.stdout, `"code":"audit_unavailable"`)
	assert.NotContains(t, got.stdout, "acme/api")
}

func TestToolPrefix(t *testing.T) {
	env := environmentOf(newBitbucket(t)).with("BUCKETGATE_TOOL_PREFIX", "bb_")
	got := run(t, env, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`+"\n"+
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"bb_get_repo","arguments":{"repository":"api"}}}`, "stdio")
	assert.Equal(t, exitDone, got.code)
	for _, name := range []string{"bb_my_access", "bb_list_repos", "bb_get_repo", "bb_list_branches"} {
		assert.Contains(t, got.stdout, `"name":"`+name+`"`)
	}
	assert.Contains(t, got.stdout, "Yes, acme/api can be accessed")
	assert.Contains(t, got.stdout, "bb_list_branches with repository")
}

// The end of the context, as by a signal, ends a command that waits.
func TestAnInterruptEndsACall(t *testing.T) {
	s := newBitbucket(t)
	s.Fail(sample.Hang())
	for _, args := range [][]string{{"call", "get_repo", "repository=api"}, {"check"}} {
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		got := runUntil(ctx, environmentOf(s), "", args...)
		stop()
		assert.Equal(t, exitFailed, got.code)
		assert.Less(t, time.Since(start), 20*time.Second)
	}
}
