package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
)

const (
	maxMessage = 1 << 20 // bytes
	maxDepth   = 64
)

// Codes of JSON-RPC errors (https://www.jsonrpc.org/specification#error_object).
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeInvalidParams  = -32602
	codeInternal       = -32603
)

// An envelope is a JSON-RPC message that has been judged.
type envelope struct {
	id      json.RawMessage // a string or an integer; nil for a notification
	method  string          // "" for a response
	message json.RawMessage // encoded anew, with nothing in it but what was judged

	// Of _meta:
	revision      string          // of the protocol; "" in those that say it in a handshake
	progressToken json.RawMessage // a string or an integer; nil when there is none

	// Of tools/call:
	tool      string
	arguments json.RawMessage // verbatim: the tool judges them itself, and answers in words

	// Of notifications/cancelled:
	requestID json.RawMessage

	// Of prompts/get and completion/complete:
	params json.RawMessage
}

// cancels reports whether the message ends another.
func (e *envelope) cancels() bool { return e.method == "notifications/cancelled" }

// A refusal is an envelope that is not taken.
type refusal struct {
	id      json.RawMessage // nil where the message has no id, or not exactly one
	code    int
	message string
}

// plain is the refusal without text that the caller made up, for the audit
// log.
func (r *refusal) plain() string {
	if strings.HasPrefix(r.message, "the key ") {
		return "a key is repeated, or not written as it must be"
	}
	return r.message
}

func refuse(id json.RawMessage, format string, args ...any) *refusal {
	return &refusal{id: id, code: codeInvalidRequest, message: fmt.Sprintf(format, args...)}
}

// parseEnvelope judges one message. encoding/json, and mcp-go with it, takes
// "METHOD" for "method" and the last of two values for one key: a message
// could then be one thing to what checks it and another to what runs it. So
// repeated keys, and keys that differ in case only, are refused, and the
// message is encoded anew.
func parseEnvelope(raw []byte) (*envelope, *refusal) {
	if len(raw) > maxMessage {
		return nil, refuse(nil, "the message is larger than %d bytes", maxMessage)
	}
	if !utf8.Valid(raw) {
		return nil, &refusal{code: codeParse, message: "the message is not valid UTF-8"}
	}
	if depth(raw) > maxDepth {
		return nil, refuse(nil, "the message is nested more than %d deep", maxDepth)
	}
	raw = bytes.TrimSpace(raw)
	if bytes.HasPrefix(raw, []byte("[")) {
		return nil, refuse(nil, "batches are not taken: send one message at a time")
	}
	if !bytes.HasPrefix(raw, []byte("{")) || !json.Valid(raw) {
		return nil, &refusal{code: codeParse, message: "the message is not a JSON object"}
	}
	top := members(raw)
	id := onlyID(top)
	if words := keyWords(top); words != "" {
		return nil, refuse(id, "%s", words)
	}
	return newEnvelope(id, top)
}

func newEnvelope(id json.RawMessage, top []member) (*envelope, *refusal) {
	e := &envelope{id: id}
	if version := find(top, "jsonrpc"); string(version) != `"2.0"` {
		return nil, refuse(id, `"jsonrpc" must be "2.0"`)
	}
	if find(top, "id") != nil && id == nil {
		return nil, refuse(nil, `"id" must be a string, or a whole number of at most 15 digits`)
	}
	method := find(top, "method")
	if method == nil {
		if find(top, "result") == nil && find(top, "error") == nil {
			return nil, refuse(id, `"method" is missing`)
		}
		return e, nil // an answer; this server asks its clients nothing
	}
	if method[0] != '"' || json.Unmarshal(method, &e.method) != nil || e.method == "" {
		return nil, refuse(id, `"method" must be a string`)
	}
	params, words := e.readParams(find(top, "params"))
	if words != "" {
		return nil, refuse(id, "%s", words)
	}
	e.message = encode(id, method, params)
	return e, nil
}

// readParams judges the keys of the parameters at every depth, but for a
// tool's arguments, and takes out what the server itself works with.
func (e *envelope) readParams(raw json.RawMessage) (params json.RawMessage, words string) {
	if raw == nil {
		return nil, ""
	}
	if raw[0] != '{' {
		return nil, `"params" must be an object`
	}
	list := members(raw)
	if words := keyWords(list); words != "" {
		return nil, words
	}
	for _, m := range list {
		if e.method == "tools/call" && m.key == "arguments" {
			continue
		}
		if _, words := judgeKeys(m.value, 0); words != "" {
			return nil, words
		}
	}
	e.readMeta(find(list, "_meta"))
	switch e.method {
	case "tools/call":
		return e.readCall(list), ""
	case "prompts/get", "completion/complete":
		e.params = raw
	case "notifications/cancelled":
		e.requestID = scalarID(find(list, "requestId"))
	}
	return raw, ""
}

