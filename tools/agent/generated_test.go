package agent_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
	"bucketgate/tools"
	"bucketgate/tools/agent"
)

var update = flag.Bool("update", false, "rewrite the generated files")

// golden compares a generated file with what stands in the tree. A missing
// one is a failure, so that a new tool cannot come without.
func golden(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, want, 0o644))
		return
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err, "run make generate")
	require.Equal(t, string(have), string(want), "%s is stale: run make generate", path)
}

func definitions(t *testing.T) []tools.Tool {
	t.Helper()
	return agent.Tools(bitbucket.New(bitbucket.Config{Credential: newDeskCredential}))
}

func indented(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, raw, "", "  "))
	return b.String()
}

// Clients depend on the schemas: a change shows in the diff.
func TestSchemas(t *testing.T) {
	for _, tool := range definitions(t) {
		text := fmt.Sprintf("{\n\"name\": %q,\n\"title\": %q,\n\"description\": %q,\n\"input\": %s,\n\"output\": %s\n}\n",
			tool.Name, tool.Title, tool.Description, indented(t, tool.InputSchema), indented(t, tool.OutputSchema))
		golden(t, filepath.Join("testdata", tool.Name+".json"), []byte(text))
	}
}

func TestDescriptionsAreShort(t *testing.T) {
	for _, tool := range definitions(t) {
		require.NotEmpty(t, tool.Title)
		require.Less(t, len(tool.Description), 600, tool.Name)
	}
	require.Less(t, len(agent.Instructions), 2048)
}

func TestSchemasAreClosed(t *testing.T) {
	for _, tool := range definitions(t) {
		for _, raw := range []json.RawMessage{tool.InputSchema, tool.OutputSchema} {
			var schema map[string]any
			require.NoError(t, json.Unmarshal(raw, &schema))
			requireClosed(t, tool.Name, schema)
		}
	}
}

func requireClosed(t *testing.T, where string, schema map[string]any) {
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

// docs/tools.md is written from the tools themselves.
func TestToolsReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Tools of an agent\n\nGenerated from the tools themselves by `make generate`; `make test` fails when it is stale.\n\n" +
		"Every answer is compact JSON, in `structuredContent` and, the very same, in the one text block. `?` marks what may be absent.\n" +
		"An error is a result with `isError` whose text is `{\"error\":{\"code\",\"message\",\"hint\"}}`: see [errors](#errors).\n")
	for _, tool := range definitions(t) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s\n", tool.Name, tool.Title, tool.Description)
		fmt.Fprintf(&b, "\nTakes:\n\n%s\nAnswers:\n\n%s", fields(t, tool.InputSchema, ""), fields(t, tool.OutputSchema, ""))
	}
	b.WriteString("\n## Errors\n\n| code | when |\n| --- | --- |\n")
	for _, row := range errorCodes {
		fmt.Fprintf(&b, "| `%s` | %s |\n", row.code, row.when)
	}
	golden(t, filepath.Join("..", "..", "docs", "tools.md"), []byte(b.String()))
}

var errorCodes = []struct {
	code tools.Code
	when string
}{
	{tools.InvalidArgument, "an argument is missing, unknown, repeated or of a wrong type, a name cannot be one, or a cursor belongs to another call"},
	{tools.NotFound, "it does not exist, or is out of scope: the two look the same"},
	{tools.ActionNotGranted, "no scope of the caller allows what the tool does"},
	{tools.ScopeUnknown, "the caller holds no scope of that name"},
	{tools.ScopeAmbiguous, "the name means more than one repository; each is named"},
	{tools.CredentialRejected, "Bitbucket does not take the credential, or it lacks a permission"},
	{tools.RateLimited, "Bitbucket takes no more requests for now"},
	{tools.UpstreamUnavailable, "Bitbucket gave no usable answer, or none in 30 seconds"},
	{tools.ResultTooLarge, "the answer, or Bitbucket's, is too large"},
	{tools.AuditUnavailable, "the call could not be written down, so that it is refused"},
	{tools.Internal, "a mistake of ours; the message has the call's ID for the log"},
}

// fields lists the properties of a schema, nested ones indented.
func fields(t *testing.T, raw json.RawMessage, indent string) string {
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
		mark := "?"
		if required[key.(string)] {
			mark = ""
		}
		fmt.Fprintf(&b, "%s- `%s%s` %s\n", indent, key, mark, typeWords(t, property))
		if nested := items(property); nested != nil {
			b.WriteString(fields(t, nested, indent+"  "))
		}
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

// items returns the schema of an array's objects, nil where there are none.
func items(property json.RawMessage) json.RawMessage {
	var schema struct {
		Items json.RawMessage `json:"items"`
	}
	var element struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(property, &schema) != nil || json.Unmarshal(schema.Items, &element) != nil || element.Type != "object" {
		return nil
	}
	return schema.Items
}

func typeWords(t *testing.T, property json.RawMessage) string {
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
