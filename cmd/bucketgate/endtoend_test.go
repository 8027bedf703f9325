package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/tools/agent"
)

// The two generations of the protocol, which the official SDK's client speaks.
var generations = []string{"2025-11-25", "2026-07-28"}

// A model asks the built program through the official SDK's client.
type model struct {
	*mcp.ClientSession
	tap     *tap
	schemas map[string]*jsonschema.Resolved // of what each tool returns
}

// newModel starts the program and connects to it.
func newModel(t *testing.T, protocol string, env variables, args ...string) *model {
	t.Helper()
	a := &model{tap: &tap{Transport: &mcp.CommandTransport{Command: command(t, env, append([]string{"stdio"}, args...)...)}}, schemas: map[string]*jsonschema.Resolved{}}
	client := mcp.NewClient(&mcp.Implementation{Name: "endtoend", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), a.tap, &mcp.ClientSessionOptions{ProtocolVersion: protocol})
	require.NoError(t, err)
	a.ClientSession = session
	t.Cleanup(func() { assert.NoError(t, session.Close(), "the program ends well when its stdin does") })
	for tool, err := range session.Tools(t.Context(), nil) {
		require.NoError(t, err)
		encoded, err := json.Marshal(tool.OutputSchema)
		require.NoError(t, err)
		var schema jsonschema.Schema
		require.NoError(t, json.Unmarshal(encoded, &schema))
		resolved, err := schema.Resolve(nil)
		require.NoError(t, err)
		a.schemas[tool.Name] = resolved
	}
	return a
}

// A tap keeps the last result as it came over the wire.
type tap struct {
	mcp.Transport
	mu   sync.Mutex
	last json.RawMessage
}

func (t *tap) Connect(ctx context.Context) (mcp.Connection, error) {
	connection, err := t.Transport.Connect(ctx)
	return tapped{connection, t}, err
}

type tapped struct {
	mcp.Connection
	tap *tap
}

func (t tapped) Read(ctx context.Context) (jsonrpc.Message, error) {
	message, err := t.Connection.Read(ctx)
	if response, ok := message.(*jsonrpc.Response); ok {
		t.tap.mu.Lock()
		t.tap.last = response.Result
		t.tap.mu.Unlock()
	}
	return message, err
}

type arguments map[string]any

// ask calls a tool, checks everything that holds for every result, and returns
// the text that a model reads.
func (a *model) ask(t *testing.T, tool string, in arguments) (text string, isError bool) {
	t.Helper()
	result, err := a.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: in})
	require.NoError(t, err)
	require.Len(t, result.Content, 1)
	text = result.Content[0].(*mcp.TextContent).Text
	var wire struct{ StructuredContent json.RawMessage }
	a.tap.mu.Lock()
	require.NoError(t, json.Unmarshal(a.tap.last, &wire))
	a.tap.mu.Unlock()
	if result.IsError {
		require.Nil(t, wire.StructuredContent, "an error has no structuredContent")
		require.NotContains(t, string(a.tap.last), "structuredContent")
		return text, true
	}
	require.Equal(t, text, string(wire.StructuredContent), "both copies are the same, byte for byte")
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	require.NoError(t, a.schemas[tool].Validate(value), "%s", text)
	return text, false
}

// answer is ask for a call that must succeed.
func (a *model) answer(t *testing.T, tool string, in arguments) map[string]any {
	t.Helper()
	text, isError := a.ask(t, tool, in)
	require.False(t, isError, text)
	var body map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	return body
}

// refusal is ask for a call that must fail; it returns the whole result as it
// came over the wire, and the code in it.
func (a *model) refusal(t *testing.T, tool string, in arguments) (wire, code string) {
	t.Helper()
	text, isError := a.ask(t, tool, in)
	require.True(t, isError, text)
	var body struct {
		Error struct{ Code, Message, Hint string }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	require.NotEmpty(t, body.Error.Message)
	require.NotEmpty(t, body.Error.Hint, "an error says what to do next")
	return string(a.tap.last), body.Error.Code
}

// pages walks a list to its end and returns the names of all rows.
func (a *model) pages(t *testing.T, tool string, in arguments, rows string, nameOf func(any) string) (names []string, pages int) {
	t.Helper()
	for pages = 1; pages <= 200; pages++ {
		body := a.answer(t, tool, in)
		list, _ := body[rows].([]any)
		for _, row := range list {
			names = append(names, nameOf(row))
		}
		cursor, more := body["next_cursor"]
		if !more {
			return names, pages
		}
		assert.Equal(t, "There may be more.", body["notice"])
		in["cursor"] = cursor
	}
	require.FailNow(t, "the list does not end")
	return nil, 0
}

func field(name string) func(any) string {
	return func(row any) string { return row.(map[string]any)[name].(string) }
}

func itself(row any) string { return row.(string) }

// newEstate starts a Bitbucket whose workspace has repositories and branches
// in and out of scope next to one another.
func newEstate(t *testing.T) (s *bitbuckettest.Server, env variables, repositories, branches []string) {
	s = newBitbucket(t)
	s.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "svc", Name: "Svc Main", Private: true}, "main")
	repositories, branches = []string{"svc"}, []string{"main"}
	for i := range 60 {
		s.Repository(fmt.Sprintf("acme/svc-%02d", i), "main")
		s.Repository(fmt.Sprintf("acme/secret-%02d", i), "main")
		repositories = append(repositories, fmt.Sprintf("svc-%02d", i))
	}
	for i := range 40 {
		s.MustBranch("acme/svc", fmt.Sprintf("feature/%02d", i), s.MustHead("acme/svc", "main"))
		s.MustBranch("acme/svc", fmt.Sprintf("hidden/%02d", i), s.MustHead("acme/svc", "main"))
		branches = append(branches, fmt.Sprintf("feature/%02d", i))
	}
	return s, environmentOf(s).with(varRepoRegex, "svc(-.*)?"), repositories, branches
}

