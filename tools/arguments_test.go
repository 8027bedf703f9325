package tools

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
)

type sampleInput struct {
	Repository string `json:"repository" jsonschema:"minLength=1,maxLength=10"`
	Limit      int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100"`
	Detail     string `json:"detail,omitempty" jsonschema:"enum=names,enum=full"`
}

type sampleOutput struct {
	Summary string `json:"summary"`
}

func sampleTool(run func(context.Context, *Call, sampleInput) (sampleOutput, error)) Tool {
	return Define(Tool{Name: "sample", Action: policy.NoAction}, run)
}

func TestArguments(t *testing.T) {
	rules := sampleTool(nil).arguments
	for name, row := range map[string]struct{ arguments, words string }{
		"as the schema says":   {`{"repository":"api","limit":100,"detail":"full"}`, ""},
		"only what is needed":  {`{"repository":"api"}`, ""},
		"a whole float":        {`{"repository":"api","limit":25.0}`, ""},
		"an exponent":          {`{"repository":"api","limit":1e1}`, ""},
		"nothing":              {``, `"repository" is missing.`},
		"null":                 {`null`, `"repository" is missing.`},
		"an empty object":      {`{}`, `"repository" is missing.`},
		"unknown":              {`{"repository":"api","branch":"main"}`, "There is an argument that this tool does not take."},
		"in another case":      {`{"Repository":"api"}`, `Argument names are case-sensitive: write "repository".`},
		"that folds":           {`{"repo` + "\u017f" + `itory":"api"}`, `Argument names are case-sensitive: write "repository".`},
		"repeated":             {`{"repository":"api","repository":"web"}`, `"repository" is given more than once.`},
		"repeated, escaped":    {`{"repository":"api","\u0072epository":"web"}`, `"repository" is given more than once.`},
		"a number for text":    {`{"repository":1}`, `"repository" must be a string.`},
		"null for text":        {`{"repository":null}`, `"repository" must be a string.`},
		"a list":               {`{"repository":["api"]}`, `"repository" must be a string.`},
		"an object":            {`{"repository":{"a":1}}`, `"repository" must be a string.`},
		"empty":                {`{"repository":""}`, `"repository" must not be empty.`},
		"too long":             {`{"repository":"` + strings.Repeat("a", 11) + `"}`, `"repository" must not be longer than 10 characters.`},
		"a megabyte":           {`{"repository":"` + strings.Repeat("a", 1<<20) + `"}`, `"repository" must not be longer than 10 characters.`},
		"text for a number":    {`{"repository":"api","limit":"5"}`, `"limit" must be a whole number from 1 to 100.`},
		"zero":                 {`{"repository":"api","limit":0}`, `"limit" must be a whole number from 1 to 100.`},
		"negative":             {`{"repository":"api","limit":-1}`, `"limit" must be a whole number from 1 to 100.`},
		"a fraction":           {`{"repository":"api","limit":1.5}`, `"limit" must be a whole number from 1 to 100.`},
		"huge":                 {`{"repository":"api","limit":1e400}`, `"limit" must be a whole number from 1 to 100.`},
		"null for a number":    {`{"repository":"api","limit":null}`, `"limit" must be a whole number from 1 to 100.`},
		"true":                 {`{"repository":"api","limit":true}`, `"limit" must be a whole number from 1 to 100.`},
		"not one of the words": {`{"repository":"api","detail":"Full"}`, `"detail" must be "names" or "full".`},
		"a list of arguments":  {`["api"]`, "The arguments must be one JSON object."},
		"text":                 {`"api"`, "The arguments must be one JSON object."},
		"not JSON":             {`{"repository":`, "The arguments are not valid JSON."},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := rules.check(json.RawMessage(row.arguments))
			if row.words == "" {
				require.NoError(t, err)
				assert.Equal(t, "api", values.text("repository"))
				return
			}
			var refused *Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, InvalidArgument, refused.Code)
			assert.Equal(t, row.words, refused.Message)
			assert.Equal(t, "It takes: repository, limit, detail.", refused.Hint)
		})
	}
}

// What is accepted decodes into the tool's struct, whatever the spelling.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{`{"repository":"api","limit":2.50e1}`, `{"repository":"a\u0000","limit":99.0}`, `{"limit":1}`, `[]`, `{"repository":"a"}x`} {
		f.Add(seed)
	}
	rules := sampleTool(nil).arguments
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := rules.check(json.RawMessage(raw))
		if err != nil {
			return
		}
		encoded, err := json.Marshal(values)
		require.NoError(t, err)
		var in sampleInput
		require.NoError(t, json.Unmarshal(encoded, &in))
		require.NotEmpty(t, in.Repository)
		require.True(t, in.Limit >= 0 && in.Limit <= 100)
	})
}

