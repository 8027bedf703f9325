package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTextNeverPrints(t *testing.T) {
	const canary = "canary-9d2f"
	text := NewText(canary)
	holder := struct {
		Key  Text
		List []Text
		Map  map[string]*Text
		key  Text
	}{text, []Text{text}, map[string]*Text{"k": &text}, text}

	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", text, "holder", holder)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", text, "holder", holder)
	marshalled, err := json.Marshal(holder)
	require.NoError(t, err)

	outputs := []string{log.String(), string(marshalled)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		outputs = append(outputs, fmt.Sprintf(verb, text), fmt.Sprintf(verb, &text), fmt.Sprintf(verb, holder))
	}
	for _, out := range outputs {
		assert.NotContains(t, out, canary)
		assert.NotContains(t, out, fmt.Sprintf("%x", canary))
	}
	assert.Equal(t, canary, text.Reveal())
	assert.False(t, text.IsZero())
	assert.True(t, Text{}.IsZero())
}
