package tools

import (
	"bytes"
	"encoding/json"
)

// encode writes an answer as compact JSON. Signs that mean something in HTML
// stay as they are: an answer is read by programs and models, and code is full
// of them.
func encode(value any) (json.RawMessage, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
