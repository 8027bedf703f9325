package snippets_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"bucketgate/internal/snippets"
	"bucketgate/internal/testneeds"
)

const realKey = "bg_abcdef0123_0123456789abcdef"

// targets are what clients are told of, with and without what each could have.
var targets = map[string]snippets.Target{
	"HTTP":            overHTTP,
	"HTTP, a key":     {URL: "https://bitbucket.example/mcp", Key: realKey},
	"HTTP, an admin":  {Name: "bucketgate-admin", URL: "http://127.0.0.1:8080/admin/mcp", KeyVariable: "ADMIN_KEY"},
	"stored":          fromTheStore,
	"without set-up":  withoutSetUp,
	"the demo":        {Program: "/opt/my tools/bucketgate", Arguments: []string{"demo", "--stdio"}},
	"odd characters":  {Name: `my "bucket" <a> & 'b'`, Program: `C:\tools\bucketgate.exe`, Arguments: []string{"stdio", "--scope", "team a\nb"}},
	"no arguments":    {Arguments: []string{}},
	"odd and on HTTP": {Name: "ünï côde", URL: "http://[::1]:8080/mcp?a=1&b=<2>"},
}

// Every text is what its client parses, and says the address or the program
// that was given.
func TestSnippetsParse(t *testing.T) {
	for name, target := range targets {
		for _, s := range snippets.For(target) {
			t.Run(name+"/"+s.Client, func(t *testing.T) {
				assert.NotEmpty(t, s.Title)
				assert.NotEmpty(t, s.File)
				assert.Equal(t, strings.TrimSpace(s.Text), s.Text)
				var document map[string]any
				switch s.Language {
				case "json":
					require.NoError(t, json.Unmarshal([]byte(s.Text), &document), s.Text)
				case "yaml":
					require.NoError(t, yaml.Unmarshal([]byte(s.Text), &document), s.Text)
				default:
					require.Equal(t, "toml", s.Language)
					return // its goldens are in docs/clients.md, and below
				}
				values := fmt.Sprint(leaves(document)...)
				if target.URL != "" {
					assert.Contains(t, values, target.URL)
				}
				assert.Contains(t, values, target.Program)
				for _, argument := range target.Arguments {
					assert.Contains(t, values, argument)
				}
			})
		}
	}
}

// leaves returns the keys and values of a document.
func leaves(value any) []any {
	switch v := value.(type) {
	case map[string]any:
		var all []any
		for key, inner := range v {
			all = append(append(all, key, " "), leaves(inner)...)
		}
		return all
	case []any:
		var all []any
		for _, inner := range v {
			all = append(all, leaves(inner)...)
		}
		return all
	}
	return []any{value, " "}
}

// Which clients there are, and who cannot do what.
func TestWhoCanReachWhat(t *testing.T) {
	all := []string{"claude-code", "vscode", "cursor", "codex", "gemini-cli", "windsurf", "kiro", "goose", "zed", "claude-desktop"}
	assert.Equal(t, all, clientsOf(fromTheStore))
	assert.Equal(t, all[:9], clientsOf(overHTTP), "Claude Desktop starts its servers itself")
	assert.Equal(t, all[:8], clientsOf(withoutSetUp), "the last two would need the token in their file")
}

func clientsOf(target snippets.Target) []string {
	var ids []string
	for _, s := range snippets.For(target) {
		ids = append(ids, s.Client)
	}
	return ids
}

// Each client has its own way to write a variable: in another's it would send
// the text as the key.
func TestHowEachClientTakesTheKey(t *testing.T) {
	for id, want := range map[string]string{
		"claude-code": `"Authorization": "Bearer ${BUCKETGATE_KEY}"`,
		"vscode":      `"Authorization": "Bearer ${input:bucketgate-key}"`,
		"cursor":      `"Authorization": "Bearer ${env:BUCKETGATE_KEY}"`,
		"windsurf":    `"Authorization": "Bearer ${env:BUCKETGATE_KEY}"`,
		"codex":       `bearer_token_env_var = "BUCKETGATE_KEY"`,
		"gemini-cli":  `"Authorization": "Bearer ${BUCKETGATE_KEY}"`,
		"kiro":        `"Authorization": "Bearer ${BUCKETGATE_KEY}"`,
		"goose":       `Authorization: "Bearer ${BUCKETGATE_KEY}"`,
		"zed":         `"Authorization": "Bearer YOUR_KEY"`,
	} {
		assert.Contains(t, byClient(snippets.For(overHTTP))[id].Text, want, id)
	}
	for id, want := range map[string]string{
		"claude-code": `"url": "http`, "vscode": `"url": "http`, "cursor": `"url": "http`, "kiro": `"url": "http`, "zed": `"url": "http`,
		"codex": `url = "http`, "gemini-cli": `"httpUrl": "http`, "windsurf": `"serverUrl": "http`, "goose": `uri: "http`,
	} {
		assert.Contains(t, byClient(snippets.For(overHTTP))[id].Text, want, id)
	}
}

