package server_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type promptKey struct{ key string }

func (w promptKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+w.key)
	return http.DefaultTransport.RoundTrip(r)
}

// The ticket over HTTP, with the official SDK's client, in both eras.
func TestTheTicketOverHTTP(t *testing.T) {
	f := newFixture(t)
	s := newSite(t, f)
	for _, protocol := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(protocol, func(t *testing.T) {
			client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
			session, err := client.Connect(context.Background(), &mcp.StreamableClientTransport{Endpoint: s.URL + "/mcp", HTTPClient: &http.Client{Transport: promptKey{keyOfBot}}}, &mcp.ClientSessionOptions{ProtocolVersion: protocol})
			require.NoError(t, err)
			defer session.Close()
			done, err := session.Complete(t.Context(), &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "bitbucket_ticket"}, Argument: mcp.CompleteParamsArgument{Name: "scope", Value: "t"}})
			require.NoError(t, err)
			assert.Equal(t, []string{"test"}, done.Completion.Values)
			got, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "bitbucket_ticket", Arguments: map[string]string{"scope": "test", "request": "x"}})
			require.NoError(t, err)
			assert.Contains(t, got.Messages[0].Content.(*mcp.TextContent).Text, "\n> x")
			_, err = session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "bitbucket_ticket", Arguments: map[string]string{"scope": "other", "request": "x"}})
			require.ErrorContains(t, err, "You hold no scope of that name. Name one of: test.")
		})
	}
	require.Len(t, f.recorded(), 4)
	assert.Equal(t, "http", f.recorded()[0].Transport)
}
