package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/server"
	"bucketgate/tools"
)

func TestEveryProtocolOverHTTP(t *testing.T) {
	s := newSite(t, newFixture(t))
	for _, version := range protocols {
		t.Run(version, func(t *testing.T) {
			g := s.greet(t, "", version)
			if version == modern {
				got := s.do(t, g.ask(t, "", `{"jsonrpc":"2.0","id":1,"method":"server/discover"}`))
				assert.Equal(t, http.StatusOK, got.status, got.body)
				assert.Contains(t, got.body, modern)
				assert.Empty(t, got.header.Get("Mcp-Session-Id"))
			} else {
				got := s.do(t, g.ask(t, "", `{"jsonrpc":"2.0","method":"notifications/initialized"}`))
				assert.Equal(t, http.StatusAccepted, got.status)
				assert.Empty(t, got.body)
			}
			got := s.do(t, g.ask(t, "", `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`))
			assert.Equal(t, http.StatusOK, got.status)
			assert.Contains(t, got.body, `"get_repo"`)
			assert.NotContains(t, got.body, `"manage"`)

			got = s.do(t, g.ask(t, "", call(3, "get_repo", getAPI)))
			assert.Equal(t, http.StatusOK, got.status)
			answer := got.messages(t)
			require.Len(t, answer, 1)
			assert.Empty(t, answer[0].code(t))
			assert.Contains(t, got.body, `acme/api`)

			got = s.do(t, g.ask(t, "", call("four", "get_repo", `{"repository":"hidden"}`)))
			assert.Equal(t, "not_found", got.messages(t)[0].code(t))
		})
	}
	events := s.recorded()
	assert.Len(t, events, 2*len(protocols), "each call leaves one event")
	for _, e := range events {
		assert.Equal(t, [4]string{"bot", "agent", "http", "get_repo"}, [4]string{e.Caller, e.Role, e.Transport, e.Tool})
	}
	assert.Empty(t, s.taken())
}

