package agent_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
	"bucketgate/tools"
	"bucketgate/tools/agent"
	"bucketgate/tools/toolstest"
)

var update = flag.Bool("update", false, "rewrite the generated files")

func definitions(t *testing.T) []tools.Tool {
	t.Helper()
	return agent.Tools(bitbucket.New(bitbucket.Config{Credential: newDeskCredential}))
}

// Clients depend on the schemas: a change shows in the diff.
func TestSchemas(t *testing.T) {
	for _, tool := range definitions(t) {
		toolstest.Golden(t, *update, filepath.Join("testdata", tool.Name+".json"), toolstest.Snapshot(t, tool))
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
		toolstest.RequireClosed(t, tool)
	}
}

// docs/tools.md is written from the tools themselves.
func TestToolsReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Tools of an agent\n\nGenerated from the tools themselves by `make generate`; `make test` fails when it is stale.\n\n" +
		"Every answer is compact JSON, in `structuredContent` and, the very same, in the one text block. `?` marks an argument that may be left out; in an answer, what would be empty is absent.\n" +
		"An error is a result with `isError` whose text is `{\"error\":{\"code\",\"message\",\"hint\"}}`: see [errors](#errors).\n")
	for _, tool := range definitions(t) {
		b.WriteString(toolstest.Reference(t, tool))
	}
	for _, prompt := range agent.Prompts() {
		fmt.Fprintf(&b, "\n## The prompt %s\n\n%s\n\n%s\n\nTakes:\n\n%s", prompt.Name, prompt.Title, prompt.Description, promptArguments(prompt))
		b.WriteString("\nAnswers with one message of the user: the rules of the scope, which tools to call and how, and the request, each line of it marked with \"> \".\n" +
			"`completion/complete` completes `scope` from what the caller holds. What is refused is JSON-RPC -32602. Each `prompts/get` leaves one audit event under the prompt's name.\n")
	}
	b.WriteString("\n## Errors\n\n| code | when |\n| --- | --- |\n")
	for _, row := range errorCodes {
		fmt.Fprintf(&b, "| `%s` | %s |\n", row.code, row.when)
	}
	toolstest.Golden(t, *update, filepath.Join("..", "..", "docs", "tools.md"), []byte(b.String()))
}

func promptArguments(prompt tools.Prompt) string {
	var b strings.Builder
	for _, argument := range prompt.Arguments {
		mark := "?"
		if argument.Required {
			mark = ""
		}
		fmt.Fprintf(&b, "- `%s%s` string: %s\n", argument.Name, mark, argument.Description)
	}
	return b.String()
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
