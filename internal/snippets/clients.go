package snippets

import (
	"fmt"
	"slices"
	"strings"
)

// A client is one row of the table: where a client reads its configuration,
// and how it is written.
type client struct {
	id, title, file, language string

	text    func(Target) string // "" where it cannot reach the target
	command func(Target) string // "" where it has none
	note    func(Target) string
}

var clients = []client{
	{"claude-code", "Claude Code", ".mcp.json", "json", claudeCode, claudeCodeCommand, fromEnvironment},
	{"vscode", "VS Code", ".vscode/mcp.json", "json", vsCode, none, vsCodeNote},
	{"cursor", "Cursor", "~/.cursor/mcp.json", "json", cursor, none, fromDesktop},
	{"codex", "Codex", "~/.codex/config.toml", "toml", codex, codexCommand, codexNote},
	{"gemini-cli", "Gemini CLI", "~/.gemini/settings.json", "json", geminiCLI, none, fromEnvironment},
	{"windsurf", "Windsurf", "~/.codeium/windsurf/mcp_config.json", "json", windsurf, none, fromDesktop},
	{"kiro", "Kiro", "~/.kiro/settings/mcp.json", "json", kiro, none, kiroNote},
	{"goose", "goose", "~/.config/goose/config.yaml", "yaml", goose, none, fromEnvironment},
	{"zed", "Zed", "~/.config/zed/settings.json", "json", zed, none, inFileNote},
	{"claude-desktop", "Claude Desktop", "claude_desktop_config.json", "json", claudeDesktop, none, inFileNote},
}

// A server is one in the JSON of a client. Clients differ in the name of the
// address: for some, url is the old transport.
type server struct {
	Type      string            `json:"type,omitempty"`
	URL       string            `json:"url,omitempty"`
	ServerURL string            `json:"serverUrl,omitempty"`
	HTTPURL   string            `json:"httpUrl,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	Command   string            `json:"command,omitempty"`
	Arguments []string          `json:"args,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
}

// serverOf returns what most clients have in common.
func serverOf(t Target, write func(Variable) string) server {
	if t.isHTTP() {
		return server{URL: t.URL, Headers: map[string]string{"Authorization": t.bearer(write)}}
	}
	return server{Command: t.Program, Arguments: t.Arguments, Env: t.environment(write)}
}

// typed says which transport it is, for clients that want to be told.
func typed(s server) server {
	s.Type = "stdio"
	if s.URL != "" {
		s.Type = "http"
	}
	return s
}

func under(top string, t Target, s server) string {
	return indented(map[string]map[string]server{top: {t.Name: s}})
}

func claudeCode(t Target) string { return under("mcpServers", t, typed(serverOf(t, braced))) }

// claudeCodeCommand writes into the project's file: there Claude Code itself
// puts in the values, each time.
func claudeCodeCommand(t Target) string {
	words := []string{"claude", "mcp", "add", "--scope", "project"}
	if t.isHTTP() {
		return shell(append(words, "--transport", "http", t.Name, t.URL, "--header", "Authorization: "+t.bearer(braced))...)
	}
	words = append(words, t.Name)
	for _, v := range t.Variables {
		words = append(words, "-e", v.Name+"="+braced(v))
	}
	return shell(slices.Concat(words, []string{"--", t.Program}, t.Arguments)...)
}

// An input is what VS Code asks for when the server starts for the first time.
type input struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	Description string `json:"description"`
	Password    bool   `json:"password,omitempty"`
	Default     string `json:"default,omitempty"`
}

func vsCode(t Target) string {
	var inputs []input
	for _, v := range t.asked() {
		inputs = append(inputs, input{"promptString", inputID(v), v.Words, v.Secret, v.Default})
	}
	return indented(struct {
		Inputs  []input           `json:"inputs,omitempty"`
		Servers map[string]server `json:"servers"`
	}{inputs, map[string]server{t.Name: typed(serverOf(t, asked))}})
}

// asked are the values that a person is asked for.
func (t Target) asked() []Variable {
	switch {
	case !t.isHTTP():
		return t.Variables
	case t.Key != "":
		return nil
	}
	return []Variable{{Name: t.KeyVariable, Words: "Key of Bucketgate", Secret: true}}
}

func cursor(t Target) string { return under("mcpServers", t, serverOf(t, prefixed)) }

