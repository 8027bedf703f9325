package server

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"bucketgate/tools"
)

// Prompts and the completion of their arguments are judged here, before mcp-go
// has them: it would say what is wrong with the names of Go types, or answer
// with the code of an internal error. It sends what was prepared, and has
// nothing else to send: a request that did not come by prepare gets an error.

// offerPrompts adds the toolbox's prompts. A server that has none does not say
// that it could have.
func (s *Server) offerPrompts() {
	if len(s.config.Toolbox.Prompts) == 0 {
		return
	}
	for _, option := range []mcpserver.ServerOption{
		mcpserver.WithPromptCapabilities(false), mcpserver.WithCompletions(), mcpserver.WithPromptCompletionProvider(prepared{}),
	} {
		option(s.mcp)
	}
	for _, prompt := range s.config.Toolbox.Prompts {
		s.mcp.AddPrompt(describePrompt(prompt), prepared{}.prompt)
	}
}

// describePrompt turns a prompt into what clients see of it.
func describePrompt(p tools.Prompt) mcp.Prompt {
	described := mcp.Prompt{Name: p.Name, Title: p.Title, Description: p.Description}
	for _, argument := range p.Arguments {
		described.Arguments = append(described.Arguments, mcp.PromptArgument{
			Name: argument.Name, Description: argument.Description, Required: argument.Required,
		})
	}
	return described
}

// A prepared request has its answer in its context.
type prepared struct{}

var errUnprepared = errors.New("the request was not judged")

// prompt answers prompts/get.
func (prepared) prompt(ctx context.Context, _ mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	if r, ok := ctx.Value(requestKey{}).(request); ok && r.prompt != nil {
		return r.prompt, nil
	}
	return nil, errUnprepared
}

// CompletePromptArgument implements mcp-go's PromptCompletionProvider.
func (prepared) CompletePromptArgument(ctx context.Context, _ string, _ mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	if r, ok := ctx.Value(requestKey{}).(request); ok && r.completion != nil {
		return r.completion, nil
	}
	return nil, errUnprepared
}

// prepare judges a request for a prompt or for a completion and puts the
// answer into r, which belongs into the context that mcp-go gets. What it
// returns, if anything, is to be said instead. Other requests it leaves alone.
func (s *Server) prepare(ctx context.Context, r *request) (refused any) {
	if r.envelope.id == nil || len(s.config.Toolbox.Prompts) == 0 {
		return nil
	}
	var wrong *tools.Error
	switch r.envelope.method {
	case "prompts/get":
		r.prompt, wrong = s.writePrompt(ctx, r.envelope)
	case "completion/complete":
		r.completion, wrong = s.complete(ctx, r.envelope)
	}
	if wrong == nil {
		return nil
	}
	code := codeInvalidParams
	if wrong.Code == tools.AuditUnavailable || wrong.Code == tools.Internal {
		code = codeInternal
	}
	return errorMessage(r.envelope.id, code, wrong.Message+" "+wrong.Hint)
}

func (s *Server) writePrompt(ctx context.Context, e *envelope) (*mcp.GetPromptResult, *tools.Error) {
	params := membersOf(e.params)
	name, _ := textOf(find(params, "name"))
	written, wrong := s.config.Toolbox.Prompt(tools.Request{
		Caller: s.config.Caller(ctx), Tool: name, Arguments: find(params, "arguments"),
	})
	if wrong != nil {
		return nil, wrong
	}
	return &mcp.GetPromptResult{Messages: []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(written))}}, nil
}

func (s *Server) complete(ctx context.Context, e *envelope) (*mcp.Completion, *tools.Error) {
	params := membersOf(e.params)
	ref, argument := membersOf(find(params, "ref")), membersOf(find(params, "argument"))
	kind, _ := textOf(find(ref, "type"))
	prompt, isText := textOf(find(ref, "name"))
	name, isName := textOf(find(argument, "name"))
	typed, isTyped := textOf(find(argument, "value"))
	if kind != "ref/prompt" || !isText || !isName || !isTyped {
		return nil, &tools.Error{Code: tools.InvalidArgument, Message: "Only arguments of prompts are completed here.",
			Hint: `Send "ref" with "type" "ref/prompt" and "name", and "argument" with "name" and "value".`}
	}
	values, total, wrong := s.config.Toolbox.Complete(s.config.Caller(ctx), prompt, name, typed)
	if wrong != nil {
		return nil, wrong
	}
	return &mcp.Completion{Values: values, Total: total, HasMore: total > len(values)}, nil
}

// membersOf returns the members of an object, none of anything else.
func membersOf(raw json.RawMessage) []member {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	return members(raw)
}

// textOf returns a string, and whether it is one.
func textOf(raw json.RawMessage) (string, bool) {
	var value string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &value) != nil {
		return "", false
	}
	return value, true
}