// What nobody can have sent by mistake is answered in words of our own, leaves
// one event, and nothing goes upstream.
func TestBadInputOverHTTP(t *testing.T) {
	s := newSite(t, newFixture(t))
	old := s.greet(t, "", "2025-06-18")
	others := s.greet(t, keyOfOther, "2025-06-18")
	s.upstream.ResetJournal()
	deep := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":` + strings.Repeat(`{"a":`, 200_000) + "1" + strings.Repeat("}", 200_000) + "}"
	in := func(session string, more ...string) http.Header {
		h := http.Header{"Mcp-Session-Id": {session}}
		for i := 0; i < len(more); i += 2 {
			h.Set(more[i], more[i+1])
		}
		return h
	}
	none := http.Header{}
	for name, row := range map[string]struct {
		ask    ask
		status int
		says   string
		reason string
	}{
		"no key":                       {ask{key: "-", body: ping(1)}, 401, "Authorization: Bearer bg_", "no key"},
		"a wrong key":                  {ask{key: "bg_wrong", body: ping(1)}, 401, "Authorization: Bearer bg_", "the key was revoked"},
		"an admin's key":               {ask{key: keyOfAdmin, body: ping(1)}, 401, "Authorization: Bearer bg_", "the key of an admin does not open the side of the agents"},
		"an agent's key":               {ask{path: "/admin/mcp", body: ping(1)}, 401, "Authorization: Bearer bg_", "the key of an agent does not open the side of the admins"},
		"a key in the query":           {ask{path: "/mcp?k=" + keyOfBot, body: ping(1)}, 401, "Authorization: Bearer bg_", "a key in the address, where proxies log it: give the client a new one"},
		"a key as they are made":       {ask{path: "/mcp?x=bg_abcdefghij27_" + strings.Repeat("s", 52), body: ping(1)}, 401, "Authorization: Bearer bg_", "the key bg_abcdefghij27 in the address, where proxies log it: give its client a new one"},
		"a token in the query":         {ask{path: "/mcp?Access_Token=x", body: ping(1)}, 401, "Authorization: Bearer bg_", "a key in the address, where proxies log it: give the client a new one"},
		"a query that is none":         {ask{path: "/mcp?%zz", body: ping(1)}, 401, "Authorization: Bearer bg_", "a key in the address, where proxies log it: give the client a new one"},
		"two keys":                     {ask{header: http.Header{"Authorization": {"Bearer " + keyOfBot, "Bearer " + keyOfBot}}, body: ping(1)}, 401, "", "more than one Authorization header"},
		"basic":                        {ask{header: http.Header{"Authorization": {"Basic " + keyOfBot}}, body: ping(1)}, 401, "", "an Authorization header that is not Bearer with a key"},
		"a key alone":                  {ask{header: http.Header{"Authorization": {keyOfBot}}, body: ping(1)}, 401, "", "an Authorization header that is not Bearer with a key"},
		"an evil Host":                 {ask{host: "evil.example", body: ping(1)}, 403, "--public-url", "The Host is neither this listener's nor that of --public-url."},
		"an evil Origin":               {ask{header: http.Header{"Origin": {"https://evil.example"}}, body: ping(1)}, 403, "--allow-origin", "The Origin is another one, and not named by --allow-origin."},
		"an Origin of null":            {ask{header: http.Header{"Origin": {"null"}}, body: ping(1)}, 403, "", "The Origin is another one, and not named by --allow-origin."},
		"two Origins":                  {ask{header: http.Header{"Origin": {s.URL, s.URL}}, body: ping(1)}, 403, "", "There is more than one Origin."},
		"another type":                 {ask{header: in(old.session, "Content-Type", "text/plain"), body: ping(1)}, 415, "application/json", "a body that is not application/json"},
		"no type":                      {ask{header: in(old.session, "Content-Type", ""), body: ping(1)}, 415, "application/json", "a body that is not application/json"},
		"a compressed body":            {ask{header: in(old.session, "Content-Encoding", "gzip"), body: ping(1)}, 415, "not compressed", "a body that is not application/json"},
		"a body too large":             {ask{header: in(old.session), body: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("x", 1<<20) + `"}}`}, 413, "larger than 1 MiB", "a body that is larger than 1 MiB"},
		"nested 200,000 deep":          {ask{header: in(old.session), body: deep}, 413, "larger than 1 MiB", "a body that is larger than 1 MiB"},
		"200,000 lists":                {ask{header: in(old.session), body: strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000)}, 400, "nested more than 64 deep", "a message that is not taken: the message is nested more than 64 deep"},
		"nested 65 deep":               {ask{header: in(old.session), body: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}}`}, 400, "nested more than 64 deep", "a message that is not taken: the message is nested more than 64 deep"},
		"a batch":                      {ask{header: in(old.session), body: "[" + ping(1) + "," + ping(2) + "]"}, 400, "one message at a time", "a message that is not taken: batches are not taken: send one message at a time"},
		"repeated keys":                {ask{header: in(old.session), body: `{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/list"}`}, 400, `"id":7`, "a message that is not taken: a key is repeated, or not written as it must be"},
		"keys that differ in case":     {ask{header: in(old.session), body: `{"jsonrpc":"2.0","id":7,"method":"ping","METHOD":"tools/list"}`}, 400, `"code":-32600`, "a message that is not taken: a key is repeated, or not written as it must be"},
		"no JSON":                      {ask{header: in(old.session), body: `{"jsonrpc":`}, 400, `"code":-32700`, "a message that is not taken: the message is not a JSON object"},
		"nothing":                      {ask{header: in(old.session), body: ``}, 400, `"code":-32700`, "a message that is not taken: the message is not a JSON object"},
		"no session":                   {ask{header: none, body: call(9, "get_repo", getAPI)}, 400, "Mcp-Session-Id is missing", "no session id"},
		"a session that is none":       {ask{header: in("x"), body: call(9, "get_repo", getAPI)}, 404, `"id":9`, "a session id that is not this client's, or has ended"},
		"another client's session":     {ask{header: in(others.session), body: call(9, "get_repo", getAPI)}, 404, "send initialize", "a session id that is not this client's, or has ended"},
		"listening in on it":           {ask{method: "GET", header: in(others.session)}, 404, "send initialize", "a session id that is not this client's, or has ended"},
		"ending it":                    {ask{method: "DELETE", header: in(others.session)}, 404, "send initialize", "a session id that is not this client's, or has ended"},
		"answering in it":              {ask{header: in(others.session), body: `{"jsonrpc":"2.0","id":1,"result":{}}`}, 404, "send initialize", "a session id that is not this client's, or has ended"},
		"canceling in it":              {ask{header: in(others.session), body: cancel(1)}, 404, "send initialize", "a session id that is not this client's, or has ended"},
		"an SSE session that is none":  {ask{path: "/message?sessionId=x", body: ping(1)}, 404, "/sse", "a session id that is not this client's, or has ended"},
		"an SSE session of the other":  {ask{path: "/message?sessionId=" + old.session, body: ping(1)}, 404, "/sse", "a session id that is not this client's, or has ended"},
		"no SSE session":               {ask{path: "/message", body: ping(1)}, 404, "/sse", "a session id that is not this client's, or has ended"},
		"a key in the address of /sse": {ask{method: "GET", path: "/sse?token=" + keyOfBot}, 401, "", "a key in the address, where proxies log it: give the client a new one"},
	} {
		t.Run(name, func(t *testing.T) {
			s.taken()
			got := s.do(t, row.ask)
			assert.Equal(t, row.status, got.status, got.body)
			assert.Contains(t, got.body, row.says)
			assert.Contains(t, got.body, `"jsonrpc":"2.0"`)
			assert.Equal(t, "application/json", got.header.Get("Content-Type"))
			refused := s.taken()
			require.Len(t, refused, 1, "one event")
			assert.Equal(t, row.reason, refused[0].Reason)
			assert.Equal(t, "127.0.0.1", refused[0].From)
			if row.status != 401 && row.status != 403 {
				assert.Equal(t, "bot", refused[0].Client)
			}
			assert.NotContains(t, got.body+fmt.Sprint(got.header)+fmt.Sprint(refused), keyOfBot)
		})
	}
	assert.Empty(t, s.recorded(), "no call came as far as a tool")
	s.upstream.AssertNothingSent(t)
	got := s.do(t, old.ask(t, "", ping(1)))
	assert.Equal(t, http.StatusOK, got.status, "the session is as it was")
}

