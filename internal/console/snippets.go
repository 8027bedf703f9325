package console

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// keyVariable is the environment variable that the snippets take the key from,
// as mcp.json.example does: a file that is shared must not hold it.
const keyVariable = "BUCKETGATE_KEY"

// A snippet is the configuration of one MCP client.
type snippet struct {
	ID, Name string
	File     string // where it belongs
	Text     string
	Note     string // how the key gets there
	Open     bool
}

// endpoint is where a client of this role connects.
func (c *Console) endpoint(role string) string {
	if role == "admin" {
		return c.config.PublicURL + "/admin/mcp"
	}
	return c.config.PublicURL + "/mcp"
}

// snippets are the configurations of the known MCP clients. Each has its own
// way to write a variable, and its own name for the address.
func (c *Console) snippets(role string) []snippet {
	name, url := "bitbucket", c.endpoint(role)
	if role == "admin" {
		name = "bucketgate-admin"
	}
	const fromEnvironment = "It reads the key from the environment variable " + keyVariable + " when it starts."
	bearer := func(variable string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + variable}
	}
	list := []snippet{
		{ID: "claude-code", Name: "Claude Code", File: ".mcp.json", Note: fromEnvironment, Text: document("mcpServers", name, remote{
			Type: "http", URL: url, Headers: bearer("${" + keyVariable + "}")})},
		{ID: "vscode", Name: "VS Code", File: ".vscode/mcp.json", Note: "VS Code asks for the key when the server starts for the first time, and keeps it.", Text: indented(map[string]any{
			"inputs":  []map[string]any{{"type": "promptString", "id": "bucketgate-key", "description": "Bucketgate key", "password": true}},
			"servers": map[string]remote{name: {Type: "http", URL: url, Headers: bearer("${input:bucketgate-key}")}},
		})},
		{ID: "cursor", Name: "Cursor", File: ".cursor/mcp.json", Note: fromEnvironment, Text: document("mcpServers", name, remote{
			URL: url, Headers: bearer("${env:" + keyVariable + "}")})},
		{ID: "codex", Name: "Codex", File: "~/.codex/config.toml", Note: fromEnvironment,
			Text: fmt.Sprintf("[mcp_servers.%s]\nurl = %q\nbearer_token_env_var = %q", name, url, keyVariable)},
		{ID: "gemini-cli", Name: "Gemini CLI", File: "~/.gemini/settings.json", Note: fromEnvironment, Text: document("mcpServers", name, remote{
			HTTPURL: url, Headers: bearer("${" + keyVariable + "}")})},
	}
	list[0].Open = true
	return list
}

// A remote is a server in the file of a client. Gemini CLI takes url for the
// old transport and httpUrl for this one.
type remote struct {
	Type    string            `json:"type,omitempty"`
	URL     string            `json:"url,omitempty"`
	HTTPURL string            `json:"httpUrl,omitempty"`
	Headers map[string]string `json:"headers"`
}

func document(top, name string, server remote) string {
	return indented(map[string]any{top: map[string]any{name: server}})
}

func indented(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return "" // maps of strings always encode
	}
	return string(bytes.TrimSpace(text.Bytes()))
}

// chosen opens the snippet of a client and puts it first.
func chosen(list []snippet, id string) []snippet {
	for i := range list {
		if list[i].ID == id {
			list[0].Open = false
			list[i].Open = true
			first := list[i]
			copy(list[1:i+1], list[:i])
			list[0] = first
			break
		}
	}
	return list
}
