// Package toolstest writes the reference of tools, and holds the tests that
// every package of tools has in common.
package toolstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/tools"
)

// Golden compares a generated file with what stands in the tree, or writes it
// there. A missing one is a failure, so that a new tool cannot come without.
func Golden(t testing.TB, update bool, path string, want []byte) {
	t.Helper()
	if update {
		require.NoError(t, os.WriteFile(path, want, 0o644))
		return
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err, "run make generate")
	require.Equal(t, string(have), string(want), "%s is stale: run make generate", path)
}

// Snapshot is a tool as clients see it.
func Snapshot(t testing.TB, tool tools.Tool) []byte {
	t.Helper()
	return fmt.Appendf(nil, "{\n\"name\": %q,\n\"title\": %q,\n\"description\": %q,\n\"input\": %s,\n\"output\": %s\n}\n",
		tool.Name, tool.Title, tool.Description, indented(t, tool.InputSchema), indented(t, tool.OutputSchema))
}

func indented(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, raw, "", "  "))
	return b.String()
}

// RequireClosed holds that every object of a tool's schemas is closed.
func RequireClosed(t testing.TB, tool tools.Tool) {
	t.Helper()
	for _, raw := range []json.RawMessage{tool.InputSchema, tool.OutputSchema} {
		var schema map[string]any
		require.NoError(t, json.Unmarshal(raw, &schema))
		requireClosed(t, tool.Name, schema)
	}
}

func requireClosed(t testing.TB, where string, schema map[string]any) {
	t.Helper()
	if schema["type"] == "object" {
		require.Equal(t, false, schema["additionalProperties"], where)
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		requireClosed(t, where+"."+name, property.(map[string]any))
	}
	if items, ok := schema["items"].(map[string]any); ok {
		requireClosed(t, where+"[]", items)
	}
}

// Reference is the section of a tool in the docs.
func Reference(t testing.TB, tool tools.Tool) string {
	t.Helper()
	return fmt.Sprintf("\n## %s\n\n%s\n\n%s\n\nTakes:\n\n%s\nAnswers:\n\n%s",
		tool.Name, tool.Title, tool.Description, fields(t, tool.InputSchema, "?", ""), fields(t, tool.OutputSchema, "", ""))
}

// fields lists the properties of a schema, nested ones indented, with a mark
// behind those that may be left out.
func fields(t testing.TB, raw json.RawMessage, optional, indent string) string {
	t.Helper()
	var schema struct {
		Properties json.RawMessage `json:"properties"`
		Required   []string        `json:"required"`
	}
	require.NoError(t, json.Unmarshal(raw, &schema))
	required := map[string]bool{}
	for _, name := range schema.Required {
		required[name] = true
	}
	var b strings.Builder
	decoder := json.NewDecoder(bytes.NewReader(schema.Properties))
	_, err := decoder.Token()
	require.NoError(t, err)
	for decoder.More() {
		key, err := decoder.Token()
		require.NoError(t, err)
		var property json.RawMessage
		require.NoError(t, decoder.Decode(&property))
		mark := optional
		if required[key.(string)] {
			mark = ""
		}
		fmt.Fprintf(&b, "%s- `%s%s` %s\n", indent, key, mark, typeWords(t, property))
		if nested := nestedObject(property); nested != nil {
			b.WriteString(fields(t, nested, optional, indent+"  "))
		}
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

// nestedObject returns the schema of an object, or of an array's objects; nil
// where there are none.
func nestedObject(property json.RawMessage) json.RawMessage {
	var schema struct {
		Type  string          `json:"type"`
		Items json.RawMessage `json:"items"`
	}
	var element struct {
		Type string `json:"type"`
	}
	switch {
	case json.Unmarshal(property, &schema) != nil:
		return nil
	case schema.Type == "object":
		return property
	case json.Unmarshal(schema.Items, &element) != nil || element.Type != "object":
		return nil
	}
	return schema.Items
}

func typeWords(t testing.TB, property json.RawMessage) string {
	t.Helper()
	var schema struct {
		Type        string   `json:"type"`
		Enum        []string `json:"enum"`
		Description string   `json:"description"`
		Items       struct {
			Type string `json:"type"`
		} `json:"items"`
	}
	require.NoError(t, json.Unmarshal(property, &schema))
	words := schema.Type
	switch {
	case len(schema.Enum) > 0:
		words = "`" + strings.Join(schema.Enum, "`, `") + "`"
	case schema.Type == "array":
		words = "list of " + schema.Items.Type + "s"
	}
	if schema.Description != "" {
		words += ": " + schema.Description
	}
	return words
}
