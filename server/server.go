package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"bucketgate/tools"
)

// Config is what a Server needs.
type Config struct {
	Name         string // of the server, as clients show it
	Version      string
	Instructions string // for the model; the same for every caller
	Toolbox      *tools.Toolbox
	Log          *slog.Logger

	// Caller returns who is calling; it is asked at every call, so that a
	// changed grant counts at once.
	Caller func(context.Context) tools.Caller
}

// A Server is one side of the product, an agent's or an admin's: the tools of
// the other are not in it at all.
type Server struct {
	config Config
	mcp    *mcpserver.MCPServer
	names  map[string]string // the name as offered → the tool's own
}

// New returns a server that offers the toolbox's tools and prompts.
func New(config Config) *Server {
	s := &Server{
		config: config,
		mcp: mcpserver.NewMCPServer(config.Name, config.Version,
			mcpserver.WithToolCapabilities(false), mcpserver.WithInstructions(config.Instructions), mcpserver.WithHooks(hooks())),
		names: map[string]string{},
	}
	for _, tool := range config.Toolbox.Tools {
		offered := config.Toolbox.Prefix + tool.Name
		s.names[offered] = tool.Name
		s.mcp.AddTool(describe(tool, offered), s.call)
	}
	s.offerPrompts()
	return s
}

// passedOnKey is the key of a channel that is closed once the first of what a
// request notifies of is on its way.
type passedOnKey struct{}

// hooks make the acknowledgement of a subscription precede its end: mcp-go
// loses, over HTTP, what it sends right before an answer.
func hooks() *mcpserver.Hooks {
	h := &mcpserver.Hooks{}
	h.AddAfterSubscriptionsListen(func(ctx context.Context, _ any, _ *mcp.SubscriptionsListenRequest, _ *mcp.SubscriptionsListenResult) {
		passedOn, ok := ctx.Value(passedOnKey{}).(chan struct{})
		if !ok {
			return
		}
		select {
		case <-passedOn:
		case <-ctx.Done():
		case <-time.After(parting):
		}
	})
	return h
}

// describe turns a tool into what clients see of it.
func describe(tool tools.Tool, name string) mcp.Tool {
	described := mcp.NewTool(name,
		mcp.WithDescription(tool.Description),
		mcp.WithTitleAnnotation(tool.Title),
		mcp.WithReadOnlyHintAnnotation(tool.Effect == tools.Reads),
		mcp.WithDestructiveHintAnnotation(tool.Effect == tools.Changes),
	)
	// The other two hints say little beside these, and agents pay for them by the
	// token.
	described.Annotations.IdempotentHint, described.Annotations.OpenWorldHint = nil, nil
	// A raw schema beside a structured one fails to marshal, and takes the
	// whole tools/list with it.
	described.InputSchema, described.RawInputSchema = mcp.ToolInputSchema{}, tool.InputSchema
	described.OutputSchema, described.RawOutputSchema = mcp.ToolOutputSchema{}, tool.OutputSchema
	return described
}

// A request is what is carried past mcp-go, in its context.
type request struct {
	envelope *envelope

	// Of tools/call:
	progress func(done, total int)
	ran      *bool // set when mcp-go has let the call through

	// What prepare has prepared:
	prompt     *mcp.GetPromptResult
	completion *mcp.Completion
}

type requestKey struct{}

// call runs a tool with the arguments that the envelope was judged with;
// mcp-go has not seen them.
func (s *Server) call(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	r, _ := ctx.Value(requestKey{}).(request)
	*r.ran = true
	result := s.config.Toolbox.Run(ctx, s.request(ctx, r))
	answer := &mcp.CallToolResult{
		Content: []mcp.Content{mcp.NewTextContent(string(result.Text))},
		IsError: result.IsError(),
	}
	if !result.IsError() {
		answer.StructuredContent = result.Text
	}
	return answer, nil
}

func (s *Server) request(ctx context.Context, r request) tools.Request {
	return tools.Request{
		Caller:    s.config.Caller(ctx),
		Tool:      s.names[r.envelope.tool], // "" for one that is not offered, as a tool without its prefix
		Arguments: r.envelope.arguments,
		Progress:  r.progress,
	}
}

// handle answers one judged message; nil when there is nothing to answer.
func (s *Server) handle(ctx context.Context, r request) any {
	switch {
	case r.envelope.method == "":
		return nil
	case r.envelope.method == "tools/call" && r.envelope.id != nil:
		return s.handleCall(ctx, r)
	}
	if refused := s.prepare(ctx, &r); refused != nil {
		return refused
	}
	return plain(r, s.mcp.HandleMessage(context.WithValue(ctx, requestKey{}, r), r.envelope.message))
}

// handleCall makes sure that a call leaves its event, also one that mcp-go
// does not let through.
func (s *Server) handleCall(ctx context.Context, r request) any {
	if refused := s.refuseUnknown(ctx, r); refused != nil {
		return refused
	}
	r.ran = new(bool)
	answer := plain(r, s.mcp.HandleMessage(context.WithValue(ctx, requestKey{}, r), r.envelope.message))
	if *r.ran {
		return answer
	}
	if words := s.refuseUnrun(ctx, r); words != nil {
		return words
	}
	return answer
}

// refuseUnknown answers a call of a tool that is not here, the same for every
// name; nil for one that is.
func (s *Server) refuseUnknown(ctx context.Context, r request) any {
	if _, known := s.names[r.envelope.tool]; known {
		return nil
	}
	result := s.config.Toolbox.Run(ctx, s.request(ctx, r))
	return errorMessage(r.envelope.id, codeInvalidParams, result.Error.Message+" "+result.Error.Hint)
}

// refuseUnrun writes down a call that mcp-go did not let through. What it
// returns, if anything, is to be said in place of mcp-go's words.
func (s *Server) refuseUnrun(ctx context.Context, r request) any {
	result := s.config.Toolbox.Refuse(s.request(ctx, r), "The protocol does not take the call as it was sent.")
	if result.Error.Code == tools.AuditUnavailable {
		return errorMessage(r.envelope.id, codeInternal, result.Error.Message)
	}
	return nil
}

// plain replaces what mcp-go says of parameters of a wrong type: it is
// encoding/json's, with the names of Go types.
func plain(r request, answer mcp.JSONRPCMessage) any {
	if failed, ok := answer.(mcp.JSONRPCError); ok && strings.HasPrefix(failed.Error.Message, "unparsable") {
		return errorMessage(r.envelope.id, codeInvalidParams, "the parameters do not fit the method")
	}
	if answer == nil {
		return nil
	}
	return answer
}

// errorMessage is a JSON-RPC error. An id that is not known is null.
func errorMessage(id json.RawMessage, code int, message string) any {
	if id == nil {
		id = json.RawMessage("null")
	}
	type details struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	return struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   details         `json:"error"`
	}{"2.0", id, details{code, message}}
}
