package secret

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLinkTokens(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		token, hash := NewLinkToken()
		require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, token.Reveal(), "it stands in an address as it is")
		require.False(t, seen[token.Reveal()])
		seen[token.Reveal()] = true
		again, ok := HashLinkToken(token.Reveal())
		require.True(t, ok)
		require.Equal(t, hash, again)
		require.Len(t, hash, 32)
		require.False(t, bytes.Contains(hash, []byte(token.Reveal())[:8]))
	}
}

func TestWhatIsNoLinkToken(t *testing.T) {
	token, _ := NewLinkToken()
	text := token.Reveal()
	for _, wrong := range []string{"", "x", text[:42], text + "A", text + "=", text[:42] + "/", text[:42] + "\n", " " + text, strings.Repeat("A", 42) + "B", strings.Repeat("é", 43)} {
		_, ok := HashLinkToken(wrong)
		assert.False(t, ok, "%q", wrong)
	}
}
