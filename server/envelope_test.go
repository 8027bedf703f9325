package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nested returns an array that is n deep.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestEnvelopeAccepts(t *testing.T) {
	for _, tt := range []struct {
		name, message string
		want          envelope
	}{
		{"a request", `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
			envelope{id: raw(`1`), method: "ping", message: raw(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)}},
		{"keys in any order, and blanks", ` { "method" : "ping" , "id" : 1 , "jsonrpc" : "2.0" } `,
			envelope{id: raw(`1`), method: "ping", message: raw(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)}},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`,
			envelope{method: "notifications/initialized", message: raw(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)}},
		{"an escaped key is the same key", `{"jsonrpc":"2.0","id":1,"\u006dethod":"ping"}`,
			envelope{id: raw(`1`), method: "ping", message: raw(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)}},
		{"an escaped method is the same method", `{"jsonrpc":"2.0","id":1,"method":"\u0070ing"}`,
			envelope{id: raw(`1`), method: "ping", message: raw(`{"jsonrpc":"2.0","id":1,"method":"\u0070ing"}`)}},
		{"a key that nobody knows is dropped", `{"jsonrpc":"2.0","id":1,"method":"ping","extra":{"a":1}}`,
			envelope{id: raw(`1`), method: "ping", message: raw(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)}},
		{"an answer", `{"jsonrpc":"2.0","id":1,"result":{}}`, envelope{id: raw(`1`)}},
		{"an answer that is an error", `{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"no"}}`, envelope{id: raw(`"x"`)}},
		{"a call", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repo","arguments":{"repository":"api"},"_meta":{"progressToken":"t"}}}`,
			envelope{
				id: raw(`1`), method: "tools/call", tool: "get_repo", arguments: raw(`{"repository":"api"}`), progressToken: raw(`"t"`),
				message: raw(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repo","_meta":{"progressToken":"t"}}}`),
			}},
		{"arguments are for the tool to judge", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repo","arguments":{"a":1,"a":2,"A":3,"Name":4}}}`,
			envelope{
				id: raw(`1`), method: "tools/call", tool: "get_repo", arguments: raw(`{"a":1,"a":2,"A":3,"Name":4}`),
				message: raw(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repo"}}`),
			}},
		{"a tool without a name has none", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}`,
			envelope{id: raw(`1`), method: "tools/call", message: raw(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":""}}`)}},
		{"a cancellation", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`,
			envelope{method: "notifications/cancelled", requestID: raw(`7`), message: raw(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, refused := parseEnvelope([]byte(tt.message))
			require.Nil(t, refused)
			assert.Equal(t, tt.want, *got)
		})
	}
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func TestEnvelopeRefuses(t *testing.T) {
	const known = `1` // the id that the refusal carries
	for _, tt := range []struct {
		name, message string
		code          int
		id            string // "" for none
		words         string
	}{
		{"METHOD", `{"jsonrpc":"2.0","id":1,"METHOD":"tools/call"}`, codeInvalidRequest, known, `the key "METHOD" must be written "method"`},
		{"method and Method", `{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}`, codeInvalidRequest, known, `the key "Method" is repeated, or differs from another in case only`},
		{"Method and method", `{"jsonrpc":"2.0","id":1,"Method":"ping","method":"tools/call"}`, codeInvalidRequest, known, `the key "Method" must be written "method"`},
		{"method twice", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`, codeInvalidRequest, known, `the key "method" is repeated`},
		{"method twice, once escaped", `{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call"}`, codeInvalidRequest, known, `the key "method" is repeated`},
		{"params twice", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}`, codeInvalidRequest, known, `the key "params" is repeated`},
		{"jsonrpc twice", `{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}`, codeInvalidRequest, known, `the key "jsonrpc" is repeated`},
		{"id twice", `{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, codeInvalidRequest, "", `the key "id" is repeated`},
		{"the same id twice", `{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}`, codeInvalidRequest, "", `the key "id" is repeated`},
		{"id and ID", `{"jsonrpc":"2.0","id":1,"ID":2,"method":"ping"}`, codeInvalidRequest, "", `the key "ID" is repeated`},
		{"ID", `{"jsonrpc":"2.0","ID":2,"method":"ping"}`, codeInvalidRequest, "", `the key "ID" must be written "id"`},
		{"an unknown key twice", `{"jsonrpc":"2.0","id":1,"method":"ping","x":1,"X":2}`, codeInvalidRequest, known, `the key "X" is repeated`},
		{"long s", `{"jsonrpc":"2.0","id":1,"method":"tools/call","paramſ":{"name":"a"}}`, codeInvalidRequest, known, `the key "paramſ" must be written "params"`},
		{"long s beside the real one", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{},"paramſ":{}}`, codeInvalidRequest, known, `the key "paramſ" is repeated`},
		{"long s, escaped", `{"jsonrpc":"2.0","id":1,"method":"tools/call","param\u017f":{}}`, codeInvalidRequest, known, `must be written "params"`},
		{"Kelvin sign", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"taſ\u212A":{}}}`, codeInvalidRequest, known, `must be written "task"`},
		{"lone surrogates are one key", `{"jsonrpc":"2.0","id":1,"method":"ping","\ud800":1,"\udfff":2}`, codeInvalidRequest, known, `is repeated`},
		{"name twice in params", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}`, codeInvalidRequest, known, `the key "name" is repeated`},
		{"Name in params", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"a"}}`, codeInvalidRequest, known, `the key "Name" must be written "name"`},
		{"arguments twice", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{},"arguments":{}}}`, codeInvalidRequest, known, `the key "arguments" is repeated`},
		{"Arguments", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Arguments":{}}}`, codeInvalidRequest, known, `the key "Arguments" must be written "arguments"`},
		{"a key of _meta twice", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":1,"progressToken":2}}}`, codeInvalidRequest, known, `the key "progressToken" is repeated`},
		{"a key deep in _meta twice", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"a":[{"b":1,"B":2}]}}}`, codeInvalidRequest, known, `the key "B" is repeated`},
		{"a key of clientInfo twice", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"clientInfo":{"name":"a","NAME":"b"}}}`, codeInvalidRequest, known, `the key "NAME" is repeated`},
		{"arguments of another method are no exception", `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"arguments":{"a":1,"A":2}}}`, codeInvalidRequest, known, `the key "A" is repeated`},
		{"requestid", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestid":7}}`, codeInvalidRequest, "", `must be written "requestId"`},

		{"id null", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, codeInvalidRequest, "", `"id" must be a string, or a whole number of at most 15 digits`},
		{"id true", `{"jsonrpc":"2.0","id":true,"method":"ping"}`, codeInvalidRequest, "", `"id" must be`},
		{"id an object", `{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}`, codeInvalidRequest, "", `"id" must be`},
		{"id an array", `{"jsonrpc":"2.0","id":[1],"method":"ping"}`, codeInvalidRequest, "", `"id" must be`},
		{"id a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, codeInvalidRequest, "", `"id" must be`},
		{"id an exponent", `{"jsonrpc":"2.0","id":1e3,"method":"ping"}`, codeInvalidRequest, "", `"id" must be`},
		{"id that no float64 holds", `{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, codeInvalidRequest, "", `"id" must be`},

		{"jsonrpc missing", `{"id":1,"method":"ping"}`, codeInvalidRequest, known, `"jsonrpc" must be "2.0"`},
		{"jsonrpc a number", `{"jsonrpc":2.0,"id":1,"method":"ping"}`, codeInvalidRequest, known, `"jsonrpc" must be "2.0"`},
		{"jsonrpc 1.0", `{"jsonrpc":"1.0","id":1,"method":"ping"}`, codeInvalidRequest, known, `"jsonrpc" must be "2.0"`},
		{"method missing", `{"jsonrpc":"2.0","id":1}`, codeInvalidRequest, known, `"method" is missing`},
		{"method null", `{"jsonrpc":"2.0","id":1,"method":null}`, codeInvalidRequest, known, `"method" must be a string`},
		{"method empty", `{"jsonrpc":"2.0","id":1,"method":""}`, codeInvalidRequest, known, `"method" must be a string`},
		{"method a number", `{"jsonrpc":"2.0","id":1,"method":1}`, codeInvalidRequest, known, `"method" must be a string`},
		{"params an array", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["get_repo"]}`, codeInvalidRequest, known, `"params" must be an object`},
		{"params null", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}`, codeInvalidRequest, known, `"params" must be an object`},

		{"a batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, codeInvalidRequest, "", "batches are not taken"},
		{"an empty batch", ` []`, codeInvalidRequest, "", "batches are not taken"},
		{"nothing", ``, codeParse, "", "not a JSON object"},
		{"a string", `"ping"`, codeParse, "", "not a JSON object"},
		{"text", `hello`, codeParse, "", "not a JSON object"},
		{"half a message", `{"jsonrpc":"2.0","id":1,"method":"ping"`, codeParse, "", "not a JSON object"},
		{"text after it", `{"jsonrpc":"2.0","id":1,"method":"ping"} x`, codeParse, "", "not a JSON object"},
		{"a second message after it", `{"jsonrpc":"2.0","id":1,"method":"ping"}{}`, codeParse, "", "not a JSON object"},
		{"brackets after it", `{"jsonrpc":"2.0","id":1,"method":"ping"}]`, codeParse, "", "not a JSON object"},
		{"a byte order mark", "\ufeff" + `{"jsonrpc":"2.0","id":1,"method":"ping"}`, codeParse, "", "not a JSON object"},
		{"invalid UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\xff\"}", codeParse, "", "not valid UTF-8"},
		{"65 deep", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":` + nested(63) + `}}`, codeInvalidRequest, "", "nested more than 64 deep"},
		{"200,000 deep", nested(200_000), codeInvalidRequest, "", "nested more than 64 deep"},
		{"200,000 open", strings.Repeat(`{"a":`, 200_000), codeInvalidRequest, "", "nested more than 64 deep"},
		{"over 1 MiB", sized(maxMessage + 1), codeInvalidRequest, "", "larger than 1048576 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, refused := parseEnvelope([]byte(tt.message))
			require.Nil(t, got)
			assert.Equal(t, tt.code, refused.code)
			assert.Equal(t, tt.id, string(refused.id))
			assert.Contains(t, refused.message, tt.words)
			assert.Less(t, len(refused.message), 200)
		})
	}
}

