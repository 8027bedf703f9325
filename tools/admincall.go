package tools

import (
	"context"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
)

// An AdminCall is what a tool of an admin works with. There is no policy in
// it: an admin says what others may, and asks Bitbucket through the management
// service only.
type AdminCall struct{ call *Call }

// A Targeted has a target: the arguments of every tool of an admin say what
// they are about, for the audit log.
type Targeted interface {
	// Target names the record, "" for none. It holds no secret.
	Target() string
}

// DefineAdmin completes a tool of an admin with its function, as [Define] does
// for an agent's.
//
// A call leaves exactly one audit event. What the function does through the
// management service is written down there, together with the change; where
// nothing was, the life of the call writes the event.
func DefineAdmin[In Targeted, Out any](t Tool, run func(context.Context, *AdminCall, In) (Out, error)) Tool {
	t.admin = true
	return define(t, func(ctx context.Context, call *Call, in In) (any, error) {
		call.target = in.Target()
		return run(ctx, &AdminCall{call}, in)
	}, new(Out))
}

// Caller returns who calls.
func (c *AdminCall) Caller() Caller { return c.call.caller }

// ToolName returns the name of a tool as this server offers it.
func (c *AdminCall) ToolName(name string) string { return c.call.ToolName(name) }

// SealCursor returns the cursor of a place in a list, which the text names.
func (c *AdminCall) SealCursor(place string) string {
	return c.call.SealPlace(Place{Position: bitbucket.Position{Query: place}})
}

// OpenCursor returns the place that the caller's cursor argument stands for,
// "" for the beginning.
func (c *AdminCall) OpenCursor() (string, error) {
	place, err := c.call.OpenPlace()
	return place.Position.Query, err
}

// admit lets a call of an admin's tool begin, and counts the events that are
// written for it. The toolboxes of agents hold no such tool, and the servers
// let no agent's key in; the role is looked at all the same, so that a mistake
// in the wiring gives nothing away.
func (c *Call) admit(ctx context.Context) (context.Context, error) {
	if c.caller.Role != "admin" {
		return ctx, c.toolbox.unknownTool()
	}
	ctx, c.tally = audit.WithTally(ctx)
	c.admitted = true
	return ctx, nil
}

// adminEvent is the event of a call that the management service has not
// written down.
func (c *Call) adminEvent(e audit.Event, err error) audit.Event {
	e.Target = c.target
	if err != nil {
		e.Decision, e.Reason = audit.Denied, c.reason(err)
	}
	return e
}

// CodeOf returns the code of an error that another package has words for.
func CodeOf(err error) Code { return new(Toolbox).Words(err, "").Code }

// NewError returns an error in the caller's words.
func NewError(code Code, message, hint string) error {
	return &Error{Code: code, Message: message, Hint: hint}
}

func (b *Toolbox) admins() bool { return len(b.Tools) > 0 && b.Tools[0].admin }

// elsewhere says where the tools of the other side are.
func (b *Toolbox) elsewhere() string {
	if b.admins() {
		return "An agent's tools are at /mcp or `bucketgate stdio`."
	}
	return "Admin tools are at /admin/mcp or `bucketgate stdio --admin`."
}
