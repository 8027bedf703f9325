package tools

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

// reflectSchema returns the JSON Schema of a struct, parsed and as compact
// JSON. Objects are closed: additionalProperties is false.
func reflectSchema(of any, edits ...func(*jsonschema.Schema)) (*jsonschema.Schema, json.RawMessage) {
	reflector := jsonschema.Reflector{DoNotReference: true, ExpandedStruct: true, Anonymous: true}
	schema := reflector.Reflect(of)
	schema.Version = ""
	for _, edit := range edits {
		edit(schema)
	}
	raw, err := json.Marshal(schema)
	if err != nil || schema.Type != "object" {
		panic(fmt.Sprintf("tools: %T has no object schema: %v", of, err))
	}
	return schema, raw
}

// lean leaves out of an answer's schema which fields are always there: agents
// pay for it by the token, and it is clear from the answer.
func lean(schema *jsonschema.Schema) {
	schema.Required = nil
	if schema.Items != nil {
		lean(schema.Items)
	}
	for pair := schema.Properties.Oldest(); pair != nil; pair = pair.Next() {
		lean(pair.Value)
	}
}
