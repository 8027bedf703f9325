package tools

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// checkList checks a list of words, each one of an enumeration and none twice.
func checkList(schema *jsonschema.Schema, raw json.RawMessage) (json.RawMessage, string) {
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

// encodeList returns a list that was typed as words with commas between them.
func encodeList(value string) []byte {
	items := []string{}
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	encoded, err := json.Marshal(items)
	if err != nil {
		panic(err) // strings always marshal
	}
	return encoded
}