type listsInput struct {
	Names  []string    `json:"names,omitempty"`
	All    bool        `json:"all,omitempty"`
	Fields []pairInput `json:"fields,omitempty"`
	Note   *string     `json:"note,omitempty" jsonschema:"maxLength=3"`
}

type pairInput struct {
	Key       string `json:"key" jsonschema:"minLength=1,maxLength=5"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

// Target is none.
func (listsInput) Target() string { return "" }

func TestArgumentsThatAreListsAndFlags(t *testing.T) {
	type none struct{}
	rules := DefineAdmin(Tool{}, func(context.Context, *AdminCall, listsInput) (none, error) { return none{}, nil }).arguments
	for name, row := range map[string]struct{ arguments, words string }{
		"as the schema says":      {`{"names":["a","b"],"all":true,"fields":[{"key":"k","sensitive":true}],"note":""}`, ""},
		"empty lists":             {`{"names":[],"fields":[]}`, ""},
		"text for a list":         {`{"names":"a"}`, `"names" must be a list.`},
		"null for a list":         {`{"names":null}`, `"names" must be a list.`},
		"a number in a list":      {`{"names":["a",1]}`, `"names" is a list, and item 2 of it must be a string.`},
		"null in a list":          {`{"names":[null]}`, `"names" is a list, and item 1 of it must be a string.`},
		"a list in a list":        {`{"names":[["a"]]}`, `"names" is a list, and item 1 of it must be a string.`},
		"text for a flag":         {`{"all":"true"}`, `"all" must be true or false.`},
		"null for a flag":         {`{"all":null}`, `"all" must be true or false.`},
		"text for an object":      {`{"fields":["k"]}`, `"fields" is a list, and item 1 of it must be an object.`},
		"an unknown name inside":  {`{"fields":[{"key":"k","secret":"s"}]}`, `"fields" is a list, and item 1 of it is not right: There is an argument that this tool does not take (It takes: key, sensitive).`},
		"a repeated name inside":  {`{"fields":[{"key":"k","key":"l"}]}`, `"fields" is a list, and item 1 of it is not right: "key" is given more than once (It takes: key, sensitive).`},
		"a missing name inside":   {`{"fields":[{}]}`, `"fields" is a list, and item 1 of it is not right: "key" is missing (It takes: key, sensitive).`},
		"too long a value inside": {`{"fields":[{"key":"kkkkkk"}]}`, `"fields" is a list, and item 1 of it is not right: "key" must not be longer than 5 characters (It takes: key, sensitive).`},
		"too long a value":        {`{"note":"1234"}`, `"note" must not be longer than 3 characters.`},
	} {
		_, err := rules.check(json.RawMessage(row.arguments))
		if row.words == "" {
			assert.NoError(t, err, name)
			continue
		}
		var wrong *Error
		require.ErrorAs(t, err, &wrong, name)
		assert.Equal(t, row.words, wrong.Message, name)
	}
}

func TestFromTextOfLists(t *testing.T) {
	type none struct{}
	box := &Toolbox{Tools: []Tool{DefineAdmin(Tool{Name: "lists"}, func(context.Context, *AdminCall, listsInput) (none, error) { return none{}, nil })}}
	assert.JSONEq(t, `{"names":["a","[1]"],"all":true,"fields":[{"key":"k"}]}`,
		string(box.FromText("lists", [][2]string{{"names", "a"}, {"all", "true"}, {"names", "[1]"}, {"fields", `{"key":"k"}`}})))
	assert.JSONEq(t, `{"all":"yes"}`, string(box.FromText("lists", [][2]string{{"all", "yes"}})))
}

func TestFromText(t *testing.T) {
	box := &Toolbox{Tools: []Tool{sampleTool(nil)}}
	assert.JSONEq(t, `{"repository":"7","limit":7}`, string(box.FromText("sample", [][2]string{{"repository", "7"}, {"limit", "7"}})))
	assert.JSONEq(t, `{"limit":"many"}`, string(box.FromText("sample", [][2]string{{"limit", "many"}})))
	assert.JSONEq(t, `{"a\"b":"1"}`, string(box.FromText("unknown", [][2]string{{`a"b`, "1"}})))
}

func TestASchemaThatCannotBeCheckedIsAProgrammersMistake(t *testing.T) {
	type in struct {
		Share float64 `json:"share"`
	}
	assert.Panics(t, func() {
		Define(Tool{}, func(context.Context, *Call, in) (sampleOutput, error) { return sampleOutput{}, nil })
	})
}
