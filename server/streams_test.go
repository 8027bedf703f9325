package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/tools/agent"

	"bucketgate/internal/audit"
	"bucketgate/server"
)

// calls of the progress test, in each era; with notifications in each,
// sent right before the answer, where mcp-go loses every third.
const progressCalls = 2000

// inParallel does n things, a few at a time.
func inParallel(n int, do func(i int)) {
	var done sync.WaitGroup
	next := make(chan int)
	for range 8 {
		done.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	done.Wait()
}

// checkProgress wants all notifications of a call, in their order, and then
// the answer, and nothing after it.
func checkProgress(id int, got []message) string {
	if len(got) != reportsOfCounts+1 {
		return fmt.Sprintf("call %d: %d messages", id, len(got))
	}
	for i, m := range got[:reportsOfCounts] {
		want := fmt.Sprintf(`{"progressToken":"t%d","progress":%d,"total":%d}`, id, i+1, reportsOfCounts)
		if m.Method != "notifications/progress" || string(m.Params) != want {
			return fmt.Sprintf("call %d: message %d is %s", id, i, m.text)
		}
	}
	if last := got[reportsOfCounts]; string(last.ID) != fmt.Sprint(id) || last.Result == nil {
		return fmt.Sprintf("call %d: the last message is %s", id, last.text)
	}
	return ""
}

func TestNoProgressIsLostOverHTTP(t *testing.T) {
	f := newFixture(t)
	f.toolbox.Tools = append(f.toolbox.Tools, counts())
	s := newSite(t, f)
	for _, version := range []string{"2025-06-18", modern} {
		t.Run(version, func(t *testing.T) {
			g := s.greet(t, "", version)
			inParallel(progressCalls, func(i int) {
				got := s.do(t, g.ask(t, "", callWithProgress(i, "counts")))
				if words := checkProgress(i, got.messages(t)); words != "" {
					t.Error(words)
				}
			})
		})
	}
}

func TestNoProgressIsLostOverSSE(t *testing.T) {
	f := newFixture(t)
	f.toolbox.Tools = append(f.toolbox.Tools, counts())
	s := newSite(t, f, func(c *server.HTTPConfig) { c.Limits.Concurrent = 32 })
	stream, path := s.talk(t, "")
	got := map[int][]message{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for answers := 0; answers < progressCalls; {
			m := decode(t, stream.next())
			id := 0
			if m.Method == "" {
				answers++
				_ = json.Unmarshal(m.ID, &id)
			} else {
				_, _ = fmt.Sscanf(string(m.Params), `{"progressToken":"t%d"`, &id)
			}
			got[id] = append(got[id], m)
		}
	}()
	inParallel(progressCalls, func(i int) {
		// The answers do not come on the requests, so that only the limit keeps
		// the calls from running ahead of them.
		for s.do(t, ask{path: path, body: callWithProgress(i, "counts")}).status == http.StatusTooManyRequests {
			time.Sleep(time.Millisecond)
		}
	})
	await(t, done)
	for i := range progressCalls {
		assert.Empty(t, checkProgress(i, got[i]))
	}
}

// A client that takes no stream gets its answer without progress.
func TestNoStreamForWhoTakesNone(t *testing.T) {
	f := newFixture(t)
	f.toolbox.Tools = append(f.toolbox.Tools, counts())
	s := newSite(t, f)
	g := s.greet(t, "", "2025-06-18")
	for accept, contentType := range map[string]string{
		"application/json": "application/json", "": "application/json", "*/*": "application/json", "text/event-stream": "text/event-stream",
	} {
		a := g.ask(t, "", callWithProgress(1, "counts"))
		a.header.Set("Accept", accept)
		got := s.do(t, a)
		assert.Equal(t, contentType, got.header.Get("Content-Type"), accept)
		messages := got.messages(t)
		assert.NotNil(t, messages[len(messages)-1].Result)
	}
	a := g.ask(t, "", call(1, "my_access", "{}"))
	a.header.Set("Accept", "text/event-stream")
	assert.Equal(t, "text/event-stream", s.do(t, a).header.Get("Content-Type"))
}

// A report that goes back is not sent, nor one after the answer.
func TestProgressOnlyRisesOverHTTP(t *testing.T) {
	s := newSite(t, newFixture(t))
	g := s.greet(t, "", modern)
	for range 50 {
		got := s.do(t, g.ask(t, "", callWithProgress(1, "reports"))).messages(t)
		last := 0
		for _, m := range got[:len(got)-1] {
			var p struct{ Progress int }
			require.NoError(t, json.Unmarshal(m.Params, &p))
			assert.Greater(t, p.Progress, last)
			last = p.Progress
		}
		assert.NotNil(t, got[len(got)-1].Result, "the answer is the last")
	}
}

func TestALongCallIsKeptAlive(t *testing.T) {
	f := newFixture(t)
	keeper := newGatekeeper()
	f.toolbox.Tools = append(f.toolbox.Tools, keeper.tool())
	s := newSite(t, f, func(c *server.HTTPConfig) { c.Heartbeat = time.Millisecond })
	for _, version := range []string{"2025-06-18", modern} {
		stream := s.open(t, s.greet(t, "", version).ask(t, "", call(1, "waits", `{}`)))
		for range 3 {
			assert.True(t, strings.HasPrefix(await(t, stream.events), ":"))
		}
		keeper.open <- struct{}{}
		assert.NotNil(t, decode(t, stream.next()).Result)
		await(t, stream.ended)
	}
}

func TestTheOlderListeningStream(t *testing.T) {
	s := newSite(t, newFixture(t), func(c *server.HTTPConfig) { c.Heartbeat = time.Millisecond })
	g := s.greet(t, "", "2025-06-18")
	listen := g.ask(t, "", "")
	listen.method = "GET"
	first, second := s.open(t, listen), s.open(t, listen)
	for _, stream := range []*stream{first, second} {
		for range 3 {
			assert.Equal(t, ": still here", await(t, stream.events))
		}
	}
	first.close()
	await(t, first.ended)
	assert.Equal(t, http.StatusOK, s.do(t, g.ask(t, "", ping(1))).status)
	s.revoke(keyOfBot)
	await(t, second.ended)
}

// There is nothing to subscribe to, and mcp-go says so and ends the stream.
func TestSubscribing(t *testing.T) {
	s := newSite(t, newFixture(t))
	g := s.greet(t, "", modern)
	got := s.do(t, g.ask(t, "", `{"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}`))
	messages := got.messages(t)
	require.Len(t, messages, 2, got.body)
	assert.Equal(t, "notifications/subscriptions/acknowledged", messages[0].Method)
	assert.Equal(t, "5", string(messages[1].ID))
}

// talk opens a stream of the old SSE transport.
func (s *site) talk(t *testing.T, key string) (*stream, string) {
	t.Helper()
	stream := s.open(t, ask{method: "GET", path: "/sse", key: key})
	path := stream.next()
	require.True(t, strings.HasPrefix(path, "/message?sessionId="), path)
	return stream, path
}

func TestTheOldSSETransport(t *testing.T) {
	s := newSite(t, newFixture(t))
	stream, path := s.talk(t, "")
	say := func(text string) {
		got := s.do(t, ask{path: path, body: text})
		assert.Equal(t, http.StatusAccepted, got.status, got.body)
		assert.Empty(t, got.body)
	}
	say(initialize)
	assert.Contains(t, stream.next(), `"protocolVersion":"2025-06-18"`)
	say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	say(call(1, "get_repo", getAPI))
	assert.Contains(t, stream.next(), `acme/api`)
	say(call(2, "panics", `{}`))
	answer := decode(t, stream.next())
	assert.Equal(t, "internal", answer.code(t))
	assert.NotContains(t, answer.text, secretText)
	say(call(3, "manage", `{}`))
	assert.Equal(t, -32602, decode(t, stream.next()).Error.Code)
	events := s.recorded()
	require.Len(t, events, 3)
	for _, e := range events {
		assert.Equal(t, [3]string{"bot", "agent", "sse"}, [3]string{e.Caller, e.Role, e.Transport})
	}

	// Bad messages are refused where they were posted.
	for body, status := range map[string]int{"[]": 400, `{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`: 400, strings.Repeat("x", 1<<20+1): 413} {
		assert.Equal(t, status, s.do(t, ask{path: path, body: body}).status)
		assert.Len(t, s.taken(), 1)
	}
	// The stream is its client's alone.
	got := s.do(t, ask{path: path, key: keyOfOther, body: call(9, "get_repo", getAPI)})
	assert.Equal(t, http.StatusNotFound, got.status)
	refused := s.taken()
	require.Len(t, refused, 1)
	assert.Equal(t, [2]string{"other", "sse"}, [2]string{refused[0].Client, refused[0].Transport})
	assert.Equal(t, http.StatusUnauthorized, s.do(t, ask{path: path, key: "-", body: ping(1)}).status)
	say(ping(10))
	assert.Equal(t, `10`, string(decode(t, stream.next()).ID), "nothing of the other's came")
}

// What runs ends with the stream, and can be canceled on it.
func TestCallsEndWithTheirStream(t *testing.T) {
	f := newFixture(t)
	keeper := newGatekeeper()
	f.toolbox.Tools = append(f.toolbox.Tools, keeper.tool())
	s := newSite(t, f)
	stream, path := s.talk(t, "")
	other, otherPath := s.talk(t, "")
	for _, p := range []string{path, otherPath} {
		s.do(t, ask{path: p, body: call(1, "waits", `{}`)})
		await(t, keeper.began)
	}
	s.do(t, ask{path: otherPath, body: cancel(1)})
	assert.ErrorIs(t, await(t, keeper.ended), context.Canceled)
	assert.Empty(t, keeper.ended)
	stream.close()
	assert.ErrorIs(t, await(t, keeper.ended), context.Canceled)
	s.do(t, ask{path: otherPath, body: ping(2)})
	assert.Equal(t, "2", string(decode(t, other.next()).ID), "who has canceled awaits no answer")
	assert.Eventually(t, func() bool { return s.do(t, ask{path: path, body: ping(1)}).status == http.StatusNotFound }, patience, time.Millisecond)
}

func TestARevokedKeyEndsItsStream(t *testing.T) {
	s := newSite(t, newFixture(t), func(c *server.HTTPConfig) { c.Heartbeat = time.Millisecond })
	stream, path := s.talk(t, "")
	other, _ := s.talk(t, keyOfOther)
	s.revoke(keyOfBot)
	await(t, stream.ended)
	assert.Equal(t, http.StatusUnauthorized, s.do(t, ask{path: path, body: ping(1)}).status)
	assert.Equal(t, ": still here", await(t, other.events))
}

// The official SDK's client, on both transports.
func TestTheSDKsClient(t *testing.T) {
	s := newSite(t, newFixture(t))
	transport := func(path, key string) mcp.Transport {
		client := &http.Client{Transport: withKey{key}}
		if path == "/sse" {
			return &mcp.SSEClientTransport{Endpoint: s.URL + path, HTTPClient: client}
		}
		return &mcp.StreamableClientTransport{Endpoint: s.URL + path, HTTPClient: client}
	}
	for _, path := range []string{"/mcp", "/sse"} {
		for _, version := range []string{"2025-11-25", modern} {
			t.Run(path+" "+version, func(t *testing.T) {
				client := mcp.NewClient(&mcp.Implementation{Name: "sdk", Version: "1"}, nil)
				session, err := client.Connect(t.Context(), transport(path, keyOfBot), &mcp.ClientSessionOptions{ProtocolVersion: version})
				require.NoError(t, err)
				defer session.Close()
				tools, err := session.ListTools(t.Context(), nil)
				require.NoError(t, err)
				assert.Len(t, tools.Tools, len(agent.Tools(nil))+2)
				result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_repo", Arguments: map[string]any{"repository": "api"}})
				require.NoError(t, err)
				assert.Contains(t, result.Content[0].(*mcp.TextContent).Text, "acme/api")
				if version != modern {
					require.NoError(t, session.Ping(t.Context(), nil))
				}
			})
		}
		client := mcp.NewClient(&mcp.Implementation{Name: "sdk", Version: "1"}, nil)
		_, err := client.Connect(t.Context(), transport(path, keyOfAdmin), nil)
		assert.ErrorContains(t, err, "Unauthorized")
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "sdk", Version: "1"}, nil).Connect(t.Context(), transport("/admin/mcp", keyOfAdmin), nil)
	require.NoError(t, err)
	defer session.Close()
	tools, err := session.ListTools(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, tools.Tools, 1)
	assert.Equal(t, "manage", tools.Tools[0].Name)
}