func TestEndToEnd(t *testing.T) {
	s, env, repositories, branches := newEstate(t)
	for _, protocol := range generations {
		t.Run(protocol, func(t *testing.T) {
			a := newModel(t, protocol, env)
			assert.Equal(t, protocol, a.InitializeResult().ProtocolVersion)
			assert.Contains(t, a.InitializeResult().Instructions, "get_repo")
			assert.Len(t, a.schemas, len(agent.Tools(nil)))

			access := a.answer(t, "my_access", nil)
			assert.Contains(t, access["summary"], "svc(-.*)?")

			repo := a.answer(t, "get_repo", arguments{"repository": "Svc Main"})
			assert.Equal(t, []any{"acme/svc", "Svc Main", "private", "main"}, []any{repo["full_name"], repo["name"], repo["visibility"], repo["default_branch"]})
			assert.Equal(t, repo["full_name"], a.answer(t, "get_repo", arguments{"repository": "ACME/Svc", "detail": "full"})["full_name"])

			for _, limit := range []any{1, 7, 25.0, nil, 100} {
				in := arguments{"limit": limit}
				if limit == nil {
					delete(in, "limit")
				}
				full, pages := a.pages(t, "list_repos", in, "repositories", field("full_name"))
				for i := range full {
					full[i] = strings.TrimPrefix(full[i], "acme/")
				}
				assert.ElementsMatch(t, repositories, full, "limit %v", limit)
				if limit == 7 {
					assert.GreaterOrEqual(t, pages, 9)
				}
			}
			names, _ := a.pages(t, "list_repos", arguments{"detail": "names", "limit": 13}, "names", itself)
			assert.ElementsMatch(t, repositories, names)
			names, _ = a.pages(t, "list_repos", arguments{"detail": "names", "query": "-1", "limit": 3}, "names", itself)
			assert.Len(t, names, 10)

			names, _ = a.pages(t, "list_branches", arguments{"repository": "svc", "limit": 9}, "branches", field("name"))
			assert.ElementsMatch(t, branches, names)
			names, _ = a.pages(t, "list_branches", arguments{"repository": "svc", "limit": 9, "detail": "full"}, "branches", field("name"))
			assert.ElementsMatch(t, branches, names)
			names, _ = a.pages(t, "list_branches", arguments{"repository": "svc", "limit": 11, "detail": "names"}, "names", itself)
			assert.ElementsMatch(t, branches, names)
		})
	}
	s.AssertNoneNamed(t, "secret-", "hidden")
}

