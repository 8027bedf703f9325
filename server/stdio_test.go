package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/internal/audit"
	"bucketgate/policy"
	"bucketgate/tools"
)

// All but tool calls is answered in the order in which it came, and nothing
// overtakes initialize.
func TestOrder(t *testing.T) {
	f := newFixture(t)
	for range 20 {
		input := []string{initialize, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`}
		want := []string{"0", "1"}
		for i := 2; i < 22; i++ {
			input = append(input, call(fmt.Sprint(i), "my_access", `{}`), ping(i))
			want = append(want, fmt.Sprint(i))
		}
		got := ids(f.feed(t, strings.Join(input, "\n")))
		require.Len(t, got, 42)
		assert.Equal(t, "0", got[0])
		assert.Equal(t, want, slices.DeleteFunc(got, func(id string) bool { return strings.HasPrefix(id, `"`) }))
	}
}

// What the client asked before it closed stdin is answered: `printf … |
// bucketgate stdio` works.
func TestTheEndOfStdinAwaitsAnswers(t *testing.T) {
	f := newFixture(t)
	f.upstream.SetLatency(300 * time.Millisecond)
	sent := f.feed(t, initialize+"\n"+call(1, "get_repo", getAPI)+"\n"+call(2, "list_repos", `{}`)+"\n"+call(3, "list_branches", getAPI))
	assert.ElementsMatch(t, []string{"0", "1", "2", "3"}, ids(sent))
	for _, m := range sent[1:] {
		assert.Empty(t, m.code(t))
	}
}

func ids(sent []message) []string {
	var list []string
	for _, m := range sent {
		list = append(list, string(m.ID))
	}
	return list
}

func TestLines(t *testing.T) {
	long := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("x", 2<<20) + `"}}`
	edge := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("x", 1<<20) // cut to size below
	edge = edge[:1<<20-3] + `"}}`
	for _, tt := range []struct {
		name, input string
		want        []string // id, or id and code of an error
	}{
		{"no input", "", nil},
		{"one line", ping(1) + "\n", []string{"1"}},
		{"a last line without newline", ping(1) + "\n" + ping(2), []string{"1", "2"}},
		{"empty lines", "\n\n \t\n" + ping(1) + "\n\n\n", []string{"1"}},
		{"CRLF", ping(1) + "\r\n\r\n" + ping(2) + "\r\n", []string{"1", "2"}},
		{"a line over 1 MiB, then a good one", long + "\n" + ping(2) + "\n", []string{"null -32600", "2"}},
		{"a last line over 1 MiB", ping(1) + "\n" + long, []string{"1", "null -32600"}},
		{"a line of exactly 1 MiB", edge + "\r\n" + ping(2), []string{"1", "2"}},
		{"no JSON, then a good one", "hello\n" + ping(2), []string{"null -32700", "2"}},
		{"a batch", "[" + ping(1) + "]\n" + ping(2), []string{"null -32600", "2"}},
		{"METHOD", `{"jsonrpc":"2.0","id":1,"METHOD":"ping"}`, []string{"1 -32600"}},
		{"200,000 deep", strings.Repeat("[", 200_000) + "\n" + ping(2), []string{"null -32600", "2"}},
		{"an answer to nothing", `{"jsonrpc":"2.0","id":1,"result":{}}` + "\n" + ping(2), []string{"2"}},
		{"a notification that nobody knows", `{"jsonrpc":"2.0","method":"notifications/x"}` + "\n" + ping(2), []string{"2"}},
		{"a cancellation of nothing", cancel(9) + "\n" + cancel(nil) + "\n" + ping(2), []string{"2"}},
		{"a method that nobody knows", `{"jsonrpc":"2.0","id":"x","method":"nosuch"}`, []string{`"x" -32601`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			var got []string
			for _, m := range f.feed(t, tt.input) {
				text := string(m.ID)
				if m.Error != nil {
					text += fmt.Sprintf(" %d", m.Error.Code)
				}
				got = append(got, text)
			}
			assert.Equal(t, tt.want, got)
			f.upstream.AssertNothingSent(t)
			assert.Empty(t, f.recorded())
		})
	}
}

// A line without an end does not fill the memory.
func TestAnEndlessLine(t *testing.T) {
	f := newFixture(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out := &shared{}
	in := io.MultiReader(io.LimitReader(letters{}, 64<<20), strings.NewReader("\n"+ping(2)))
	require.NoError(t, f.server().ServeStdio(t.Context(), in, out))
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20))
	assert.Contains(t, out.String(), "larger than 1048576 bytes")
	assert.Contains(t, out.String(), `{"jsonrpc":"2.0","id":2,"result":{}}`)
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// A call without an id is a notification, and runs no tool.
func TestCallsWithoutAnIDRunNothing(t *testing.T) {
	f := newFixture(t)
	sent := f.feed(t, `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"get_repo","arguments":{"repository":"api"}}}`+"\n"+
		`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"nosuch"}}`)
	assert.Empty(t, sent)
	assert.Empty(t, f.recorded())
	f.upstream.AssertNothingSent(t)
}

// A type that the protocol does not have is answered in words, and not in
// those of encoding/json, which name Go types.
func TestParametersOfAWrongType(t *testing.T) {
	for _, message := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":7}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":7}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repo","arguments":{"repository":"api"},"_meta":[]}}`,
	} {
		f := newFixture(t)
		sent := f.feed(t, message)
		require.Len(t, sent, 1)
		require.NotNil(t, sent[0].Error, sent[0].text)
		assert.Equal(t, "the parameters do not fit the method", sent[0].Error.Message)
		f.upstream.AssertNothingSent(t)
	}
}

