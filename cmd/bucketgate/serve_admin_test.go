package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// told is the answer of a call that must succeed.
func told(t *testing.T, session *mcp.ClientSession, tool string, in arguments) map[string]any {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: in})
	require.NoError(t, err)
	text := result.Content[0].(*mcp.TextContent).Text
	require.False(t, result.IsError, text)
	var answer map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	return answer
}

// The whole way over HTTP: an admin sets up by tools, types the key into the
// page of a one-time link, and an agent reads at once.
func TestAnAdminSetsUpOverHTTP(t *testing.T) {
	s, env := canaryBitbucket(t), newHome(t)
	must(t, env, "provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL())
	g := startGate(t, env)
	boss := g.dialAt(t, "/admin/mcp", newKey(t, env, "boss", "--role", "admin"), "2026-07-28")

	credential := told(t, boss, "create_credential", arguments{"provider": "acme", "name": "reader", "username": canaryUser})
	link, _ := credential["link"].(map[string]any)
	address, _ := link["url"].(string)
	require.Contains(t, address, g.url+"/admin/secret/")
	status, page := lookAt(t, address)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "boss", "the page says who asked")
	status, _ = typeKey(t, address, canaryKey)
	assert.Equal(t, http.StatusOK, status)
	status, _ = lookAt(t, address)
	assert.Equal(t, http.StatusGone, status)

	told(t, boss, "create_scope", arguments{"name": "team", "provider": "acme", "credential": "reader", "repositories": []string{"api"}})
	key := newKey(t, env, "bot", "--scope", "team")
	// What another process made counts within a second.
	raw := g.raw(key)
	raw.until(t, "the new client", time.Now(), answers(`"api"`))
	bot := g.dial(t, key, "2025-11-25")
	assert.Equal(t, "acme/api", told(t, bot, "get_repo", arguments{"repository": "api"})["full_name"])

	var seen []string
	for _, event := range told(t, boss, "list_audit_events", arguments{"limit": 50})["events"].([]any) {
		e := event.(map[string]any)
		seen = append(seen, fmt.Sprint(e["tool"], " by ", e["caller"], " from ", e["from"]))
	}
	for _, want := range []string{"create_credential by boss from 127.0.0.1", "create_scope by boss from 127.0.0.1"} {
		assert.Contains(t, seen, want)
	}
}

// Neither key opens the other's side, and the sides do not hold each other's
// tools.
func TestTheSidesAreApart(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	g := startGate(t, env)
	boss, bot := newKey(t, env, "boss", "--role", "admin"), newKey(t, env, "bot", "--scope", "team")
	for _, visit := range []struct {
		path, key string
		status    int
	}{
		{"/mcp", bot, http.StatusOK}, {"/admin/mcp", boss, http.StatusBadRequest}, // it opens, and has no such tool

		{"/mcp", boss, http.StatusUnauthorized}, {"/admin/mcp", bot, http.StatusUnauthorized},
		{"/admin/sse", bot, http.StatusUnauthorized}, {"/sse", boss, http.StatusUnauthorized},
	} {
		c := rawClient{http.DefaultClient, g.url + visit.path, visit.key}
		status, body, err := c.call("my_access", nil)
		if visit.path == "/sse" || visit.path == "/admin/sse" {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+visit.path, nil)
			require.NoError(t, err)
			request.Header.Set("Authorization", "Bearer "+visit.key)
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			response.Body.Close()
			assert.Equal(t, visit.status, response.StatusCode, visit.path)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, visit.status, status, "%s: %s", visit.path, body)
	}
	session := g.dial(t, bot, "2025-11-25")
	_, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "create_scope", Arguments: arguments{}})
	assert.ErrorContains(t, err, "There is no such tool here.")
}
