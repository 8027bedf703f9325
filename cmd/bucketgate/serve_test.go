package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/server"
	"bucketgate/tools/agent"
)

// someLimits are those that serve has where nobody says otherwise.
var someLimits = server.Limits{PerSecond: server.DefaultPerSecond, Concurrent: server.DefaultConcurrent}

// A gate is `serve`, running in the test's process as main runs it.
type gate struct {
	url    string        // of the first listener
	stdout *lockedBuffer // what came after the line of the first listener
	stderr *lockedBuffer
	stop   func() outcome
}

// startGate runs serve on a free port.
func startGate(t *testing.T, env variables, args ...string) *gate {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	g := &gate{stdout: &lockedBuffer{}, stderr: &lockedBuffer{}}
	p := program{stdin: strings.NewReader(""), stdout: in, stderr: g.stderr, lookupEnv: env.lookup}
	ended := make(chan int, 1)
	go func() {
		code := p.run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...))
		in.Close()
		ended <- code
	}()
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	require.NoError(t, err, "%s", g.stderr)
	g.url = strings.TrimSuffix(strings.TrimSpace(strings.TrimPrefix(first, "agents: ")), "/mcp")
	go io.Copy(g.stdout, lines)
	stopped := false
	var last outcome
	g.stop = func() outcome {
		if !stopped {
			stopped = true
			cancel()
			last = outcome{code: <-ended, stderr: g.stderr.String()}
		}
		return last
	}
	t.Cleanup(func() { assert.Equal(t, exitDone, g.stop().code, "%s", g.stderr) })
	return g
}

// newKey makes a client and returns its key.
func newKey(t *testing.T, env variables, args ...string) string {
	t.Helper()
	lines := strings.Fields(must(t, env, append([]string{"client", "create"}, args...)...))
	return lines[len(lines)-1]
}

// keyed puts a client's key on its requests.
type keyed struct {
	key string
}

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+k.key)
	return manyAtOnce.Transport.RoundTrip(r)
}

func (g *gate) client(key string) *http.Client { return &http.Client{Transport: keyed{key}} }

// dial connects the official SDK's client.
func (g *gate) dial(t *testing.T, key, protocol string) *mcp.ClientSession {
	t.Helper()
	return g.dialAt(t, "/mcp", key, protocol)
}

func (g *gate) dialAt(t *testing.T, path, key, protocol string) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: g.url + path, HTTPClient: g.client(key)}, &mcp.ClientSessionOptions{ProtocolVersion: protocol})
	require.NoError(t, err)
	t.Cleanup(func() { session.Close() })
	return session
}

func TestServeAnswersAStoredClient(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	g := startGate(t, env)
	key := newKey(t, env, "bot", "--scope", "team")
	for _, protocol := range generations {
		t.Run(protocol, func(t *testing.T) {
			session := g.dial(t, key, protocol)
			assert.Equal(t, protocol, session.InitializeResult().ProtocolVersion)
			tools, err := session.ListTools(t.Context(), nil)
			require.NoError(t, err)
			assert.Len(t, tools.Tools, len(agent.Tools(nil)))
			result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_repo", Arguments: map[string]any{"repository": "api"}})
			require.NoError(t, err)
			assert.Contains(t, result.Content[0].(*mcp.TextContent).Text, `"full_name":"acme/api"`)
		})
	}
	require.Equal(t, exitDone, g.stop().code) // what was allowed is written by then
	assert.Contains(t, must(t, env, "audit", "list", "--decision", "allowed", "--tool", "get_repo", "--output", "json"), `"caller":"bot","role":"agent","transport":"http","from":"127.0.0.1"`)
}
