// Package secret holds values that must never be printed.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Text is a secret string, such as an API key. However it is printed, logged
// or marshalled it reads "[redacted]"; only [Text.Reveal] gives it away, so
// that a search for that word finds every place where a secret leaves.
type Text struct {
	// A pointer, because fmt cannot call methods on an unexported field of
	// somebody else's struct: it would print a string, and prints an address.
	value *string
}

// NewText wraps a secret.
func NewText(value string) Text { return Text{value: &value} }

// Reveal returns the secret itself.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsZero reports whether there is no secret.
func (t Text) IsZero() bool { return t.Reveal() == "" }

// Equal reports whether two secrets are the same, in a time that does not tell
// how much of them is.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// String returns "[redacted]".
func (t Text) String() string { return redacted }

// GoString returns "[redacted]", for %#v.
func (t Text) GoString() string { return redacted }

// Format writes "[redacted]" for every verb, so that %x and %d do not show the
// bytes.
func (t Text) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]" for log/slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", for JSON, YAML, XML and flags.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Hint returns the last four characters of a secret that has at least twelve,
// so that people can tell two keys apart; of a shorter one it returns nothing,
// because four characters would be too much of it.
func (t Text) Hint() string {
	runes := []rune(t.Reveal())
	if len(runes) < 12 {
		return ""
	}
	return string(runes[len(runes)-4:])
}