type withKey struct{ key string }

// RoundTrip implements http.RoundTripper.
func (k withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	return http.DefaultTransport.RoundTrip(r)
}

// At its end the server answers what it has begun, and begins nothing more.
func TestTheEndOfTheServer(t *testing.T) {
	f := newFixture(t)
	keeper := newGatekeeper()
	f.toolbox.Tools = append(f.toolbox.Tools, keeper.tool())
	s := newSite(t, f)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(ctx, listener) }()
	s.URL = "http://" + listener.Addr().String()

	g := s.greet(t, "", "2025-06-18")
	listen := g.ask(t, "", "")
	listen.method = "GET"
	listening := s.open(t, listen)
	talking, path := s.talk(t, "")
	idle, _ := s.talk(t, "")
	got := make(chan answered, 1)
	go func() { got <- s.do(t, g.ask(t, "", call(1, "waits", `{}`))) }()
	await(t, keeper.began)
	s.do(t, ask{path: path, body: call(2, "waits", `{}`)})
	await(t, keeper.began)

	stop()
	await(t, listening.ended)
	await(t, idle.ended)
	assert.Empty(t, keeper.ended, "the calls run on")
	close(keeper.open)
	assert.NotNil(t, await(t, got).messages(t)[0].Result)
	assert.NotNil(t, decode(t, talking.next()).Result)
	await(t, talking.ended)
	assert.NoError(t, await(t, ended))
	_, err = net.Dial("tcp", listener.Addr().String())
	assert.Error(t, err)
	for _, e := range s.recorded() {
		assert.Equal(t, audit.Allowed, e.Decision)
	}
}

func TestReady(t *testing.T) {
	broken, down := 0, error(nil)
	s := newSite(t, newFixture(t), func(c *server.HTTPConfig) {
		c.Ready = func(context.Context) (int, error) { return broken, down }
	})
	ready := func() (int, string) {
		got := s.do(t, ask{method: "GET", path: "/readyz", key: "-"})
		return got.status, strings.TrimSpace(got.body)
	}
	status, body := ready()
	assert.Equal(t, 200, status)
	assert.Equal(t, `{"status":"ready","broken_scopes":0}`, body)
	broken = 2
	_, body = ready()
	assert.Equal(t, `{"status":"degraded","broken_scopes":2}`, body)
	broken, down = 0, errDown
	status, body = ready()
	assert.Equal(t, 503, status)
	assert.Equal(t, `{"status":"unavailable","broken_scopes":0}`, body)
	assert.Contains(t, s.log.String(), "secret detail", "the cause is in the log alone")
}