// A call that mcp-go itself does not let through leaves its event too.
func TestACallThatTheProtocolRefusesLeavesAnEvent(t *testing.T) {
	for _, meta := range []string{
		`[]`,
		`{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`,
		`{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}`,
	} {
		f := newFixture(t)
		sent := f.feed(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repo","arguments":{"repository":"api"},"_meta":`+meta+`}}`)
		require.Len(t, sent, 1)
		require.NotNil(t, sent[0].Error, sent[0].text)
		require.Len(t, f.recorded(), 1, meta)
		assert.Equal(t, audit.Denied, f.recorded()[0].Decision)
		assert.Equal(t, "get_repo", f.recorded()[0].Tool)
		f.upstream.AssertNothingSent(t)
	}
}

// What the protocol could do beside a plain call is not passed on.
func TestTasksAndFurtherRoundsAreDropped(t *testing.T) {
	for _, extra := range []string{`"task":{"ttl":1}`, `"task":7`, `"inputResponses":{"a":{}}`, `"requestState":"x"`} {
		f := newFixture(t)
		sent := f.feed(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repo","arguments":{"repository":"api"},`+extra+`}}`)
		require.Len(t, sent, 1)
		require.Nil(t, sent[0].Error, sent[0].text)
		require.Len(t, f.recorded(), 1)
	}
}

func TestCancelStopsTheUpstreamRequest(t *testing.T) {
	f := newFixture(t)
	f.upstream.Fail(sample.Hang())
	c := f.connect(t)
	c.send(call("a", "get_repo", getAPI))
	require.Eventually(t, func() bool { return len(f.upstream.Journal()) == 1 }, patience, time.Millisecond)
	c.send(cancel("a"))
	require.Eventually(t, func() bool { return f.upstream.Journal()[0].Canceled }, patience, time.Millisecond)
	c.send(ping(2))
	assert.Equal(t, "2", string(c.next().ID))
	sent, err := c.end()
	require.NoError(t, err)
	assert.Empty(t, sent, "one who has canceled awaits no answer")
	require.Len(t, f.recorded(), 1)
	assert.Equal(t, "canceled by the caller", f.recorded()[0].Reason)
}

// However early a cancellation comes, it finds its call.
func TestCancelAtOnce(t *testing.T) {
	f := newFixture(t)
	f.upstream.Fail(sample.Hang())
	c := f.connect(t)
	var lines []string
	for i := range 50 {
		lines = append(lines, call(i, "get_repo", getAPI), cancel(i))
	}
	c.send(append(lines, ping(99))...)
	assert.Equal(t, "99", string(c.next().ID))
	sent, err := c.end()
	require.NoError(t, err)
	assert.Empty(t, sent)
	assert.Len(t, f.recorded(), 50)
}

// A cancellation means its own call: 7 is not "7".
func TestCancelMeansOneCall(t *testing.T) {
	f := newFixture(t)
	f.upstream.SetLatency(200 * time.Millisecond)
	sent := f.feed(t, call(7, "get_repo", getAPI)+"\n"+call("7", "get_repo", `{"repository":"web"}`)+"\n"+call("a", "my_access", `{}`)+"\n"+
		cancel("7")+"\n"+cancel(8)+"\n"+cancel("b"))
	assert.ElementsMatch(t, []string{"7", `"a"`}, ids(sent))
}

func TestARunningIDIsRefused(t *testing.T) {
	f := newFixture(t)
	f.upstream.SetLatency(200 * time.Millisecond)
	c := f.connect(t)
	c.send(call(1, "get_repo", getAPI), call(1, "get_repo", `{"repository":"web"}`))
	refused := c.next()
	require.NotNil(t, refused.Error)
	assert.Equal(t, "a request with this id is still running", refused.Error.Message)
	assert.Contains(t, c.next().text, "acme/api", "the first of the two is answered")

	c.send(call(1, "get_repo", `{"repository":"web"}`))
	assert.Contains(t, c.next().text, "acme/web", "the id is free again")

	// It is free after a cancellation too, and the answer is the later call's.
	c.send(call(1, "get_repo", getAPI), cancel(1), call(1, "get_repo", `{"repository":"web"}`))
	assert.Contains(t, c.next().text, "acme/web")
	sent, err := c.end()
	require.NoError(t, err)
	assert.Empty(t, sent)
	assert.Len(t, f.recorded(), 5-1, "what was refused for its id is no call")
}

func TestManyCallsAtOnce(t *testing.T) {
	f := newFixture(t)
	f.upstream.SetLatency(5 * time.Millisecond)
	var lines, want []string
	for i := range 200 {
		tool, arguments := "get_repo", getAPI
		if i%2 == 1 {
			tool, arguments = "my_access", `{}`
		}
		lines, want = append(lines, call(i, tool, arguments)), append(want, fmt.Sprint(i))
	}
	sent := f.feed(t, strings.Join(lines, "\n"))
	assert.ElementsMatch(t, want, ids(sent))
	for _, m := range sent {
		assert.Empty(t, m.code(t))
	}
	assert.Len(t, f.recorded(), 200)
}

func TestProgress(t *testing.T) {
	f := newFixture(t)
	for i := range 350 {
		f.upstream.Repository(fmt.Sprintf("acme/repo-%03d-x", i))
	}
	f.grant(t, policy.Definition{Repositories: []string{`[a-z]+-.*\w`}})
	for _, token := range []string{`"a token"`, `7`, `"7"`, ``, `1.5`, `{}`} {
		t.Run(token, func(t *testing.T) {
			meta := ""
			if token != "" {
				meta = `,"_meta":{"progressToken":` + token + `}`
			}
			sent := f.feed(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_repos","arguments":{"detail":"names","limit":1000}`+meta+`}}`)
			answer := sent[len(sent)-1]
			assert.Equal(t, "1", string(answer.ID), "nothing comes after the answer")
			assert.Empty(t, answer.code(t))
			var tokens []string
			last := 0
			for _, m := range sent[:len(sent)-1] {
				var params struct {
					ProgressToken   json.RawMessage
					Progress, Total int
				}
				assert.Equal(t, "notifications/progress", m.Method)
				require.NoError(t, json.Unmarshal(m.Params, &params))
				assert.Greater(t, params.Progress, last)
				assert.GreaterOrEqual(t, params.Total, params.Progress)
				last, tokens = params.Progress, append(tokens, string(params.ProgressToken))
			}
			if token == "" || token == `1.5` || token == `{}` {
				assert.Empty(t, tokens, "there is no token that could come back as it was")
				return
			}
			require.NotEmpty(t, tokens)
			assert.Equal(t, []string{token}, slices.Compact(tokens))
		})
	}
}

// Whatever a tool reports, progress grows, and ends with the answer.
func TestProgressOnlyGrows(t *testing.T) {
	f := newFixture(t)
	c := f.connect(t)
	c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"reports","_meta":{"progressToken":1}}}`)
	last := 0
	for {
		m := c.next()
		if m.ID != nil {
			break
		}
		var params struct{ Progress, Total int }
		require.NoError(t, json.Unmarshal(m.Params, &params))
		assert.Greater(t, params.Progress, last)
		assert.GreaterOrEqual(t, params.Total, params.Progress)
		last = params.Progress
	}
	assert.GreaterOrEqual(t, last, 5)
	c.send(ping(2))
	assert.Equal(t, "2", string(c.next().ID), "no progress comes after the answer")
	sent, err := c.end()
	require.NoError(t, err)
	assert.Empty(t, sent)
}

// A panic ends one call. Its text may hold anything, and reaches the log only.
func TestPanic(t *testing.T) {
	f := newFixture(t)
	c := f.connect(t)
	c.send(call(1, "panics", `{}`))
	answer := c.next()
	assert.Equal(t, "internal", answer.code(t))
	assert.NotContains(t, answer.text, secretText)
	assert.Contains(t, f.log.String(), secretText)
	require.Len(t, f.recorded(), 1)
	assert.Contains(t, answer.text, f.recorded()[0].ID, "the answer names the call's ID")

	whole := f.caller
	f.caller = func(context.Context) tools.Caller { panic(secretText) }
	for id, tool := range map[int]string{2: "my_access", 3: "nosuch"} {
		c.send(call(id, tool, `{}`))
		answer = c.next()
		require.NotNil(t, answer.Error, answer.text)
		assert.Equal(t, -32603, answer.Error.Code)
		assert.Equal(t, "internal error", answer.Error.Message)
	}
	f.caller = whole
	c.send(call(2, "my_access", `{}`))
	assert.Empty(t, c.next().code(t), "the process lives, and the ids are free")
	_, err := c.end()
	assert.NoError(t, err)
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAWriterThatFails(t *testing.T) {
	f := newFixture(t)
	err := f.server().ServeStdio(t.Context(), strings.NewReader(ping(1)+"\n"+call(2, "my_access", `{}`)), brokenPipe{})
	assert.EqualError(t, err, "writing stdout: broken pipe")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("bad disk") }

func TestAReaderThatFails(t *testing.T) {
	f := newFixture(t)
	err := f.server().ServeStdio(t.Context(), brokenReader{}, &shared{})
	assert.EqualError(t, err, "reading stdin: bad disk")
}

// The end of the context ends a conversation that waits for input, and what
// runs; that is still written down.
func TestTheEndOfTheContext(t *testing.T) {
	f := newFixture(t)
	f.slow = 100 * time.Millisecond
	f.upstream.Fail(sample.Hang())
	c := f.connect(t)
	c.send(call(1, "get_repo", getAPI))
	require.Eventually(t, func() bool { return len(f.upstream.Journal()) == 1 }, patience, time.Millisecond)
	c.stop()
	_, err := c.rest()
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, f.recorded(), 1, "the call was written down before the conversation ended")
	assert.Equal(t, "canceled by the caller", f.recorded()[0].Reason)
	require.Eventually(t, func() bool { return f.upstream.Journal()[0].Canceled }, patience, time.Millisecond)
}

// There is nothing to subscribe to: listening is acknowledged, and over.
func TestListening(t *testing.T) {
	f := newFixture(t)
	sent := f.feed(t, `{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["x"]},"_meta":{`+
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`+"\n"+ping(2))
	require.Len(t, sent, 3)
	assert.Equal(t, "notifications/subscriptions/acknowledged", sent[0].Method)
	assert.Equal(t, []string{`"l"`, "2"}, ids(sent[1:]))
}

func TestUnknownTools(t *testing.T) {
	for _, name := range []string{"nosuch", "create_scope", "Get_Repo", "get_repo ", "", "a\nbucketgate: refused nothing", "\x1b[2J", strings.Repeat("x", 100_000)} {
		f := newFixture(t)
		encoded, err := json.Marshal(name)
		require.NoError(t, err)
		sent := f.feed(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":`+string(encoded)+`,"arguments":{"repository":"api"}}}`)
		require.Len(t, sent, 1)
		require.NotNil(t, sent[0].Error)
		assert.Equal(t, -32602, sent[0].Error.Code)
		assert.Equal(t, "There is no such tool here. "+f.toolbox.UnknownTool(), sent[0].Error.Message)
		f.upstream.AssertNothingSent(t)

		require.Len(t, f.recorded(), 1)
		event := f.recorded()[0]
		assert.Equal(t, audit.Denied, event.Decision)
		assert.Equal(t, "unknown", event.Tool, "a caller's text cannot fill the audit log, or forge a line of it")
	}
}

// With a prefix, a tool has its prefixed name and no other.
func TestAToolWithoutItsPrefixIsUnknown(t *testing.T) {
	f := newFixture(t)
	f.toolbox.Prefix = "bb_"
	sent := f.feed(t, call(1, "get_repo", getAPI)+"\n"+call(2, "bb_bb_get_repo", getAPI))
	require.Len(t, sent, 2)
	for _, m := range sent {
		require.NotNil(t, m.Error, m.text)
		assert.Contains(t, m.Error.Message, "There is no such tool here. The tools here are bb_my_access, bb_list_repos,")
	}
	f.upstream.AssertNothingSent(t)

	sent = f.feed(t, call(1, "bb_get_repo", getAPI)+"\n"+call(2, "bb_get_repo", `{"repository":"hidden"}`))
	require.Len(t, sent, 2)
	text := sent[0].text + sent[1].text
	assert.Contains(t, text, "bb_list_branches with repository")
	assert.Contains(t, text, "bb_my_access tells what you may reach")
	for _, e := range f.recorded() {
		assert.NotEqual(t, "bb_get_repo", e.Tool, "events name the tool itself")
	}
}

func TestOneEventForEachCall(t *testing.T) {
	for _, tt := range []struct {
		name, tool, arguments string
		fault                 *sample.Fault
		code                  string // of the tool's error
		decision              audit.Decision
		target, reason        string
	}{
		{name: "allowed", tool: "get_repo", arguments: getAPI, decision: audit.Allowed, target: "api"},
		{name: "allowed, about nothing", tool: "my_access", arguments: `{}`, decision: audit.Allowed},
		{name: "allowed, a list", tool: "list_repos", arguments: `{}`, decision: audit.Allowed},
		{name: "allowed, branches", tool: "list_branches", arguments: `{"repository":"acme/api"}`, decision: audit.Allowed, target: "acme/api"},
		{name: "allowed and missing", tool: "get_repo", arguments: `{"repository":"missing"}`, code: "not_found", decision: audit.Allowed, target: "missing", reason: "not_found"},
		{name: "denied", tool: "get_repo", arguments: `{"repository":"hidden"}`, code: "not_found", decision: audit.Denied, target: "hidden", reason: "allowed by none of the scopes"},
		{name: "denied, another workspace", tool: "get_repo", arguments: `{"repository":"mallory/api"}`, code: "not_found", decision: audit.Denied, target: "mallory/api", reason: "no scope for that workspace"},
		{name: "no name", tool: "get_repo", arguments: `{"repository":"../x"}`, code: "invalid_argument", decision: audit.Denied, reason: "invalid_argument"},
		{name: "an argument missing", tool: "get_repo", arguments: `{}`, code: "invalid_argument", decision: audit.Denied, reason: "invalid_argument"},
		{name: "an argument repeated", tool: "get_repo", arguments: `{"repository":"api","repository":"hidden"}`, code: "invalid_argument", decision: audit.Denied, reason: "more than once"},
		{name: "an argument in another case", tool: "get_repo", arguments: `{"REPOSITORY":"hidden"}`, code: "invalid_argument", decision: audit.Denied, reason: "case-sensitive"},
		{name: "no object", tool: "get_repo", arguments: `[]`, code: "invalid_argument", decision: audit.Denied, reason: "one JSON object"},
		{name: "an unknown scope", tool: "get_repo", arguments: `{"repository":"api","scope":"x"}`, code: "scope_unknown", decision: audit.Denied, reason: "scope_unknown"},
		{name: "no cursor of ours", tool: "list_repos", arguments: `{"cursor":"AAAA"}`, code: "invalid_argument", decision: audit.Denied, reason: "cursor"},
		{name: "a panic", tool: "panics", arguments: `{}`, code: "internal", decision: audit.Allowed, reason: "Internal error in call"},
		{name: "401", tool: "get_repo", arguments: getAPI, fault: new(sample.Status(401, "no")), code: "credential_rejected", decision: audit.Allowed, target: "api", reason: "credential_rejected"},
		{name: "429", tool: "get_repo", arguments: getAPI, fault: new(sample.RateLimited("3600")), code: "rate_limited", decision: audit.Allowed, target: "api", reason: "rate_limited"},
		{name: "HTML", tool: "get_repo", arguments: getAPI, fault: new(sample.HTML(200, "<p>hello")), code: "upstream_unavailable", decision: audit.Allowed, target: "api", reason: "upstream_unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			if tt.fault != nil {
				f.upstream.Fail(*tt.fault)
			}
			sent := f.feed(t, call(1, tt.tool, tt.arguments))
			require.Len(t, sent, 1)
			assert.Equal(t, tt.code, sent[0].code(t))
			require.Len(t, f.recorded(), 1)
			e := f.recorded()[0]
			assert.Equal(t, tt.decision, e.Decision)
			assert.Equal(t, tt.target, e.Target)
			assert.Contains(t, e.Reason, tt.reason)
			assert.Equal(t, tt.reason == "", e.Reason == "")
			assert.Equal(t, []string{tt.tool, "local", "agent", "stdio", "test"}, []string{e.Tool, e.Caller, e.Role, e.Transport, e.Scope})
			assert.NotEmpty(t, e.ID)
			if tt.decision == audit.Denied {
				f.upstream.AssertNothingSent(t)
			}
		})
	}
}

// What cannot be written down is not answered.
func TestAuditUnavailable(t *testing.T) {
	for _, tt := range [][2]string{{"get_repo", getAPI}, {"get_repo", `{"repository":"hidden"}`}, {"list_repos", `{}`}, {"my_access", `{}`}, {"list_branches", getAPI}, {"get_repo", `{}`}} {
		f := newFixture(t)
		f.auditErr = errors.New("disk full at /secret/place")
		sent := f.feed(t, call(1, tt[0], tt[1]))
		require.Len(t, sent, 1)
		assert.Equal(t, "audit_unavailable", sent[0].code(t))
		for _, hidden := range []string{"acme", "api", "/secret/place", "hidden"} {
			assert.NotContains(t, sent[0].text, hidden)
		}
		assert.Contains(t, f.log.String(), "disk full")
	}
	f := newFixture(t)
	f.auditErr = errors.New("disk full")
	sent := f.feed(t, call(1, "nosuch", `{}`))
	require.NotNil(t, sent[0].Error)
	assert.Contains(t, sent[0].Error.Message, "could not be written to the audit log")
}
