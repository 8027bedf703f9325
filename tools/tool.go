package tools

import (
	"context"
	"encoding/json"
	"fmt"

	"bucketgate/policy"
)

const (
	// MaxAnswer is the size in bytes that an answer stays under, one copy
	// counted.
	MaxAnswer = 24 << 10
	// MaxNamesAnswer is the same for an answer that lists bare names.
	MaxNamesAnswer = 40 << 10
)

// A Tool is one tool as clients see it, and the function behind it.
type Tool struct {
	Name         string
	Title        string
	Description  string
	Action       policy.Action // what a scope must allow for it
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage

	arguments arguments
	run       func(context.Context, *Call, json.RawMessage) (any, error)
}

// Define completes a tool with its function: the schemas are reflected from In
// and Out. It panics on a type that has no schema, which is a mistake of the
// program.
func Define[In, Out any](t Tool, run func(context.Context, *Call, In) (Out, error)) Tool {
	input, schema := reflectSchema[In]()
	t.InputSchema, t.arguments = schema, newArguments(input)
	_, t.OutputSchema = reflectSchema[Out](lean)
	t.run = func(ctx context.Context, call *Call, raw json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, fmt.Errorf("decoding checked arguments: %w", err)
		}
		return run(ctx, call, in)
	}
	return t
}