// No file that is to be shared, and no line of a shell's history, holds a key;
// a page that shows one has it in each text and says so.
func TestTheKeyStandsOnlyWhereItWasGiven(t *testing.T) {
	for _, s := range snippets.For(targets["HTTP, a key"]) {
		assert.Contains(t, s.Text, "Bearer "+realKey, s.Client)
		assert.Empty(t, s.Command, s.Client)
		assert.Contains(t, s.Note, "The key stands in this text")
		assert.NotContains(t, s.Text, "BUCKETGATE_KEY")
		assert.NotContains(t, s.Text, "input")
	}
	for name, target := range targets {
		if target.Key == "" {
			assert.NotContains(t, fmt.Sprint(snippets.For(target)), "bg_", name)
		}
	}
}

// A pattern that somebody has set must not be overruled by one in the file.
func TestNoSnippetWidensALimit(t *testing.T) {
	for _, s := range snippets.For(withoutSetUp) {
		for _, name := range []string{"BITBUCKET_REPO_REGEX", "BITBUCKET_BRANCH_REGEX"} {
			assert.Contains(t, s.Text, name[len("BITBUCKET_"):], s.Client)
			assert.NotContains(t, s.Text, `"`+name+`": ".*"`, s.Client)
		}
	}
}

// A shell passes the commands on as they are meant: a variable by its name.
func TestCommandsAreQuoted(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		testneeds.Skip(t, "there is no sh")
	}
	words := func(command string) []string {
		out, err := exec.Command(shell, "-c", `run() { printf '%s\0' "$@"; }; run `+command).Output()
		require.NoError(t, err, command)
		return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	}
	claude := byClient(snippets.For(overHTTP))["claude-code"].Command
	assert.Equal(t, []string{"claude", "mcp", "add", "--scope", "project", "--transport", "http", "bitbucket", "http://127.0.0.1:8080/mcp",
		"--header", "Authorization: Bearer ${BUCKETGATE_KEY}"}, words(claude))
	odd := words(byClient(snippets.For(targets["odd characters"]))["claude-code"].Command)
	assert.Equal(t, []string{`my "bucket" <a> & 'b'`, "--", `C:\tools\bucketgate.exe`, "stdio", "--scope", "team a\nb"}, odd[5:])
	bare := words(byClient(snippets.For(withoutSetUp))["claude-code"].Command)
	assert.True(t, slices.Contains(bare, "BITBUCKET_REPO_REGEX=${BITBUCKET_REPO_REGEX:-.*}"), bare)
	assert.Equal(t, "codex mcp add bitbucket --url http://127.0.0.1:8080/mcp --bearer-token-env-var BUCKETGATE_KEY",
		byClient(snippets.For(overHTTP))["codex"].Command)
	assert.Empty(t, byClient(snippets.For(withoutSetUp))["codex"].Command, "it has no way to pass variables on")
}

func TestCodex(t *testing.T) {
	text := func(name string) string { return byClient(snippets.For(targets[name]))["codex"].Text }
	assert.Equal(t, "[mcp_servers.bitbucket]\nurl = \"https://bitbucket.example/mcp\"\nhttp_headers = { Authorization = \"Bearer "+realKey+"\" }", text("HTTP, a key"))
	assert.Equal(t, `[mcp_servers."my \"bucket\" <a> & 'b'"]`+"\n"+`command = "C:\\tools\\bucketgate.exe"`+"\n"+`args = ["stdio", "--scope", "team a\nb"]`, text("odd characters"))
	assert.Equal(t, "[mcp_servers.bucketgate-admin]\nurl = \"http://127.0.0.1:8080/admin/mcp\"\nbearer_token_env_var = \"ADMIN_KEY\"", text("HTTP, an admin"))
}

// mcp.json.example at the root has the entries of Claude Code, whose way to
// write a variable knows a default.
func TestTheExampleAtTheRoot(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "mcp.json.example"))
	require.NoError(t, err)
	type document struct {
		Servers map[string]any `json:"mcpServers"`
	}
	var have document
	require.NoError(t, json.Unmarshal(raw, &have))
	want := map[string]any{}
	for _, target := range []snippets.Target{
		{URL: "${BUCKETGATE_URL:-http://127.0.0.1:8080/mcp}"},
		{Name: "bitbucket-local", Variables: snippets.WithoutSetUp()},
	} {
		var one document
		require.NoError(t, json.Unmarshal([]byte(byClient(snippets.For(target))["claude-code"].Text), &one))
		for name, server := range one.Servers {
			want[name] = server
		}
	}
	assert.Equal(t, want, have.Servers)
	assert.Contains(t, string(raw), `"${BITBUCKET_REPO_REGEX:-.*}"`)
}
