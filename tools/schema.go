package tools

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

// reflectSchema returns the JSON Schema of a struct, parsed and as compact
// JSON. Objects are closed: additionalProperties is false.
func reflectSchema[T any]() (*jsonschema.Schema, json.RawMessage) {
	reflector := jsonschema.Reflector{DoNotReference: true, ExpandedStruct: true, Anonymous: true}
	schema := reflector.Reflect(new(T))
	schema.Version = ""
	raw, err := json.Marshal(schema)
	if err != nil || schema.Type != "object" {
		panic(fmt.Sprintf("tools: %T has no object schema: %v", *new(T), err))
	}
	return schema, raw
}
