package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/invopop/jsonschema"
)

// arguments checks a tool's arguments against its input schema, in words that
// an agent can act on. encoding/json alone would take "LIMIT" for "limit" and
// the last of two values for one name.
type arguments struct {
	schema *jsonschema.Schema
	names  []string
	of     string // whose they are, if not a tool's
}

func newArguments(schema *jsonschema.Schema) arguments {
	a := arguments{schema: schema}
	for pair := schema.Properties.Oldest(); pair != nil; pair = pair.Next() {
		if !checked(pair.Value) {
			panic("tools: no check for arguments of type " + pair.Value.Type)
		}
		a.names = append(a.names, pair.Key)
	}
	return a
}

// checked reports whether there is a check for arguments of this schema.
func checked(schema *jsonschema.Schema) bool {
	switch schema.Type {
	case "string", "integer", "boolean":
		return true
	case "array":
		return schema.Items.Type == "string" || schema.Items.Type == "object"
	}
	return false
}

// values are arguments that have met their schema.
type values map[string]json.RawMessage

// text returns a string argument, "" when it was left out.
func (v values) text(name string) string {
	var text string
	if raw, ok := v[name]; ok && json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// without returns the arguments as JSON with sorted names, one left out.
func (v values) without(name string) []byte {
	rest := make(values, len(v))
	for key, raw := range v {
		if key != name {
			rest[key] = raw
		}
	}
	encoded, err := json.Marshal(rest)
	if err != nil {
		panic(err) // each is valid JSON
	}
	return encoded
}

// check returns the arguments, or an *Error with code invalid_argument.
func (a arguments) check(raw json.RawMessage) (values, error) {
	given, err := a.read(raw)
	if err != nil {
		return nil, err
	}
	for _, name := range a.names {
		value, ok := given[name]
		if !ok {
			if a.requires(name) {
				return nil, invalid(fmt.Sprintf("%q is missing.", name), a.hint())
			}
			continue
		}
		schema, _ := a.schema.Properties.Get(name)
		normal, words := checkValue(schema, value)
		if words != "" {
			return nil, invalid(fmt.Sprintf("%q %s.", name, words), a.hint())
		}
		given[name] = normal
	}
	return given, nil
}

// read splits the object into its members and refuses names that are unknown
// or repeated.
func (a arguments) read(raw json.RawMessage) (values, error) {
	given := values{}
	if len(bytes.TrimSpace(raw)) == 0 || string(bytes.TrimSpace(raw)) == "null" {
		return given, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, invalid("The arguments must be one JSON object.", a.hint())
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, invalid("The arguments are not valid JSON.", a.hint())
		}
		name, _ := key.(string)
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return nil, invalid("The arguments are not valid JSON.", a.hint())
		}
		if words := a.nameWords(name, given); words != "" {
			return nil, invalid(words, a.hint())
		}
		given[name] = value
	}
	return given, nil
}

func (a arguments) nameWords(name string, given values) string {
	if _, repeated := given[name]; repeated {
		return fmt.Sprintf("%q is given more than once.", name)
	}
	if slices.Contains(a.names, name) {
		return ""
	}
	for _, known := range a.names {
		if strings.EqualFold(known, name) {
			return fmt.Sprintf("Argument names are case-sensitive: write %q.", known)
		}
	}
	return "There is an argument that this " + a.owner() + " does not take."
}

func (a arguments) owner() string { return cmp.Or(a.of, "tool") }

func (a arguments) requires(name string) bool { return slices.Contains(a.schema.Required, name) }

func (a arguments) hint() string {
	if len(a.names) == 0 {
		return "This " + a.owner() + " takes no arguments."
	}
	return "It takes: " + strings.Join(a.names, ", ") + "."
}

// checkValue returns the value in its plainest spelling, or what is wrong.
func checkValue(schema *jsonschema.Schema, raw json.RawMessage) (json.RawMessage, string) {
	switch schema.Type {
	case "integer":
		return checkInteger(schema, raw)
	case "boolean":
		if string(raw) != "true" && string(raw) != "false" {
			return nil, "must be true or false"
		}
		return raw, ""
	case "array":
		return checkList(schema, raw)
	case "object":
		return checkObject(schema, raw)
	}
	var text string
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return nil, "must be a string"
	}
	if len(schema.Enum) > 0 && !slices.Contains(schema.Enum, any(text)) {
		return nil, "must be " + oneOf(schema.Enum)
	}
	if schema.MaxLength != nil && longer(text, *schema.MaxLength) {
		return nil, tooLong(*schema.MaxLength)
	}
	if schema.MinLength != nil && uint64(utf8.RuneCountInString(text)) < *schema.MinLength {
		return nil, "must not be empty"
	}
	return raw, ""
}

