package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/server"
	"bucketgate/tools"
)

// The keys of the tests, and whose they are.
const (
	keyOfBot   = "bg_bot"
	keyOfOther = "bg_other"
	keyOfAdmin = "bg_admin"
)

// A site is both sides over real HTTP, and what they refused.
type site struct {
	*httptest.Server
	*fixture
	http *server.HTTP

	keysMu   sync.Mutex
	keys     map[string]server.Principal
	keysErr  error
	refusals []server.Refusal
}

// newSite starts a site on the fixture's tools; the admin's side has one tool
// of its own.
func newSite(t *testing.T, f *fixture, change ...func(*server.HTTPConfig)) *site {
	t.Helper()
	s := &site{fixture: f, keys: map[string]server.Principal{
		keyOfBot:   {Name: "bot", Role: "agent"},
		keyOfOther: {Name: "other", Role: "agent"},
		keyOfAdmin: {Name: "boss", Role: "admin"},
	}}
	grant := f.caller(t.Context()).Grant
	f.caller = func(ctx context.Context) tools.Caller {
		p := server.PrincipalFrom(ctx)
		return tools.Caller{Name: p.Name, Role: p.Role, Transport: p.Transport, Grant: grant}
	}
	admins := server.New(server.Config{
		Name: "bucketgate", Version: "test", Log: f.toolbox.Log, Caller: func(ctx context.Context) tools.Caller { return f.caller(ctx) },
		Toolbox: &tools.Toolbox{Tools: []tools.Tool{manages()}, Cursors: f.toolbox.Cursors, Record: f.record, Log: f.toolbox.Log},
	})
	config := server.HTTPConfig{
		Sides: []server.Side{{Role: "agent", Server: f.server()}, {Path: "/admin", Role: "admin", Server: admins}},
		Log:   f.toolbox.Log, Authenticate: s.authenticate, Refused: s.refused, SessionKey: []byte("for the tests"), Loopback: true,
		Ready: func(context.Context) (int, error) { return 0, nil },
	}
	for _, c := range change {
		c(&config)
	}
	s.http = server.NewHTTP(config)
	s.Server = httptest.NewServer(s.http)
	s.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	t.Cleanup(func() {
		s.http.Drain()
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *site) authenticate(_ context.Context, key string) (server.Principal, error) {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	if s.keysErr != nil {
		return server.Principal{}, s.keysErr
	}
	if p, ok := s.keys[key]; ok {
		return p, nil
	}
	return server.Principal{}, &server.KeyRefused{Client: "gone", Role: "agent", Reason: "the key was revoked"}
}

func (s *site) revoke(key string) {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	delete(s.keys, key)
}

func (s *site) refused(_ context.Context, r server.Refusal) error {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	s.refusals = append(s.refusals, r)
	return nil
}

// taken returns what was refused since it was last asked.
func (s *site) taken() []server.Refusal {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	list := s.refusals
	s.refusals = nil
	return list
}

// manages is the admin's one tool.
func manages() tools.Tool {
	type none struct{}
	return tools.Define(tools.Tool{Name: "manage", Action: policy.NoAction},
		func(context.Context, *tools.Call, none) (none, error) { return none{}, nil })
}

// counts is a tool that reports a few times and returns at once.
func counts() tools.Tool {
	type none struct{}
	return tools.Define(tools.Tool{Name: "counts", Action: policy.NoAction},
		func(_ context.Context, call *tools.Call, _ none) (none, error) {
			for i := range reportsOfCounts {
				call.Progress(i+1, reportsOfCounts)
			}
			return none{}, nil
		})
}

const reportsOfCounts = 5

// A gatekeeper's tool waits to be released, or for its call to be ended.
type gatekeeper struct {
	began chan struct{}
	open  chan struct{}
	ended chan error
}

func newGatekeeper() *gatekeeper {
	return &gatekeeper{began: make(chan struct{}, 100), open: make(chan struct{}), ended: make(chan error, 100)}
}

func (g *gatekeeper) tool() tools.Tool {
	type none struct{}
	return tools.Define(tools.Tool{Name: "waits", Action: policy.NoAction},
		func(ctx context.Context, _ *tools.Call, _ none) (none, error) {
			g.began <- struct{}{}
			select {
			case <-g.open:
				g.ended <- nil
				return none{}, nil
			case <-ctx.Done():
				g.ended <- ctx.Err()
				return none{}, ctx.Err()
			}
		})
}

func await[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		require.FailNow(t, "it did not happen")
		panic("unreachable")
	}
}

// An ask is one HTTP request.
type ask struct {
	method string // POST
	path   string // /mcp
	key    string // bot's; "-" for none
	host   string
	header http.Header
	body   string
}

// An answered is what came back, whole.
type answered struct {
	status int
	header http.Header
	body   string
}

func (s *site) request(t *testing.T, a ask) *http.Request {
	t.Helper()
	if a.method == "" {
		a.method = "POST"
	}
	if a.path == "" {
		a.path = "/mcp"
	}
	r, err := http.NewRequestWithContext(t.Context(), a.method, s.URL+a.path, strings.NewReader(a.body))
	require.NoError(t, err)
	if a.method == "POST" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	switch a.key {
	case "":
		r.Header.Set("Authorization", "Bearer "+keyOfBot)
	case "-":
	default:
		r.Header.Set("Authorization", "Bearer "+a.key)
	}
	for name, values := range a.header {
		r.Header.Del(name)
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	if a.host != "" {
		r.Host = a.host
	}
	return r
}

func (s *site) do(t *testing.T, a ask) answered {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	response, err := s.Client().Do(s.request(t, a).WithContext(ctx))
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answered{response.StatusCode, response.Header, string(body)}
}

// open is do for a stream.
func (s *site) open(t *testing.T, a ask) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	response, err := s.Client().Do(s.request(t, a).WithContext(ctx))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	out := &stream{t: t, events: make(chan string, 5000), ended: make(chan struct{}), close: cancel}
	go out.read(response.Body)
	t.Cleanup(cancel)
	return out
}

// A stream is server-sent events as they come; a comment begins with ":".
type stream struct {
	t      *testing.T
	events chan string
	ended  chan struct{}
	close  func()
}

func (s *stream) read(body io.ReadCloser) {
	defer close(s.ended)
	defer body.Close()
	scanner := bufio.NewScanner(body)
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
			s.events <- data
		} else if strings.HasPrefix(scanner.Text(), ":") {
			s.events <- scanner.Text()
		}
	}
}

