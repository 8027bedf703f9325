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

// An Effect is what a tool does to what is there. Clients ask a person before
// some of them.
type Effect int

// The effects of tools.
const (
	Reads   Effect = iota // changes nothing
	Adds                  // makes something that was not there
	Changes               // replaces or removes what was there
)

// A Tool is one tool as clients see it, and the function behind it.
type Tool struct {
	Name         string
	Title        string
	Description  string
	Action       policy.Action // what a scope must allow for an agent's tool
	Effect       Effect
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage

	admin     bool
	arguments arguments
	run       func(context.Context, *Call, json.RawMessage) (any, error)
}

// Define completes a tool with its function: the schemas are reflected from In
// and Out. It panics on a type that has no schema, which is a mistake of the
// program.
func Define[In, Out any](t Tool, run func(context.Context, *Call, In) (Out, error)) Tool {
	return define(t, func(ctx context.Context, call *Call, in In) (any, error) { return run(ctx, call, in) }, new(Out))
}

func define[In any](t Tool, run func(context.Context, *Call, In) (any, error), out any) Tool {
	input, schema := reflectSchema(new(In))
	t.InputSchema, t.arguments = schema, newArguments(input)
	_, t.OutputSchema = reflectSchema(out, lean)
	t.run = func(ctx context.Context, call *Call, raw json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, fmt.Errorf("decoding checked arguments: %w", err)
		}
		return run(ctx, call, in)
	}
	return t
}