func checkList(schema *jsonschema.Schema, raw json.RawMessage) (json.RawMessage, string) {
	if len(schema.Items.Enum) > 0 {
		return checkWords(schema, raw)
	}
	var items []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &items) != nil {
		return nil, "must be a list"
	}
	for i, item := range items {
		normal, words := checkValue(schema.Items, item)
		if words != "" {
			return nil, fmt.Sprintf("is a list, and item %d of it %s", i+1, words)
		}
		items[i] = normal
	}
	return encodeItems(items), ""
}

func checkObject(schema *jsonschema.Schema, raw json.RawMessage) (json.RawMessage, string) {
	if raw[0] != '{' {
		return nil, "must be an object"
	}
	inner := newArguments(schema)
	given, err := inner.check(raw)
	var wrong *Error
	if errors.As(err, &wrong) {
		return nil, fmt.Sprintf("is not right: %s %s", strings.TrimSuffix(wrong.Message, "."), "("+strings.TrimSuffix(inner.hint(), ".")+")")
	}
	return given.without(""), ""
}

func encodeItems(items []json.RawMessage) json.RawMessage {
	if items == nil {
		return json.RawMessage("[]")
	}
	encoded, err := json.Marshal(items)
	if err != nil {
		panic(err) // each is valid JSON
	}
	return encoded
}

func longer(text string, limit uint64) bool { return uint64(utf8.RuneCountInString(text)) > limit }

func tooLong(limit uint64) string {
	return fmt.Sprintf("must not be longer than %d characters", limit)
}

func checkInteger(schema *jsonschema.Schema, raw json.RawMessage) (json.RawMessage, string) {
	words := fmt.Sprintf("must be a whole number from %s to %s", schema.Minimum, schema.Maximum)
	number, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || number != math.Trunc(number) {
		return nil, words
	}
	low, _ := schema.Minimum.Float64()
	high, _ := schema.Maximum.Float64()
	if number < low || number > high {
		return nil, words
	}
	return strconv.AppendInt(nil, int64(number), 10), "" // 25.0 is 25 to JSON Schema, and not to encoding/json
}

func oneOf(enum []any) string {
	words := make([]string, len(enum))
	for i, value := range enum {
		words[i] = fmt.Sprintf("%q", value)
	}
	return strings.Join(words, " or ")
}

// FromText returns arguments that were typed as text, each a name and a value,
// as JSON. A number is written as one where the tool takes one, and a list is
// its items, each with the name of the list before it; whatever else is wrong
// with them the tool itself says when it runs.
func (b *Toolbox) FromText(tool string, pairs [][2]string) json.RawMessage {
	t, _ := b.tool(tool)
	var members [][]byte
	lists := map[string]int{} // where each list stands among the members
	for _, pair := range pairs {
		name, value := pair[0], t.arguments.encode(pair[0], pair[1])
		if at, again := lists[name]; again {
			members[at] = append(append(members[at], ','), value...)
			continue
		}
		if t.arguments.typeOf(name) == "array" {
			lists[name] = len(members)
			value = append([]byte{'['}, value...)
		}
		members = append(members, fmt.Appendf(nil, "%s:%s", encodeText(name), value))
	}
	for _, at := range lists {
		members[at] = append(members[at], ']')
	}
	return json.RawMessage("{" + string(bytes.Join(members, []byte{','})) + "}")
}

func (a arguments) typeOf(name string) string {
	if a.schema == nil {
		return ""
	}
	if schema, ok := a.schema.Properties.Get(name); ok {
		return schema.Type
	}
	return ""
}

func (a arguments) encode(name, value string) []byte {
	kind := a.typeOf(name)
	if kind == "array" {
		list, _ := a.schema.Properties.Get(name)
		kind = list.Items.Type
	}
	if kind != "" && kind != "string" && json.Valid([]byte(value)) {
		return []byte(value)
	}
	return encodeText(value)
}

func encodeText(text string) []byte {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always marshals
	}
	return encoded
}