// For each of these nothing leaves, and the words say what to do.
func TestRefusalsSendNothing(t *testing.T) {
	s, env, _, _ := newEstate(t)
	const notFound, badArgument = "not_found", "invalid_argument"
	for _, protocol := range generations {
		t.Run(protocol, func(t *testing.T) {
			a := newModel(t, protocol, env)
			s.ResetJournal()
			for _, tool := range []string{"get_repo", "list_branches"} {
				for name, code := range map[string]string{
					"secret-00":              notFound,
					"acme/secret-00":         notFound,
					"Secret 00":              notFound,
					"hidden":                 notFound,
					"mallory/svc":            notFound,
					"xsvc":                   notFound,
					"svc\n":                  badArgument,
					"../svc":                 badArgument,
					"acme/..":                badArgument,
					"acme/svc/src":           badArgument,
					"{1b2c3d4e}":             badArgument,
					"acme/{1b2c3d4e}":        badArgument,
					"svc%2f..":               badArgument,
					"svc\u0000":              badArgument,
					"":                       badArgument,
					strings.Repeat("s", 258): badArgument,
				} {
					_, got := a.refusal(t, tool, arguments{"repository": name})
					assert.Equal(t, code, got, "%s %q", tool, name)
				}
			}
			for _, tt := range []struct {
				tool string
				in   arguments
				code string
			}{
				{"get_repo", arguments{}, badArgument},
				{"get_repo", arguments{"repository": 7}, badArgument},
				{"get_repo", arguments{"repository": []string{"svc"}}, badArgument},
				{"get_repo", arguments{"repository": nil}, badArgument},
				{"get_repo", arguments{"repository": "svc", "REPOSITORY": "svc"}, badArgument},
				{"get_repo", arguments{"repository": "svc", "workspace": "acme"}, badArgument},
				{"get_repo", arguments{"repository": "svc", "detail": "names"}, badArgument},
				{"get_repo", arguments{"repository": strings.Repeat("s", 900_000)}, badArgument},
				{"get_repo", arguments{"repository": "svc", "scope": "other"}, "scope_unknown"},
				{"list_repos", arguments{"limit": 0}, badArgument},
				{"list_repos", arguments{"limit": 101}, badArgument},
				{"list_repos", arguments{"limit": 1001, "detail": "names"}, badArgument},
				{"list_repos", arguments{"limit": 1.5}, badArgument},
				{"list_repos", arguments{"limit": "7"}, badArgument},
				{"list_repos", arguments{"limit": -1}, badArgument},
				{"list_repos", arguments{"visibility": "secret"}, badArgument},
				{"list_repos", arguments{"query": strings.Repeat("q", 129)}, badArgument},
				{"list_repos", arguments{"cursor": "AAAA"}, badArgument},
				{"list_repos", arguments{"scope": "other"}, "scope_unknown"},
				{"list_branches", arguments{"repository": "svc", "cursor": "AAAA"}, badArgument},
				{"list_branches", arguments{"repository": "svc", "limit": 101}, badArgument},
				{"my_access", arguments{"scope": "environment"}, badArgument},
			} {
				_, got := a.refusal(t, tt.tool, tt.in)
				assert.Equal(t, tt.code, got, "%s %.80v", tt.tool, tt.in)
			}
			for _, name := range []string{"drop_repo", "create_scope", "GET_REPO", ""} {
				_, err := a.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments{"repository": "svc"}})
				assert.ErrorContains(t, err, "There is no such tool here. The tools here are my_access, list_repos, get_repo, list_branches,")
			}
			s.AssertNothingSent(t)
		})
	}
}

// A cursor opens for the call that returned it and for no other.
func TestCursorsOfAnotherCall(t *testing.T) {
	s, env, _, _ := newEstate(t)
	a := newModel(t, generations[1], env)
	cursor := a.answer(t, "list_repos", arguments{"limit": 5})["next_cursor"]
	require.NotEmpty(t, cursor)
	s.ResetJournal()
	for _, in := range []arguments{{"limit": 6, "cursor": cursor}, {"limit": 5, "query": "s", "cursor": cursor}, {"cursor": cursor}, {"limit": 5, "cursor": cursor.(string) + "A"}} {
		_, code := a.refusal(t, "list_repos", in)
		assert.Equal(t, "invalid_argument", code)
	}
	_, code := a.refusal(t, "list_branches", arguments{"repository": "svc", "limit": 5, "cursor": cursor})
	assert.Equal(t, "invalid_argument", code)
	other := newModel(t, generations[1], env.with(varRepoRegex, "svc.*"))
	_, code = other.refusal(t, "list_repos", arguments{"limit": 5, "cursor": cursor})
	assert.Equal(t, "invalid_argument", code, "the scope is another")
	s.AssertNothingSent(t)

	again := newModel(t, generations[0], env)
	assert.NotEmpty(t, again.answer(t, "list_repos", arguments{"limit": 5, "cursor": cursor})["repositories"], "another process goes on where one stopped")
}

// What is outside of the scope and what does not exist read the same, byte for
// byte but for the name that was asked; for the first nothing leaves.
func TestOutOfScopeReadsLikeMissing(t *testing.T) {
	s, env, _, _ := newEstate(t)
	for _, protocol := range generations {
		a := newModel(t, protocol, env)
		s.ResetJournal()
		for _, tool := range []string{"get_repo", "list_branches"} {
			pairs := []struct{ outside, missing string }{
				{"secret-00", "svc-missing"},
				{"acme/secret-00", "acme/svc-missing"},
				{"Secret 00", "Svc missing"},
				{"ACME/Secret-00", "ACME/Svc-missing"},
			}
			outside := make([]string, len(pairs))
			for i, pair := range pairs {
				outside[i], _ = a.refusal(t, tool, arguments{"repository": pair.outside})
			}
			s.AssertNoneNamed(t, "secret")
			for i, pair := range pairs {
				missing, code := a.refusal(t, tool, arguments{"repository": pair.missing})
				assert.Equal(t, "not_found", code)
				assert.Equal(t, 1, strings.Count(missing, pair.missing))
				assert.Equal(t, strings.ReplaceAll(missing, pair.missing, pair.outside), outside[i])
			}
			assert.NotEmpty(t, s.Requests(), "what is missing is asked for")
		}
	}
}