// codex takes no text with a variable in it, but the names of variables.
func codex(t Target) string {
	lines := []string{"[mcp_servers." + key(t.Name) + "]"}
	switch {
	case !t.isHTTP():
		lines = append(lines, "command = "+quoted(t.Program), "args = "+list(t.Arguments))
		if len(t.Variables) > 0 {
			lines = append(lines, "env_vars = "+list(t.names()))
		}
	case t.Key != "":
		lines = append(lines, "url = "+quoted(t.URL), "http_headers = { Authorization = "+quoted(t.bearer(nil))+" }")
	default:
		lines = append(lines, "url = "+quoted(t.URL), "bearer_token_env_var = "+quoted(t.KeyVariable))
	}
	return strings.Join(lines, "\n")
}

func (t Target) names() []string {
	names := make([]string, len(t.Variables))
	for i, v := range t.Variables {
		names[i] = v.Name
	}
	return names
}

func codexCommand(t Target) string {
	switch {
	case t.isHTTP() && t.Key == "":
		return shell("codex", "mcp", "add", t.Name, "--url", t.URL, "--bearer-token-env-var", t.KeyVariable)
	case !t.isHTTP() && len(t.Variables) == 0:
		return shell(slices.Concat([]string{"codex", "mcp", "add", t.Name, "--", t.Program}, t.Arguments)...)
	}
	return "" // it would put values into the file, or cannot say what to pass on
}

func geminiCLI(t Target) string {
	s := serverOf(t, plainBraced)
	s.URL, s.HTTPURL = "", s.URL // url is the old SSE transport
	return under("mcpServers", t, s)
}

func windsurf(t Target) string {
	s := serverOf(t, prefixed)
	s.URL, s.ServerURL = "", s.URL
	return under("mcpServers", t, s)
}

func kiro(t Target) string { return under("mcpServers", t, serverOf(t, plainBraced)) }

func goose(t Target) string {
	lines := []string{"extensions:", "  " + quoted(t.Name) + ":", "    enabled: true", "    name: " + quoted(t.Name), "    timeout: 60"}
	if t.isHTTP() {
		lines = append(lines, "    type: streamable_http", "    uri: "+quoted(t.URL))
		if t.Key == "" {
			lines = append(lines, "    env_keys: "+list([]string{t.KeyVariable}))
		}
		lines = append(lines, "    headers:", "      Authorization: "+quoted(t.bearer(plainBraced)))
		return strings.Join(lines, "\n")
	}
	lines = append(lines, "    type: stdio", "    cmd: "+quoted(t.Program), "    args: "+list(t.Arguments))
	if len(t.Variables) > 0 {
		lines = append(lines, "    env_keys: "+list(t.names()))
	}
	return strings.Join(lines, "\n")
}

// zed takes nothing from the environment. A key of ours may stand in its file,
// which can be revoked; a credential of Bitbucket may not: stored scopes need
// no variables.
func zed(t Target) string {
	if len(t.Variables) > 0 {
		return ""
	}
	return under("context_servers", t, serverOf(t, inFile))
}

// claudeDesktop takes nothing from the environment either, and starts its
// servers itself.
func claudeDesktop(t Target) string {
	if t.isHTTP() || len(t.Variables) > 0 {
		return ""
	}
	return under("mcpServers", t, serverOf(t, inFile))
}

func none(Target) string { return "" }

func fromEnvironment(t Target) string {
	names := t.needed()
	if len(names) == 0 {
		return ""
	}
	return "It takes " + enumerate(names) + " from its environment when it starts."
}

// fromDesktop is for programs that are not started from a shell.
func fromDesktop(t Target) string {
	if len(t.needed()) == 0 {
		return ""
	}
	return fromEnvironment(t) + " Started from a desktop it may not have what a shell's profile sets: start it from the shell, or set the variable for the whole session."
}

func codexNote(t Target) string {
	if len(t.needed()) == 0 {
		return ""
	}
	return fromEnvironment(t) + " The file has the names of variables, not their values."
}

func vsCodeNote(t Target) string {
	if len(t.asked()) == 0 {
		return ""
	}
	return "VS Code asks for the values when the server starts for the first time, and keeps them."
}

func kiroNote(t Target) string {
	if len(t.needed()) == 0 {
		return ""
	}
	return fromEnvironment(t) + " It asks whether it may, for each variable."
}

func inFileNote(t Target) string {
	if !t.isHTTP() {
		return ""
	}
	return "It takes nothing from the environment: put the key in place of YOUR_KEY, and let nobody else read the file."
}

// needed are the variables that the client takes.
func (t Target) needed() []string {
	if t.isHTTP() {
		return []string{t.KeyVariable}
	}
	return t.names()
}

func enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return fmt.Sprintf("%s and %s", strings.Join(words[:last], ", "), words[last])
}