// All keys that open nothing read alike, byte for byte.
func TestRefusedKeysReadAlike(t *testing.T) {
	s := newSite(t, newFixture(t))
	wrong := s.do(t, ask{key: "bg_wrong", body: ping(1)})
	other := s.do(t, ask{key: keyOfAdmin, body: ping(1)})
	assert.Equal(t, wrong.body, other.body)
	wrong.header.Del("Date")
	other.header.Del("Date")
	assert.Equal(t, wrong.header, other.header)
	assert.Equal(t, `Bearer realm="bucketgate", error="invalid_token"`, wrong.header.Get("WWW-Authenticate"))
	assert.Equal(t, `Bearer realm="bucketgate"`, s.do(t, ask{key: "-", body: ping(1)}).header.Get("WWW-Authenticate"))
}

func TestWhenKeysCannotBeChecked(t *testing.T) {
	s := newSite(t, newFixture(t))
	s.keysErr = errDown
	got := s.do(t, ask{body: ping(1)})
	assert.Equal(t, http.StatusServiceUnavailable, got.status)
	assert.Equal(t, "1", got.header.Get("Retry-After"))
	assert.NotContains(t, got.body, "database")
	assert.Len(t, s.taken(), 1)
}

func TestWhatIsNotThere(t *testing.T) {
	s := newSite(t, newFixture(t))
	for _, path := range []string{
		"/", "/nothing", "/MCP", "/mcp/", "//mcp", "/admin", "/admin/", "/admin/nothing", "/../mcp", "/metrics",
		"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration",
	} {
		for _, key := range []string{"", "-"} {
			got := s.do(t, ask{method: "GET", path: path, key: key})
			assert.Equal(t, http.StatusNotFound, got.status, path)
			assert.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
			assert.Empty(t, got.header.Get("WWW-Authenticate"))
		}
	}
	for _, row := range []struct{ method, path, allow string }{
		{"PUT", "/mcp", "DELETE, GET, POST"}, {"OPTIONS", "/mcp", "DELETE, GET, POST"}, {"POST", "/sse", "GET"}, {"GET", "/message", "POST"},
	} {
		got := s.do(t, ask{method: row.method, path: row.path})
		assert.Equal(t, http.StatusMethodNotAllowed, got.status)
		assert.Equal(t, row.allow, got.header.Get("Allow"))
	}
	for _, method := range []string{"GET", "DELETE"} {
		got := s.do(t, ask{method: method, header: http.Header{"Mcp-Protocol-Version": {modern}}})
		assert.Equal(t, http.StatusMethodNotAllowed, got.status)
		assert.Equal(t, "POST", got.header.Get("Allow"))
	}
	assert.Empty(t, s.taken())
	assert.Equal(t, http.StatusOK, s.do(t, ask{method: "GET", path: "/healthz", key: "-"}).status)
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	s := newSite(t, newFixture(t))
	g := s.greet(t, "", "2025-06-18")
	for _, a := range []ask{
		{method: "GET", path: "/", key: "-"}, {key: "-", body: ping(1)}, {host: "evil.example", body: ping(1)}, {method: "GET", path: "/healthz"},
		{method: "GET", path: "/readyz"}, {body: "["}, g.ask(t, "", ping(1)), g.ask(t, "", call(1, "get_repo", getAPI)), g.ask(t, "", callWithProgress(1, "reports")),
	} {
		header := s.do(t, a).header
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
		assert.Equal(t, "no-store", header.Get("Cache-Control"))
		assert.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
		assert.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		assert.Empty(t, header.Get("Access-Control-Allow-Origin"))
	}
}

