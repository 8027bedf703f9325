package snippets

import (
	"bytes"
	"encoding/json"
	"strings"
)

// indented writes a value as JSON for people.
func indented(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // nobody parses it as a page here, and a pattern may hold <
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		panic(err) // strings, and maps and lists of them, always encode
	}
	return strings.TrimSpace(b.String())
}

// quoted writes a string as JSON. It is a basic string of TOML and a quoted
// one of YAML too.
func quoted(text string) string { return indented(text) }

// list writes strings as a list of JSON, TOML and YAML on one line.
func list(texts []string) string {
	words := make([]string, len(texts))
	for i, text := range texts {
		words[i] = quoted(text)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// isPlain reports whether a text needs no quotes as a key of TOML, and none in
// a shell.
func isPlain(text, also string) bool {
	for _, c := range []byte(text) {
		isWord := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
		if !isWord && !strings.ContainsRune(also, rune(c)) {
			return false
		}
	}
	return text != ""
}

// key writes a key of TOML.
func key(text string) string {
	if isPlain(text, "") {
		return text
	}
	return quoted(text)
}

// shell writes words as a command line that a shell passes on as they are: it
// must not put the value of a variable where its name is meant.
func shell(words ...string) string {
	line := make([]string, len(words))
	for i, word := range words {
		line[i] = word
		if !isPlain(word, "./:=@+,") {
			line[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(line, " ")
}
