package tools

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListsOfWords(t *testing.T) {
	type input struct {
		Include []string `json:"include,omitempty" jsonschema:"enum=diff,enum=log"`
	}
	schema, _ := reflectSchema(new(input))
	a := newArguments(schema)
	for given, want := range map[string]string{
		`{"include":["log","diff"]}`: `["diff","log"]`,
		`{"include":[]}`:             `[]`,
		`{"include":["log"]}`:        `["log"]`,
	} {
		checked, err := a.check([]byte(given))
		require.NoError(t, err, given)
		assert.JSONEq(t, want, string(checked["include"]))
	}
	for given, words := range map[string]string{
		`{"include":"log"}`:         `"include" must be a list of "diff" or "log".`,
		`{"include":["logs"]}`:      `"include" must be a list of "diff" or "log".`,
		`{"include":[1]}`:           `"include" must be a list of "diff" or "log".`,
		`{"include":[["log"]]}`:     `"include" must be a list of "diff" or "log".`,
		`{"include":null}`:          `"include" must be a list of "diff" or "log".`,
		`{"include":["log","log"]}`: `"include" names "log" twice.`,
	} {
		_, err := a.check([]byte(given))
		require.Error(t, err, given)
		assert.Contains(t, err.Error(), words)
	}
}