// Bitbucket's own failures, in words, over the wire.
func TestFailuresOfBitbucket(t *testing.T) {
	s, env, _, _ := newEstate(t)
	a := newModel(t, generations[0], env)
	for _, tt := range []struct {
		name  string
		fault sample.Fault
		code  string
	}{
		{"401", sample.Status(401, "Token is invalid"), "credential_rejected"},
		{"403", sample.Status(403, "no"), "not_found"},
		{"404", sample.Status(404, "no"), "not_found"},
		{"410", sample.Status(410, "gone"), "not_found"},
		{"500", sample.Status(500, "oops"), "upstream_unavailable"},
		{"HTML", sample.HTML(200, "<html>hello"), "upstream_unavailable"},
		{"nothing", sample.Empty(), "upstream_unavailable"},
		{"half an answer", sample.ShortBody(), "upstream_unavailable"},
		{"half of the JSON", sample.CutJSON(), "upstream_unavailable"},
		{"an endless answer", sample.Endless(0), "result_too_large"},
		{"200 MB", sample.Big(200 << 20), "result_too_large"},
		{"a gzip bomb", sample.GzipBomb(200 << 20), "result_too_large"},
		{"a redirect", sample.RedirectTo(302, "https://evil.example/"), "not_found"},
	} {
		s.ClearFaults()
		s.Fail(tt.fault)
		wire, code := a.refusal(t, "get_repo", arguments{"repository": "svc"})
		assert.Equal(t, tt.code, code, tt.name)
		for _, theirs := range []string{"hello", "oops", "evil", "Token is", "invalid character", "EOF", s.URL(), "127.0.0.1"} {
			assert.NotContains(t, wire, theirs, tt.name)
		}
	}
	for _, fault := range []sample.Fault{sample.NextHost("https://evil.example"), sample.NextPath("/repositories/mallory"), sample.NextLoop()} {
		s.ClearFaults()
		s.Fail(fault)
		_, code := a.refusal(t, "list_repos", arguments{"detail": "names", "limit": 1000, "query": "svc"})
		assert.Equal(t, "upstream_unavailable", code)
	}
	s.AssertNoneNamed(t, "mallory", "evil")
	s.ClearFaults()
	s.Fail(sample.RateLimited("3600"))
	_, code := a.refusal(t, "get_repo", arguments{"repository": "svc"})
	assert.Equal(t, "rate_limited", code)
}

// `printf '…' | bucketgate` answers everything, in a pipe and without a word.
func TestAPipe(t *testing.T) {
	s, env, _, _ := newEstate(t)
	s.SetLatency(100 * time.Millisecond)
	for _, args := range [][]string{{"stdio"}, {}} {
		cmd := command(t, env, args...)
		cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"printf","version":"1"}}}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_repo","arguments":{"repository":"svc"}}}
{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"list_repos","arguments":{}}}`)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(t, err)
		assert.Empty(t, stderr.String())
		var ids []int
		for line := range strings.Lines(string(out)) {
			var m struct {
				ID     int
				Result json.RawMessage
			}
			require.NoError(t, json.Unmarshal([]byte(line), &m), line)
			assert.NotNil(t, m.Result)
			ids = append(ids, m.ID)
		}
		slices.Sort(ids)
		assert.Equal(t, []int{1, 2, 3}, ids)
	}
}

// A signal ends the program, and what runs, which is still written down.
func TestAnInterrupt(t *testing.T) {
	s, env, _, _ := newEstate(t)
	s.Fail(sample.Hang())
	path := t.TempDir() + "/audit"
	cmd := command(t, env, "stdio", "--audit-file", path)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.WriteString(stdin, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repo","arguments":{"repository":"svc"}}}`+"\n"+`{"jsonrpc":"2.0","id":2,"method":"ping"}`+"\n")
	require.NoError(t, err)
	require.True(t, bufio.NewScanner(stdout).Scan())
	require.Eventually(t, func() bool { return len(s.Journal()) == 1 }, 20*time.Second, time.Millisecond)
	require.NoError(t, cmd.Process.Signal(interrupt))
	require.NoError(t, cmd.Wait(), "an interrupt is a way to end")
	events := readEvents(t, path)
	require.Len(t, events, 1)
	assert.Equal(t, "canceled by the caller", events[0].Reason)
}