// next returns the next event that is no comment.
func (s *stream) next() string {
	s.t.Helper()
	for {
		if event := await(s.t, s.events); !strings.HasPrefix(event, ":") {
			return event
		}
	}
}

// messages takes an answer apart, whether it is one body or a stream.
func (a answered) messages(t *testing.T) []message {
	t.Helper()
	if a.header.Get("Content-Type") == "application/json" {
		return []message{decode(t, a.body)}
	}
	require.Equal(t, "text/event-stream", a.header.Get("Content-Type"), "%d %s", a.status, a.body)
	var list []message
	for line := range strings.Lines(a.body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			list = append(list, decode(t, data))
		}
	}
	return list
}

// A generation is one way to speak the protocol over HTTP.
type generation struct {
	name    string
	version string
	session string // of the older ones
}

// greet makes a session where the generation has them.
func (s *site) greet(t *testing.T, key, version string) generation {
	t.Helper()
	g := generation{name: version, version: version}
	if version == modern {
		return g
	}
	got := s.do(t, ask{key: key, body: strings.Replace(initialize, "2025-06-18", version, 1)})
	require.Equal(t, http.StatusOK, got.status, got.body)
	g.session = got.header.Get("Mcp-Session-Id")
	require.NotEmpty(t, g.session)
	return g
}

const modern = "2026-07-28"

// ask makes a request of the generation out of a message without its _meta.
func (g generation) ask(t *testing.T, key, text string) ask {
	t.Helper()
	a := ask{key: key, header: http.Header{"Mcp-Protocol-Version": {g.version}}, body: text}
	if g.version != modern {
		a.header.Set("Mcp-Session-Id", g.session)
		return a
	}
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &m))
	params, _ := m["params"].(map[string]any)
	if params == nil {
		params = map[string]any{}
	}
	meta, _ := params["_meta"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	meta["io.modelcontextprotocol/protocolVersion"] = modern
	meta["io.modelcontextprotocol/clientInfo"] = map[string]any{"name": "test", "version": "1"}
	meta["io.modelcontextprotocol/clientCapabilities"] = map[string]any{}
	params["_meta"], m["params"] = meta, params
	encoded, err := json.Marshal(m)
	require.NoError(t, err)
	a.body = string(encoded)
	a.header.Set("Mcp-Method", fmt.Sprint(m["method"]))
	if name, ok := params["name"].(string); ok {
		a.header.Set("Mcp-Name", name)
	}
	return a
}

func callWithProgress(id int, tool string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{},"_meta":{"progressToken":"t%d"}}}`, id, tool, id)
}

var errDown = errors.New("the database is down: secret detail")
