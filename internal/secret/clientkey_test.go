package secret

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClientKeysHaveTheFormThatScannersLookFor(t *testing.T) {
	form := regexp.MustCompile(`\Abg_[a-z2-7]{12}_[a-z2-7]{59}\z`)
	seen := map[string]bool{}
	for range 200 {
		key, prefix, hash := NewClientKey()
		text := key.Reveal()
		require.Regexp(t, form, text)
		require.True(t, strings.HasPrefix(text, prefix+"_"))
		require.False(t, seen[prefix] || seen[text])
		seen[prefix], seen[text] = true, true

		foundPrefix, foundHash, ok := HashClientKey(text)
		require.True(t, ok)
		require.Equal(t, prefix, foundPrefix)
		require.True(t, SameHash(hash, foundHash))
		require.NotContains(t, string(hash), text[20:30])
	}
}

func TestWhatIsNoClientKeyIsRefusedUnasked(t *testing.T) {
	key, _, _ := NewClientKey()
	text := key.Reveal()
	for i := range text {
		other := byte('a')
		if text[i] == other {
			other = 'b'
		}
		_, _, ok := HashClientKey(text[:i] + string(other) + text[i+1:])
		require.False(t, ok, "a mistyped letter at %d", i)
	}
	for _, wrong := range []string{"", "bg_", text[1:], text + "a", strings.ToUpper(text), " " + text[:len(text)-1], strings.Repeat("a", 1<<16)} {
		_, _, ok := HashClientKey(wrong)
		assert.False(t, ok)
	}
}

func TestSameHash(t *testing.T) {
	_, _, one := NewClientKey()
	_, _, two := NewClientKey()
	assert.True(t, SameHash(one, one))
	assert.False(t, SameHash(one, two))
	assert.False(t, SameHash(one, one[:31]))
	assert.False(t, SameHash(nil, nil), "a client without a key")
	assert.False(t, SameHash([]byte{}, []byte{}))
}

func TestHint(t *testing.T) {
	for secret, hint := range map[string]string{"": "", "12345678901": "", "123456789012": "9012", "ATATT3xFfGF0wxyz": "wxyz", "ääääääääääöüß€": "öüß€"} {
		assert.Equal(t, hint, NewText(secret).Hint())
	}
	assert.Empty(t, Text{}.Hint())
}

func TestEqual(t *testing.T) {
	assert.True(t, NewText("a").Equal(NewText("a")))
	assert.True(t, Text{}.Equal(NewText("")))
	assert.False(t, NewText("a").Equal(NewText("b")))
	assert.False(t, NewText("a").Equal(Text{}))
}