// A call that mcp-go does not let through leaves its one event too.
func TestCallsThatDoNotRunOverHTTP(t *testing.T) {
	s := newSite(t, newFixture(t))
	old, now := s.greet(t, "", "2025-06-18"), s.greet(t, "", modern)
	change := func(a ask, name, value string) ask {
		a.header = a.header.Clone()
		if value == "" {
			a.header.Del(name)
		} else {
			a.header.Set(name, value)
		}
		return a
	}
	good := now.ask(t, "", call(1, "get_repo", getAPI))
	for name, row := range map[string]struct {
		ask    ask
		status int
		code   int
		tool   string
	}{
		"an unknown tool":            {old.ask(t, "", call(1, "manage", `{}`)), 200, -32602, "unknown"},
		"an unknown tool today":      {now.ask(t, "", call(1, "manage", `{}`)), 400, -32602, "unknown"},
		"a name that is none":        {old.ask(t, "", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}`), 200, -32602, "unknown"},
		"another name in the header": {change(good, "Mcp-Name", "list_repos"), 400, -32020, "get_repo"},
		"no name in the header":      {change(good, "Mcp-Name", ""), 400, -32020, "get_repo"},
		"another method":             {change(good, "Mcp-Method", "tools/list"), 400, -32020, "get_repo"},
		"no version in the header":   {change(good, "Mcp-Protocol-Version", ""), 400, -32020, "get_repo"},
		"Last-Event-ID":              {change(good, "Last-Event-ID", "1"), 400, -32020, "get_repo"},
		"an unknown version":         {change(old.ask(t, "", call(1, "get_repo", getAPI)), "Mcp-Protocol-Version", "1999-01-01"), 400, -32600, "get_repo"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.recorded())
			got := s.do(t, row.ask)
			assert.Equal(t, row.status, got.status, got.body)
			answer := got.messages(t)[0]
			require.NotNil(t, answer.Error, got.body)
			assert.Equal(t, row.code, answer.Error.Code, got.body)
			events := s.recorded()[before:]
			require.Len(t, events, 1)
			assert.Equal(t, audit.Denied, events[0].Decision)
			assert.Equal(t, row.tool, events[0].Tool)
			if row.tool == "unknown" {
				assert.Contains(t, answer.Error.Message, "Admin tools are at /admin/mcp")
			}
		})
	}
	assert.Empty(t, s.taken(), "and no second one")
	s.upstream.AssertNothingSent(t)

	s.mu.Lock()
	s.auditErr = errDown
	s.mu.Unlock()
	for _, a := range []ask{change(good, "Mcp-Name", ""), now.ask(t, "", call(1, "manage", `{}`))} {
		got := s.do(t, a)
		assert.Contains(t, got.body, "audit")
		assert.NotContains(t, got.body, "secret detail")
		assert.NotContains(t, got.body, "Mcp-Name")
	}
}

func TestPanicsOverHTTP(t *testing.T) {
	s := newSite(t, newFixture(t))
	for _, version := range []string{"2025-06-18", modern} {
		g := s.greet(t, "", version)
		got := s.do(t, g.ask(t, "", call(1, "panics", `{}`)))
		assert.Equal(t, "internal", got.messages(t)[0].code(t))
		assert.NotContains(t, got.body, secretText)
	}
	good := s.caller
	s.caller = func(context.Context) tools.Caller { panic(secretText) }
	for _, version := range []string{"2025-06-18", modern} {
		g := s.greet(t, "", version)
		got := s.do(t, g.ask(t, "", call(1, "my_access", `{}`)))
		assert.Equal(t, http.StatusInternalServerError, got.status)
		assert.Equal(t, -32603, got.messages(t)[0].Error.Code)
		assert.NotContains(t, got.body, secretText)
	}
	s.caller = good
	assert.Contains(t, s.log.String(), secretText)
}

// mcp-go would end any client's call with that id.
func TestACancelReachesOnlyOnesOwnCall(t *testing.T) {
	f := newFixture(t)
	keeper := newGatekeeper()
	f.toolbox.Tools = append(f.toolbox.Tools, keeper.tool())
	s := newSite(t, f)
	now := s.greet(t, "", modern)
	mine, others, second := s.greet(t, "", "2025-06-18"), s.greet(t, keyOfOther, "2025-06-18"), s.greet(t, "", "2025-11-25")
	var got [3]answered
	var done sync.WaitGroup
	for i, a := range []ask{now.ask(t, "", call(7, "waits", `{}`)), mine.ask(t, "", call(7, "waits", `{}`)), second.ask(t, "", call(7, "waits", `{}`))} {
		done.Go(func() { got[i] = s.do(t, a) })
		await(t, keeper.began)
	}
	for _, a := range []ask{
		now.ask(t, keyOfOther, cancel(7)), now.ask(t, "", cancel(7)), others.ask(t, keyOfOther, cancel(7)), mine.ask(t, "", cancel("7")), mine.ask(t, "", cancel(8)),
	} {
		assert.Equal(t, http.StatusAccepted, s.do(t, a).status)
	}
	assert.Empty(t, keeper.ended, "none of these was the call's own client in its own session")
	assert.Equal(t, http.StatusAccepted, s.do(t, mine.ask(t, "", cancel(7))).status)
	assert.ErrorIs(t, await(t, keeper.ended), context.Canceled)
	close(keeper.open)
	done.Wait()
	assert.Empty(t, got[0].messages(t)[0].code(t))
	assert.Equal(t, -32800, got[1].messages(t)[0].Error.Code)
	assert.Empty(t, got[2].messages(t)[0].code(t))
}

func TestAnEndedSession(t *testing.T) {
	f := newFixture(t)
	keeper := newGatekeeper()
	f.toolbox.Tools = append(f.toolbox.Tools, keeper.tool())
	s := newSite(t, f)
	g, other := s.greet(t, "", "2025-06-18"), s.greet(t, "", "2025-06-18")
	got := make(chan answered, 1)
	go func() { got <- s.do(t, g.ask(t, "", call(1, "waits", `{}`))) }()
	await(t, keeper.began)
	deletes := g.ask(t, "", "")
	deletes.method = "DELETE"
	assert.Equal(t, http.StatusOK, s.do(t, deletes).status)
	assert.ErrorIs(t, await(t, keeper.ended), context.Canceled, "what ran in it has ended")
	await(t, got)
	assert.Equal(t, http.StatusNotFound, s.do(t, g.ask(t, "", ping(1))).status)
	assert.Equal(t, http.StatusNotFound, s.do(t, deletes).status)
	assert.Equal(t, http.StatusOK, s.do(t, other.ask(t, "", ping(1))).status)
}

// A client that closes its request ends its call.
func TestAClosedRequestEndsItsCall(t *testing.T) {
	f := newFixture(t)
	keeper := newGatekeeper()
	f.toolbox.Tools = append(f.toolbox.Tools, keeper.tool())
	s := newSite(t, f)
	for _, version := range []string{"2025-06-18", modern} {
		g := s.greet(t, "", version)
		ctx, hangUp := context.WithCancel(t.Context())
		r := s.request(t, g.ask(t, "", call(1, "waits", `{}`))).WithContext(ctx)
		go s.Client().Do(r)
		await(t, keeper.began)
		hangUp()
		assert.ErrorIs(t, await(t, keeper.ended), context.Canceled)
	}
}

func TestLimitsOfAClient(t *testing.T) {
	f := newFixture(t)
	keeper := newGatekeeper()
	f.toolbox.Tools = append(f.toolbox.Tools, keeper.tool())
	s := newSite(t, f, func(c *server.HTTPConfig) { c.Limits = server.Limits{PerSecond: 1_000_000, Concurrent: 2, Streams: 1} })
	g, other := s.greet(t, "", modern), s.greet(t, keyOfOther, modern)
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() { s.do(t, g.ask(t, "", call(1, "waits", `{}`))) })
		await(t, keeper.began)
	}
	for range 3 {
		got := s.do(t, g.ask(t, "", call(1, "my_access", `{}`)))
		assert.Equal(t, http.StatusTooManyRequests, got.status)
		assert.Equal(t, "1", got.header.Get("Retry-After"))
		assert.Contains(t, got.body, `"jsonrpc":"2.0"`)
	}
	refused := s.taken()
	require.Len(t, refused, 1, "written down once in a minute")
	assert.Equal(t, "bot", refused[0].Client)
	assert.Equal(t, http.StatusOK, s.do(t, other.ask(t, keyOfOther, call(1, "my_access", `{}`))).status, "another client has its own")
	close(keeper.open)
	await(t, keeper.ended)
	await(t, keeper.ended)
	waiting.Wait()

	old := s.greet(t, keyOfOther, "2025-06-18")
	listen := old.ask(t, keyOfOther, "")
	listen.method = "GET"
	stream := s.open(t, listen)
	assert.Equal(t, http.StatusTooManyRequests, s.do(t, listen).status)
	stream.close()
	await(t, stream.ended)
}

// A body that is still on its way counts too, on both transports: one client
// could otherwise have the server hold as many as it opens connections.
func TestBodiesThatAreNotThereYetCount(t *testing.T) {
	s := newSite(t, newFixture(t), func(c *server.HTTPConfig) { c.Limits.Concurrent = 1 })
	g := s.greet(t, "", "2025-06-18")
	stream, path := s.talk(t, "")
	for name, a := range map[string]ask{"http": g.ask(t, "", ping(1)), "sse": {path: path, body: ping(1)}} {
		t.Run(name, func(t *testing.T) {
			body, rest := io.Pipe()
			slow := s.request(t, a)
			slow.Body, slow.ContentLength = body, int64(len(a.body))
			began, ended := make(chan struct{}), make(chan int, 1)
			go func() {
				response, err := s.Client().Do(slow)
				if err != nil {
					ended <- 0
					return
				}
				response.Body.Close()
				ended <- response.StatusCode
			}()
			go func() {
				_, _ = rest.Write([]byte(a.body[:1]))
				close(began)
			}()
			await(t, began)
			refused := func() bool { return s.do(t, a).status == http.StatusTooManyRequests }
			assert.Eventually(t, refused, patience, time.Millisecond)
			_, err := rest.Write([]byte(a.body[1:]))
			require.NoError(t, err)
			require.NoError(t, rest.Close())
			assert.Contains(t, []int{http.StatusOK, http.StatusAccepted}, await(t, ended))
		})
	}
	stream.close()
	await(t, stream.ended)
}

// Who has as many calls under way as are allowed can still cancel one.
func TestACancelNeedsNoPlace(t *testing.T) {
	f := newFixture(t)
	keeper := newGatekeeper()
	f.toolbox.Tools = append(f.toolbox.Tools, keeper.tool())
	s := newSite(t, f, func(c *server.HTTPConfig) { c.Limits.Concurrent = 1 })
	g := s.greet(t, "", "2025-06-18")
	_, path := s.talk(t, "")
	var waiting sync.WaitGroup
	waiting.Go(func() { s.do(t, g.ask(t, "", call(1, "waits", `{}`))) })
	await(t, keeper.began)
	assert.Equal(t, http.StatusTooManyRequests, s.do(t, ask{path: path, body: ping(1)}).status, "both transports count together")
	assert.Equal(t, http.StatusAccepted, s.do(t, g.ask(t, "", cancel(1))).status)
	assert.ErrorIs(t, await(t, keeper.ended), context.Canceled)
	waiting.Wait()

	say := func() bool {
		return s.do(t, ask{path: path, body: call(1, "waits", `{}`)}).status == http.StatusAccepted
	}
	assert.Eventually(t, say, patience, time.Millisecond, "its place is free again")
	await(t, keeper.began)
	assert.Equal(t, http.StatusAccepted, s.do(t, ask{path: path, body: cancel(1)}).status)
	assert.ErrorIs(t, await(t, keeper.ended), context.Canceled)
}

// What stands before the server may judge one of two headers, and the server
// the other.
func TestRepeatedHeaders(t *testing.T) {
	s := newSite(t, newFixture(t))
	for name, values := range map[string][]string{
		"Mcp-Protocol-Version": {modern, "2025-06-18"},
		"Mcp-Method":           {"tools/call", "tools/list"},
		"Mcp-Name":             {"my_access", "get_repo"},
		"Mcp-Session-Id":       {"a", "b"},
		"Content-Type":         {"application/json", "text/plain"},
		"Content-Encoding":     {"", "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			s.taken()
			a := s.greet(t, "", modern).ask(t, "", call(1, "my_access", `{}`))
			a.header[name] = values
			got := s.do(t, a)
			assert.Equal(t, http.StatusBadRequest, got.status, got.body)
			assert.Contains(t, got.body, name+" is there more than once")
			refused := s.taken()
			require.Len(t, refused, 1, "one event")
			assert.Equal(t, "the header "+name+" more than once", refused[0].Reason)
		})
	}
	assert.Empty(t, s.recorded(), "no call came as far as a tool")
}

func TestTheRateOfAClient(t *testing.T) {
	s := newSite(t, newFixture(t), func(c *server.HTTPConfig) { c.Limits.PerSecond = 1 })
	limited := 0
	for range 20 {
		if s.do(t, ask{header: http.Header{"Mcp-Protocol-Version": {modern}}, body: cancel(1)}).status == http.StatusTooManyRequests {
			limited++
		}
	}
	assert.Positive(t, limited)
	assert.Len(t, s.taken(), 1)
}

// Each refused key leaves an event, until there are so many from one address
// that they are there to fill the log.
func TestAFloodOfRefusedKeys(t *testing.T) {
	trusted := server.HTTPConfig{}
	s := newSite(t, newFixture(t), func(c *server.HTTPConfig) { c.TrustedProxies = mustNetworks(t, "127.0.0.0/8"); trusted = *c })
	require.NotEmpty(t, trusted.TrustedProxies)
	from := func(address string) ask {
		return ask{key: "bg_wrong", header: http.Header{"X-Forwarded-For": {address}}, body: ping(1)}
	}
	statuses := map[int]int{}
	for range 400 {
		statuses[s.do(t, from("192.0.2.1")).status]++
	}
	refused := s.taken()
	assert.Equal(t, len(refused), statuses[401]+1, "one each, and one for the flood")
	assert.GreaterOrEqual(t, statuses[401], 100)
	assert.Positive(t, statuses[429])
	assert.Equal(t, "192.0.2.1", refused[100].From)
	assert.Contains(t, refused[len(refused)-1].Reason+refused[100].Reason, "not written down one by one")

	assert.Equal(t, 401, s.do(t, from("192.0.2.2")).status, "another address has its own count")
	good := from("192.0.2.1")
	good.key = keyOfBot
	good.header.Set("Mcp-Protocol-Version", modern)
	good.body = cancel(1)
	assert.Equal(t, http.StatusAccepted, s.do(t, good).status, "and a good key is let in")
}
