package admin_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/tools"
	"bucketgate/tools/admin"
	"bucketgate/tools/toolstest"
)

var update = flag.Bool("update", false, "rewrite the generated files")

func definitions() []tools.Tool { return admin.Tools(admin.Config{}) }

// Clients depend on the schemas: a change shows in the diff.
func TestSchemas(t *testing.T) {
	for _, tool := range definitions() {
		toolstest.Golden(t, *update, filepath.Join("testdata", tool.Name+".json"), toolstest.Snapshot(t, tool))
	}
}

func TestDescriptionsAreShort(t *testing.T) {
	for _, tool := range definitions() {
		require.NotEmpty(t, tool.Title)
		require.Less(t, len(tool.Description), 600, tool.Name)
	}
	require.Less(t, len(admin.Instructions), 2048)
}

func TestSchemasAreClosed(t *testing.T) {
	for _, tool := range definitions() {
		toolstest.RequireClosed(t, tool)
	}
}

// The summary comes first: a model that reads no further has the answer.
func TestTheSummaryComesFirst(t *testing.T) {
	for _, tool := range definitions() {
		assert.Regexp(t, `^\{"properties":\{"summary":`, string(tool.OutputSchema), tool.Name)
	}
}

func TestEffects(t *testing.T) {
	for _, tool := range definitions() {
		verb, _, _ := strings.Cut(tool.Name, "_")
		want, ok := map[string]tools.Effect{
			"list": tools.Reads, "test": tools.Reads, "preview": tools.Reads, "create": tools.Adds, "update": tools.Changes, "delete": tools.Changes,
		}[verb]
		require.True(t, ok, tool.Name)
		assert.Equal(t, want, tool.Effect, tool.Name)
		assert.Equal(t, verb == "update", strings.Contains(string(tool.InputSchema), `"version"`), "every update carries the version: %s", tool.Name)
	}
}

// docs/admin-tools.md is written from the tools themselves.
func TestToolsReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Tools of an admin\n\nGenerated from the tools themselves by `make generate`; `make test` fails when it is stale.\n\n" +
		"They are served by `bucketgate stdio --admin`, apart from the [tools of an agent](tools.md), and with the same shapes of answers and errors. `?` marks an argument that may be left out; in an answer, what would be empty is absent.\n\n" +
		"An update keeps what is left out, and a list that is given replaces the whole list. Its `version` is the one that was listed; a stale one is refused with `conflict`.\n" +
		"A list comes in pages: call again with `cursor` set to `next_cursor`.\n")
	for _, tool := range definitions() {
		b.WriteString(toolstest.Reference(t, tool))
	}
	b.WriteString("\n## Errors\n\nBeside the [codes that agents get](tools.md#errors):\n\n| code | when |\n| --- | --- |\n")
	fmt.Fprintf(&b, "| `%s` | %s |\n", tools.Conflict, "somebody has changed the record since it was listed")
	fmt.Fprintf(&b, "| `%s` | %s |\n", tools.InUse, "the record is used; the message names by whom")
	toolstest.Golden(t, *update, filepath.Join("..", "..", "docs", "admin-tools.md"), []byte(b.String()))
}
