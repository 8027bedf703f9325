package sample

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const fieldsBody = `{"next":"n","size":2,"values":[
	{"name":"a","links":{"self":{"href":"s"},"html":{"href":"h"}},"main":{"name":"m"}},
	{"name":"b","links":{"self":{"href":"t"}},"main":null}]}`

func TestFields(t *testing.T) {
	tests := []struct{ name, fields, want string }{
		{"top level", `next`, `{"next":"n"}`},
		{"below a list", `values.name,next`, `{"next":"n","values":[{"name":"a"},{"name":"b"}]}`},
		{"deeper", `values.links.html.href`, `{"values":[{"links":{"html":{"href":"h"}}},{"links":{}}]}`},
		{"null on the way", `values.main.name`, `{"values":[{"main":{"name":"m"}},{"main":null}]}`},
		{"unknown alone", `values.bogus`, `{"values":[{},{}]}`},
		{"unknown beside", `size,bogus,bo.gus`, `{"size":2}`},
		{"into a plain value", `size.x`, `{}`},
		{"star", `values.*.self`, `{"values":[{"links":{"self":{"href":"s"}},"main":{}},{"links":{"self":{"href":"t"}},"main":null}]}`},
		{"star is whole", `*,values.name`, fieldsBody},
		{"minus", `-values.links,-size`, `{"next":"n","values":[{"name":"a","main":{"name":"m"}},{"name":"b","main":null}]}`},
		{"minus star", `-values.*`, `{"next":"n","size":2,"values":[{},{}]}`},
		{"plus alone changes nothing", `+values.name`, fieldsBody},
		{"plus after minus", `-values,+values.name`, `{"next":"n","size":2,"values":[{"name":"a"},{"name":"b"}]}`},
		{"plus beside plain", `next,+values.name`, `{"next":"n","values":[{"name":"a"},{"name":"b"}]}`},
		{"plain and minus", `values,-values.links,-values.main`, `{"values":[{"name":"a"},{"name":"b"}]}`},
		{"plus not escaped", ` values.name`, `{}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var body object
			require.NoError(t, json.Unmarshal([]byte(fieldsBody), &body))
			got, err := json.Marshal(parseSelection(test.fields).apply(body))
			require.NoError(t, err)
			assert.JSONEq(t, test.want, string(got))
		})
	}
}

func TestFieldsOverHTTP(t *testing.T) {
	c := serve(t, small(t, Options{}))
	answer := c.get("/repositories/acme", "fields", "values.slug,values.mainbranch.name,next", "pagelen", "2")
	assert.Equal(t, []string{"next", "values"}, keys(answer.body))
	assert.Equal(t, []any{
		map[string]any{"slug": "web", "mainbranch": nil},
		map[string]any{"slug": "api", "mainbranch": map[string]any{"name": "main"}},
	}, answer.values())
	assert.NotContains(t, c.get("/repositories/acme/api", "fields", "-links").body, "links")
	assert.Equal(t, "Repository acme/x not found",
		c.get("/repositories/acme/x", "fields", "slug").message(), "an error stays whole")
}

func FuzzFields(f *testing.F) {
	for _, example := range []string{"", "values.name,next", "-a,+b.c,*", "..", "+", "-", "values.*.x,-values.*"} {
		f.Add(example)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var body object
		require.NoError(t, json.Unmarshal([]byte(fieldsBody), &body))
		got := parseSelection(text).apply(body)
		for key := range got {
			assert.Contains(t, []string{"next", "size", "values"}, key, "nothing is made up")
		}
	})
}