func (e *envelope) readMeta(meta json.RawMessage) {
	if len(meta) == 0 || meta[0] != '{' {
		return
	}
	list := members(meta)
	e.progressToken = scalarID(find(list, "progressToken"))
	if json.Unmarshal(find(list, mcp.MetaKeyProtocolVersion), &e.revision) != nil {
		e.revision = "" // mcp-go says what is wrong with it
	}
}

// readCall takes a tool call apart. Of its parameters mcp-go gets the name and
// what the protocol needs: the arguments go to the tool as they stand, and
// there are no tasks and no further rounds here.
func (e *envelope) readCall(params []member) json.RawMessage {
	name, meta := find(params, "name"), find(params, "_meta")
	if len(name) == 0 || name[0] != '"' || json.Unmarshal(name, &e.tool) != nil {
		e.tool, name = "", json.RawMessage(`""`)
	}
	e.arguments = find(params, "arguments")
	var b bytes.Buffer
	writeObject(&b, member{"name", name}, member{"_meta", meta})
	return b.Bytes()
}

// encode writes the message with nothing in it but what was judged.
func encode(id, method, params json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	writeObject(&b, member{"jsonrpc", json.RawMessage(`"2.0"`)}, member{"id", id}, member{"method", method}, member{"params", params})
	return b.Bytes()
}

// writeObject writes members that have a value. Their keys need no escape.
func writeObject(b *bytes.Buffer, list ...member) {
	b.WriteByte('{')
	for _, m := range list {
		if m.value == nil {
			continue
		}
		if b.Bytes()[b.Len()-1] != '{' {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(m.key)
		b.WriteString(`":`)
		b.Write(m.value)
	}
	b.WriteByte('}')
}

// readKeys are the keys that somebody reads. One of them in another case would
// be read by who does not mind case, and missed by who does.
var readKeys = []string{
	"jsonrpc", "id", "method", "params", "result", "error",
	"name", "arguments", "_meta", "progressToken", "cursor", "task", "uri", "ref", "argument", "context",
	"protocolVersion", "capabilities", "clientInfo", "requestId", "level", "inputResponses", "requestState",
}

var readFolded = func() map[string]string {
	folded := make(map[string]string, len(readKeys))
	for _, key := range readKeys {
		folded[fold(key)] = key
	}
	return folded
}()

// keyWords says which key of an object is refused, "" when none is.
func keyWords(list []member) string {
	seen := make(map[string]bool, len(list))
	for _, m := range list {
		folded := fold(m.key)
		if seen[folded] {
			return fmt.Sprintf("the key %s is repeated, or differs from another in case only", quote(m.key))
		}
		seen[folded] = true
		if known, ok := readFolded[folded]; ok && known != m.key {
			return fmt.Sprintf("the key %s must be written %q", quote(m.key), known)
		}
	}
	return ""
}

// judgeKeys says which key in a value is refused, at any depth, in one pass:
// parsing each level anew would cost a deep message its depth times over. raw
// is valid JSON; the value begins at i, and ends at the index returned.
func judgeKeys(raw []byte, i int) (end int, words string) {
	switch raw[i] {
	case '{':
		var keys []member
		end = eachMember(raw, i, func(key string, at int) int {
			keys = append(keys, member{key: key})
			after, inside := judgeKeys(raw, at)
			words = cmp.Or(words, inside)
			return after
		})
		return end, cmp.Or(words, keyWords(keys))
	case '[':
		i = skipSpace(raw, i+1)
		for raw[i] != ']' {
			after, inside := judgeKeys(raw, i)
			words = cmp.Or(words, inside)
			if i = skipSpace(raw, after); raw[i] == ',' {
				i = skipSpace(raw, i+1)
			}
		}
		return i + 1, words
	}
	return skipValue(raw, i), ""
}

func quote(key string) string {
	if strings.Contains(key, "bg_") {
		return `"bg_…"` // a client's key that has come to the wrong place is not said again
	}
	if len(key) > 40 {
		key = strings.ToValidUTF8(key[:40], "") + "…"
	}
	return fmt.Sprintf("%q", key)
}

// fold maps letters that encoding/json takes for one another to one of them:
// U+017F and U+212A are "s" and "k" to it.
func fold(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - ('a' - 'A') // the least of its kind, without a search
		case r < utf8.RuneSelf:
			return r
		}
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, key)
}

// onlyID returns the id of a message that has exactly one, whatever else is
// wrong with it.
func onlyID(top []member) json.RawMessage {
	var id json.RawMessage
	for _, m := range top {
		if fold(m.key) != fold("id") {
			continue
		}
		if id != nil || m.key != "id" {
			return nil
		}
		id = scalarID(m.value)
	}
	return id
}

// scalarID returns a string or an integer in one spelling, nil for all else.
// Longer integers do not survive a float64, and would come back as another.
func scalarID(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	if raw[0] == '"' {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return nil
		}
		plain, err := json.Marshal(text)
		if err != nil {
			return nil
		}
		return plain
	}
	digits := strings.TrimPrefix(string(raw), "-")
	if digits == "" || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
		return nil
	}
	return raw
}