// sized returns a ping of exactly n bytes.
func sized(n int) string {
	const head, tail = `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"`, `"}}`
	return head + strings.Repeat("x", n-len(head)-len(tail)) + tail
}

func TestEnvelopeLimits(t *testing.T) {
	_, refused := parseEnvelope([]byte(sized(maxMessage)))
	assert.Nil(t, refused, "a message of exactly 1 MiB")
	_, refused = parseEnvelope([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":` + nested(62) + `}}`))
	assert.Nil(t, refused, "a message of exactly 64 levels")
	_, refused = parseEnvelope([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("[", 100) + `\"{"}}`))
	assert.Nil(t, refused, "brackets in a string do not nest")
}

// An id comes back as it was, in one spelling, so that a cancellation finds
// the call that it means.
func TestEnvelopeIDs(t *testing.T) {
	for id, want := range map[string]string{
		`1`: `1`, `0`: `0`, `-7`: `-7`, `999999999999999`: `999999999999999`, `-999999999999999`: `-999999999999999`,
		`"1"`: `"1"`, `""`: `""`, `"\u0061"`: `"a"`, `"é"`: `"é"`, `"\ud800"`: `"\ufffd"`,
	} {
		e, refused := parseEnvelope(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"method":"ping"}`, id))
		if assert.Nil(t, refused, id) {
			assert.JSONEq(t, want, string(e.id))
			assert.Equal(t, string(scalarID(raw(want))), string(e.id))
		}
		cancel, refused := parseEnvelope(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`, id))
		if assert.Nil(t, refused, id) {
			assert.Equal(t, string(e.id), string(cancel.requestID))
		}
	}
	for _, token := range []string{`1.5`, `true`, `null`, `{}`, `[]`, `9007199254740993`} {
		e, refused := parseEnvelope(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"progressToken":%s}}}`, token))
		if assert.Nil(t, refused, token) {
			assert.Nil(t, e.progressToken, "a progress token %s cannot come back as it was", token)
		}
	}
}

// What is accepted means the same to encoding/json, which takes "METHOD" for
// "method" and the last of two, as it means to the server.
func FuzzEnvelope(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_repo","arguments":{"repository":"api"},"_meta":{"progressToken":"t"}}}`,
		`{"jsonrpc":"2.0","id":"a","method":"ping","Method":"tools/call"}`,
		`{"jsonrpc":"2.0","id":1,"id":1,"paramſ":{}}`,
		`{"jsonrpc":"2.0","id":1,"\u006dethod":"ping","params":{"_meta":{"a":1,"A":2}}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\ud800"}}`,
		`[{"jsonrpc":"2.0"}]`, `{"jsonrpc":"2.0","id":1,"result":{}}`, nested(65), "{\"a\":\"\xff\"}", `{"a":1,}`, `{"jsonrpc":"2.0","id":-0,"method":"x"} ]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e, refused := parseEnvelope(message)
		if refused != nil {
			require.Nil(t, e)
			if refused.id != nil {
				requireOnlyID(t, message, refused.id)
			}
			return
		}
		if e.method == "" {
			require.Nil(t, e.message, "an answer is not passed on")
			return
		}
		requireSame(t, message, e)
		requireNoTwins(t, e.message, e.method)
	})
}

// requireOnlyID fails the test unless the id stands in the message once, under
// a key that no other could be taken for.
func requireOnlyID(t *testing.T, message []byte, id json.RawMessage) {
	list, err := decoded(message)
	require.NoError(t, err)
	var found []json.RawMessage
	for _, m := range list {
		if strings.EqualFold(m.key, "id") {
			found = append(found, m.value)
		}
	}
	require.Len(t, found, 1, "the id of a refusal stands in the message exactly once")
	require.JSONEq(t, string(found[0]), string(id))
}

// requireSame fails the test unless encoding/json reads the same from what
// came in, from what is passed on, and from the envelope.
func requireSame(t *testing.T, message []byte, e *envelope) {
	type loose struct {
		ID     json.RawMessage
		Method string
		Params json.RawMessage
	}
	var came, passed loose
	require.NoError(t, json.Unmarshal(bytes.TrimSpace(message), &came))
	require.NoError(t, json.Unmarshal(e.message, &passed))
	require.Equal(t, e.method, came.Method)
	require.Equal(t, e.method, passed.Method)
	require.Equal(t, string(e.id), string(passed.ID))
	if e.id != nil {
		require.JSONEq(t, string(came.ID), string(passed.ID))
	}
	if e.method != "tools/call" || came.Params == nil {
		require.Equal(t, string(came.Params), string(passed.Params))
		return
	}
	var params, handed struct {
		Name      any
		Arguments json.RawMessage
		Meta      json.RawMessage `json:"_meta"`
	}
	require.NoError(t, json.Unmarshal(came.Params, &params))
	require.NoError(t, json.Unmarshal(passed.Params, &handed))
	name, _ := params.Name.(string)
	require.Equal(t, name, e.tool)
	require.Equal(t, name, handed.Name)
	require.Equal(t, string(params.Arguments), string(e.arguments))
	require.Nil(t, handed.Arguments, "the tool has them, and nobody else")
	require.Equal(t, string(params.Meta), string(handed.Meta))
}

// decoded splits an object with encoding/json's tokens.
func decoded(raw []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	var list []member
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		list = append(list, member{key.(string), value})
	}
	_, err := decoder.Token()
	return list, err
}

// Our way of taking an object apart agrees with encoding/json's on all that is
// valid.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b":[1,{"c":"]}\\\""}] ,"a":null}`, `{"\u0061":-1e5,"":""}`, `{"a":{"b":{"c":[[]]}},"d":true}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = bytes.TrimSpace(raw)
		if !json.Valid(raw) || raw[0] != '{' {
			return
		}
		want, err := decoded(raw)
		require.NoError(t, err)
		require.Equal(t, want, members(raw))
		end, _ := judgeKeys(raw, 0)
		require.Equal(t, len(raw), end)
		require.Equal(t, len(raw), skipValue(raw, 0))
	})
}

// requireNoTwins fails the test if two keys of one object, but for a tool's
// arguments, could be taken for one another.
func requireNoTwins(t *testing.T, message []byte, method string) {
	list, err := decoded(message)
	require.NoError(t, err)
	for i, m := range list {
		for _, other := range list[:i] {
			require.False(t, strings.EqualFold(m.key, other.key), "%q and %q", m.key, other.key)
		}
		if m.value[0] == '{' && !(method == "tools/call" && m.key == "arguments") {
			requireNoTwins(t, m.value, map[bool]string{true: method}[m.key == "params"])
		}
	}
}
