package tools

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/invopop/jsonschema"
)

// checkWords checks a list of words, each one of an enumeration and none twice.
func checkWords(schema *jsonschema.Schema, raw json.RawMessage) (json.RawMessage, string) {
	words := "must be a list of " + oneOf(schema.Items.Enum)
	var list []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		return nil, words
	}
	var seen []string
	for _, item := range list {
		var text string
		if item[0] != '"' || json.Unmarshal(item, &text) != nil || !slices.Contains(schema.Items.Enum, any(text)) {
			return nil, words
		}
		if slices.Contains(seen, text) {
			return nil, fmt.Sprintf("names %q twice", text)
		}
		seen = append(seen, text)
	}
	slices.Sort(seen) // one spelling, so that a cursor holds for any order
	normal, err := json.Marshal(seen)
	if err != nil || seen == nil {
		return json.RawMessage("[]"), ""
	}
	return normal, ""
}
