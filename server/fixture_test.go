package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/policy"
	"bucketgate/policy/policytest"
	"bucketgate/server"
	"bucketgate/tools"
	"bucketgate/tools/agent"
)

// patience is for what must happen; it is no measure of speed.
const patience = 20 * time.Second

// A fixture is a server with the real tools, on a Bitbucket whose workspace
// acme has the repositories api, web and hidden, the last out of scope.
type fixture struct {
	upstream *bitbuckettest.Server
	toolbox  *tools.Toolbox
	log      *shared
	caller   func(context.Context) tools.Caller
	mu       sync.Mutex
	events   []audit.Event
	auditErr error
	slow     time.Duration // that writing an event takes
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	upstream := bitbuckettest.New(t)
	upstream.Repository("acme/api", "main", "feature/x", "secret/y")
	upstream.Repository("acme/web", "main")
	upstream.Repository("acme/hidden", "main")
	return fixtureOn(t, upstream)
}

func fixtureOn(t *testing.T, upstream *bitbuckettest.Server) *fixture {
	t.Helper()
	f := &fixture{upstream: upstream, log: &shared{}}
	client := bitbucket.New(bitbucket.Config{
		Credential: func(context.Context, string) (bitbucket.Credential, error) {
			return bitbucket.Credential{API: f.upstream.URL(), APIKey: secret.NewText("a key")}, nil
		},
		AllowAddress: func(string) bool { return true },
	})
	cursors, err := tools.NewCursors([]byte("for the test"))
	require.NoError(t, err)
	f.toolbox = &tools.Toolbox{
		Tools: append(agent.Tools(client), panics(), reports()), Prompts: agent.Prompts(), Cursors: cursors,
		Record: f.record, Log: slog.New(slog.NewTextHandler(f.log, nil)),
	}
	f.grant(t, policy.Definition{Repositories: []string{"api|web|missing"}, Branches: []string{"main|feature/.*"}})
	return f
}

// grant gives the caller one scope.
func (f *fixture) grant(t *testing.T, d policy.Definition) {
	d.API = f.upstream.URL()
	grant := policy.NewGrant("local", policytest.Scope(t, d))
	f.caller = func(context.Context) tools.Caller {
		return tools.Caller{Name: "local", Role: "agent", Transport: "stdio", Grant: grant}
	}
}

const secretText = "what a panic says"

// panics is a tool that does.
func panics() tools.Tool {
	type none struct{}
	return tools.Define(tools.Tool{Name: "panics", Action: policy.NoAction},
		func(context.Context, *tools.Call, none) (none, error) { panic(secretText) })
}

// reports is a tool whose progress goes back and forth, and on after its end.
func reports() tools.Tool {
	type none struct{}
	return tools.Define(tools.Tool{Name: "reports", Action: policy.NoAction},
		func(_ context.Context, call *tools.Call, _ none) (none, error) {
			for _, done := range []int{0, 2, 1, 2, 5, 3} {
				call.Progress(done, 4)
			}
			go func() {
				for done := 6; done < 2000; done++ {
					call.Progress(done, 2000)
				}
			}()
			return none{}, nil
		})
}

func (f *fixture) record(e audit.Event) error {
	time.Sleep(f.slow)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.auditErr == nil {
		f.events = append(f.events, e)
	}
	return f.auditErr
}

func (f *fixture) recorded() []audit.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]audit.Event(nil), f.events...)
}

func (f *fixture) server() *server.Server {
	return server.New(server.Config{
		Name: "bucketgate", Version: "test", Instructions: agent.Instructions,
		Toolbox: f.toolbox, Log: f.toolbox.Log, Caller: func(ctx context.Context) tools.Caller { return f.caller(ctx) },
	})
}

// A shared buffer may be written and read at once.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A message is what a server sends.
type message struct {
	ID     json.RawMessage
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
	}
	text string
}

// code returns the code of a tool's error, "" for an answer.
func (m message) code(t *testing.T) string {
	t.Helper()
	var result struct {
		Content           []struct{ Text string }
		StructuredContent json.RawMessage
		IsError           bool
	}
	require.NoError(t, json.Unmarshal(m.Result, &result), m.text)
	var body struct{ Error struct{ Code string } }
	require.Len(t, result.Content, 1)
	require.NoError(t, json.Unmarshal([]byte(result.Content[0].Text), &body))
	assert.Equal(t, result.IsError, body.Error.Code != "")
	assert.Equal(t, result.IsError, result.StructuredContent == nil, "an error has no structuredContent, an answer has")
	return body.Error.Code
}

func decode(t *testing.T, line string) message {
	t.Helper()
	m := message{text: line}
	require.NoError(t, json.Unmarshal([]byte(line), &m), "a line that is no message: %s", line)
	return m
}

// feed gives a server the whole input at once, ends it, and returns what was
// sent.
func (f *fixture) feed(t *testing.T, input string) []message {
	t.Helper()
	out := &shared{}
	require.NoError(t, f.server().ServeStdio(t.Context(), strings.NewReader(input), out))
	var sent []message
	for line := range strings.Lines(out.String()) {
		require.True(t, strings.HasSuffix(line, "\n"))
		sent = append(sent, decode(t, line))
	}
	return sent
}

// A client talks to a server over pipes.
type client struct {
	t    *testing.T
	in   *io.PipeWriter
	out  chan string
	done chan error
	stop context.CancelFunc
}

func (f *fixture) connect(t *testing.T) *client {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	in, inWriter := io.Pipe()
	outReader, out := io.Pipe()
	c := &client{t: t, in: inWriter, out: make(chan string, 1000), done: make(chan error, 1), stop: stop}
	s := f.server()
	go func() {
		err := s.ServeStdio(ctx, in, out)
		out.Close()
		c.done <- err
	}()
	go func() {
		defer close(c.out)
		scanner := bufio.NewScanner(outReader)
		scanner.Buffer(nil, 4<<20)
		for scanner.Scan() {
			c.out <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		stop()
		inWriter.Close()
	})
	return c
}

func (c *client) send(lines ...string) {
	c.t.Helper()
	_, err := io.WriteString(c.in, strings.Join(lines, "\n")+"\n")
	require.NoError(c.t, err)
}

// next returns the next message.
func (c *client) next() message {
	c.t.Helper()
	select {
	case line, ok := <-c.out:
		require.True(c.t, ok, "the conversation has ended")
		return decode(c.t, line)
	case <-time.After(patience):
		require.FailNow(c.t, "no message came")
		return message{}
	}
}

// end ends the input and returns what is sent after that, and the error.
func (c *client) end() ([]message, error) {
	c.t.Helper()
	require.NoError(c.t, c.in.Close())
	return c.rest()
}

func (c *client) rest() ([]message, error) {
	c.t.Helper()
	var sent []message
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-c.out:
			if !ok {
				return sent, <-c.done
			}
			sent = append(sent, decode(c.t, line))
		case <-deadline:
			require.FailNow(c.t, "the conversation did not end")
		}
	}
}

// The messages that clients send.

func call(id any, tool, arguments string) string {
	encoded, _ := json.Marshal(id)
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, encoded, tool, arguments)
}

func cancel(id any) string {
	encoded, _ := json.Marshal(id)
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`, encoded)
}

func ping(id int) string { return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, id) }

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

const getAPI = `{"repository":"api"}`
