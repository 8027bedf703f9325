// Package snippets writes how MCP clients are told of this server. One table
// (clients.go) is behind the documentation, the demo and the console: each
// client has its own file, its own name for the address, and its own way to
// take a value from the environment.
//
// A snippet holds no secret: it names the variable that does. The one
// exception is a page that shows a key once, which passes it in a [Target].
package snippets

import (
	"cmp"
	"strings"
)

// Defaults of a [Target].
const (
	DefaultName        = "bitbucket"
	DefaultKeyVariable = "BUCKETGATE_KEY"
	DefaultProgram     = "bucketgate"
)

// A Target is a server that clients are to be told of: one at URL or, where
// that is empty, one that they start themselves.
type Target struct {
	Name string // of the server, in the client's list; DefaultName if empty

	// Over HTTP:
	URL         string
	KeyVariable string // the environment variable that holds the key; DefaultKeyVariable if empty
	Key         string // stands in the snippets themselves: only for who has just been given it

	// Over stdio:
	Program   string   // DefaultProgram if empty
	Arguments []string // {"stdio"} if nil
	Variables []Variable
}

// A Variable is one that the server reads from its environment.
type Variable struct {
	Name    string
	Words   string // what it is, for clients that ask for it
	Default string // what a client that can say so puts where it is not set; "" for none
	Secret  bool
}

// WithoutSetUp are the variables of the mode without set-up. Where those of the
// patterns are not set, all is meant.
func WithoutSetUp() []Variable {
	return []Variable{
		{Name: "BITBUCKET_WORKSPACE", Words: "Slug of the Bitbucket workspace"},
		{Name: "BITBUCKET_USERNAME", Words: "Email of the Atlassian account"},
		{Name: "BITBUCKET_API_TOKEN", Words: "Bitbucket API token", Secret: true},
		{Name: "BITBUCKET_REPO_REGEX", Words: "Pattern that a repository's whole slug must match", Default: ".*"},
		{Name: "BITBUCKET_BRANCH_REGEX", Words: "Pattern that a branch's whole name must match", Default: ".*"},
	}
}

// A Snippet tells one client of a server.
type Snippet struct {
	Client   string // names the client: "claude-code"
	Title    string // as it calls itself
	File     string // where the text belongs
	Language string // of the text: "json", "toml", "yaml"
	Text     string // without a newline at its end
	Command  string // does the same in a shell; "" where there is none
	Note     string // where the values come from, and what to mind
}

// For returns a snippet for each client that can reach the target, in the
// order in which they are shown.
func For(t Target) []Snippet {
	t = t.withDefaults()
	var list []Snippet
	for _, c := range clients {
		text := c.text(t)
		if text == "" {
			continue
		}
		snippet := Snippet{Client: c.id, Title: c.title, File: c.file, Language: c.language, Text: text, Note: c.note(t)}
		if t.Key == "" {
			snippet.Command = c.command(t) // one with a key would stay in the shell's history
		} else {
			snippet.Note = "The key stands in this text: let nobody else read the file."
		}
		list = append(list, snippet)
	}
	return list
}

func (t Target) withDefaults() Target {
	t.Name = cmp.Or(t.Name, DefaultName)
	t.KeyVariable = cmp.Or(t.KeyVariable, DefaultKeyVariable)
	t.Program = cmp.Or(t.Program, DefaultProgram)
	if t.Arguments == nil {
		t.Arguments = []string{"stdio"}
	}
	return t
}

func (t Target) isHTTP() bool { return t.URL != "" }

// bearer is the value of the Authorization header, with the key's variable as
// the client writes it.
func (t Target) bearer(write func(Variable) string) string {
	if t.Key != "" {
		return "Bearer " + t.Key
	}
	return "Bearer " + write(Variable{Name: t.KeyVariable, Secret: true})
}

// environment is what a client sets for the program that it starts.
func (t Target) environment(write func(Variable) string) map[string]string {
	if len(t.Variables) == 0 {
		return nil
	}
	environment := make(map[string]string, len(t.Variables))
	for _, v := range t.Variables {
		environment[v.Name] = write(v)
	}
	return environment
}

// The ways to write a variable.

// braced is ${NAME}, with what stands for it where it is not set.
func braced(v Variable) string {
	if v.Default != "" {
		return "${" + v.Name + ":-" + v.Default + "}"
	}
	return plainBraced(v)
}

// Clients that know no default get none written in: it would stand against the
// limit that somebody has set. What they pass on for a variable that is not
// set, nothing or its very text, the server refuses by its name.

// plainBraced is ${NAME}.
func plainBraced(v Variable) string { return "${" + v.Name + "}" }

// prefixed is ${env:NAME}.
func prefixed(v Variable) string { return "${env:" + v.Name + "}" }

// asked is a value that the client asks a person for.
func asked(v Variable) string { return "${input:" + inputID(v) + "}" }

func inputID(v Variable) string { return strings.ReplaceAll(strings.ToLower(v.Name), "_", "-") }

// inFile is for clients that take nothing from the environment.
func inFile(Variable) string { return "YOUR_KEY" }
