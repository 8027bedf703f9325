package snippets_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/internal/snippets"
)

var update = flag.Bool("update", false, "rewrite the generated files")

// The targets of the documentation.
var (
	overHTTP     = snippets.Target{URL: "http://127.0.0.1:8080/mcp"}
	withoutSetUp = snippets.Target{Variables: snippets.WithoutSetUp()}
	fromTheStore = snippets.Target{Arguments: []string{"stdio", "--scope", "team"}}
)

const before = `# Connect a client

Generated from the table of clients by ` + "`make generate`; `make test`" + ` fails when it is stale.

A client either starts Bucketgate itself (stdio) or connects to one that runs (HTTP). It never holds a credential of Bitbucket
over HTTP: it has a key of Bucketgate, which an admin can narrow, replace and revoke.

**Over HTTP.** Somebody runs ` + "`bucketgate serve`, and makes a key for each client: `bucketgate client create bot --scope team`" + ` prints it,
once. Put it into the environment that the client starts in; no file below holds it, but for a client that takes nothing from there:

    export BUCKETGATE_KEY=bg_…

**Over stdio, with stored scopes.** ` + "`bucketgate stdio --scope team`" + ` needs no variables: the credential is sealed in the database.

**Over stdio, without any set-up.** One scope from the environment:

    export BITBUCKET_WORKSPACE=acme
    export BITBUCKET_USERNAME=me@example.com       # for an access token leave it out, and its line in the file too
    export BITBUCKET_API_TOKEN=…
    export BITBUCKET_REPO_REGEX='^duplocloud-.*'   # .* is all
    export BITBUCKET_BRANCH_REGEX='^main$'

A variable that comes empty, or as it was written (` + "`${…}`" + `, from a client that found none of that name), is refused at the start by its
name, and is never "no limit". Clients that take nothing from the environment have no snippet for this: store the scope.

A program that is started from a desktop may need the full path of ` + "`bucketgate`" + `.

A file that is there already keeps its other entries: add the one of ` + "`bitbucket`" + ` to them.

## The ticket

Clients that show prompts offer ` + "`bitbucket_ticket`" + `: choose the scope, write the request, and the agent asks Bitbucket within that
scope. In Claude Code it is ` + "`/mcp__bitbucket__bitbucket_ticket`, in VS Code `/mcp.bitbucket.bitbucket_ticket`" + `, in others it stands in the
list of prompts. It is a short way and no other rights: a question to the agent does the same.
`

const after = `
## Any other client

One that takes the usual ` + "`mcpServers`" + ` reads [mcp.json.example](../mcp.json.example), with its own way to write a variable. What it
needs to know: the address is ` + "`http://HOST:PORT/mcp` (Streamable HTTP) or `/sse` (the older transport), the header is\n`Authorization: Bearer bg_…`" + `, there is no OAuth, and the program for stdio is ` + "`bucketgate stdio`" + `.
`

// docs/clients.md is written from the table itself.
func TestClientsReference(t *testing.T) {
	var b strings.Builder
	b.WriteString(before)
	http, bare := byClient(snippets.For(overHTTP)), byClient(snippets.For(withoutSetUp))
	for _, stored := range snippets.For(fromTheStore) {
		fmt.Fprintf(&b, "\n## %s\n\n`%s`\n", stored.Title, stored.File)
		writeSnippet(&b, "Over HTTP", http[stored.Client])
		writeSnippet(&b, "Over stdio, with stored scopes", stored)
		writeSnippet(&b, "Over stdio, without any set-up", bare[stored.Client])
	}
	b.WriteString(after)
	golden(t, filepath.Join("..", "..", "docs", "clients.md"), b.String())
}

func writeSnippet(b *strings.Builder, title string, s snippets.Snippet) {
	if s.Text == "" {
		return // the client cannot
	}
	fmt.Fprintf(b, "\n%s:\n\n```%s\n%s\n```\n", title, s.Language, s.Text)
	if s.Command != "" {
		fmt.Fprintf(b, "\nor\n\n```sh\n%s\n```\n", s.Command)
	}
	if s.Note != "" {
		fmt.Fprintf(b, "\n%s\n", s.Note)
	}
}

func byClient(list []snippets.Snippet) map[string]snippets.Snippet {
	found := map[string]snippets.Snippet{}
	for _, s := range list {
		found[s.Client] = s
	}
	return found
}

func golden(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err, "run make generate")
	require.Equal(t, string(have), want, "%s is stale: run make generate", path)
}
