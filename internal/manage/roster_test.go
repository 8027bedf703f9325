package manage

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who asks right after a change is answered by it.
func TestRefresh(t *testing.T) {
	d := newDesk(t)
	d.guide()
	roster, err := NewRoster(t.Context(), d.store, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	for i := range 30 {
		name := fmt.Sprintf("scope-%d", i)
		_, _, err := d.CreateScope(t.Context(), boss, Scope{Name: name, Provider: "acme", Credential: "reader", Repositories: []string{"api"}})
		require.NoError(t, err)
		require.NoError(t, roster.Refresh(t.Context()))
		assert.Contains(t, roster.Names(), name)
	}
}
