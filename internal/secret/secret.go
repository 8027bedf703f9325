// Package secret holds values that must never be printed.
package secret

import (
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
