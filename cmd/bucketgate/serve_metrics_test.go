package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// metrics asks as a Prometheus does that has the key.
func (g *gate) metrics(t *testing.T, key string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/metrics", nil)
	require.NoError(t, err)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestMetrics(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	g := startGate(t, env)
	bot, boss := newKey(t, env, "bot-of-the-test", "--scope", "team"), newKey(t, env, "boss", "--role", "admin")

	for _, key := range []string{"", bot, boss[:len(boss)-1]} {
		status, text := g.metrics(t, key)
		assert.Equal(t, http.StatusUnauthorized, status, "an admin's key, and no other")
		assert.NotContains(t, text, "bucketgate_")
	}
	for _, call := range []struct{ tool, repository string }{
		{"get_repo", "api"}, {"get_repo", "api"}, {"get_repo", "hidden"}, {"made_up_by_a_client", ""},
	} {
		_, _, err := g.raw(bot).call(call.tool, arguments{"repository": call.repository})
		require.NoError(t, err)
	}
	told(t, g.dialAt(t, "/admin/mcp", boss, "2026-07-28"), "list_scopes", nil)

	status, text := g.metrics(t, boss)
	require.Equal(t, http.StatusOK, status)
	for _, line := range []string{
		`bucketgate_calls_total{code="ok",role="agent",tool="get_repo"} 2`,
		`bucketgate_calls_total{code="not_found",role="agent",tool="get_repo"} 1`,
		`bucketgate_calls_total{code="invalid_argument",role="agent",tool=""} 1`,
		`bucketgate_calls_total{code="ok",role="admin",tool="list_scopes"} 1`,
		`bucketgate_call_duration_seconds_count{role="agent",tool="get_repo"} 3`,
		`bucketgate_bitbucket_requests_total{status="200"} 2`,
		`bucketgate_bitbucket_request_duration_seconds_count 2`,
		`bucketgate_refused_requests_total{transport="http"} 3`,
		`bucketgate_audit_failing 0`,
		`bucketgate_broken_scopes 0`,
	} {
		assert.Contains(t, text, line+"\n")
	}
	for _, name := range []string{"made_up", "bot-of-the-test", "team", "hidden", "acme", bot[:16]} {
		assert.NotContains(t, text, name, "no name of anything that an admin or a client has named")
	}

	doc, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (bucketgate_\S+)`).FindAllStringSubmatch(text, -1) {
		assert.Contains(t, string(doc), "| `"+name[1]+"` |", "docs/metrics.md")
	}
}

// A listener for agents alone has no numbers.
func TestMetricsAreOnTheAdminsSide(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	g := startGate(t, env, "--admin-listen", "127.0.0.2:0")
	status, _ := g.metrics(t, newKey(t, env, "boss", "--role", "admin"))
	assert.Equal(t, http.StatusNotFound, status)
}
