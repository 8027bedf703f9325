package admin

import (
	"context"
	"fmt"
	"time"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/store"
	"bucketgate/tools"
)

type listAuditEventsInput struct {
	Caller   string `json:"caller,omitempty" jsonschema:"minLength=1,maxLength=256"`
	Tool     string `json:"tool,omitempty" jsonschema:"minLength=1,maxLength=64"`
	Scope    string `json:"scope,omitempty" jsonschema:"minLength=1,maxLength=64"`
	Decision string `json:"decision,omitempty" jsonschema:"enum=allowed,enum=denied"`
	Since    string `json:"since,omitempty" jsonschema:"maxLength=40,description=RFC 3339 or how long ago such as 36h or 7d"`
	Until    string `json:"until,omitempty" jsonschema:"maxLength=40,description=Likewise; not included"`
	Limit    int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=200,description=1..200 (50)"`
	Cursor   string `json:"cursor,omitempty" jsonschema:"maxLength=1000,description=next_cursor of the page before"`
}

// Target is none: a list of events is about no record.
func (in listAuditEventsInput) Target() string { return "" }

// An event is an audit event as it is listed.
type event struct {
	ID        string `json:"id"`
	Time      string `json:"time"`
	Caller    string `json:"caller"`
	Role      string `json:"role"`
	Transport string `json:"transport"`
	From      string `json:"from,omitempty"`
	Tool      string `json:"tool"`
	Scope     string `json:"scope,omitempty"`
	Target    string `json:"target,omitempty"`
	Decision  string `json:"decision"`
	Reason    string `json:"reason,omitempty"`
}

// shownText is how much of an event's text is shown; audit export has all.
const shownText = 500

func viewEvent(e audit.Event) event {
	return event{
		ID: e.ID, Time: e.Time.UTC().Format(time.RFC3339Nano), Caller: shorten(e.Caller, shownText), Role: e.Role, Transport: e.Transport, From: e.From, Tool: shorten(e.Tool, shownText),
		Scope: shorten(e.Scope, shownText), Target: shorten(e.Target, shownText), Decision: string(e.Decision), Reason: shorten(e.Reason, shownText),
	}
}

type listAuditEventsOutput struct {
	Summary    string  `json:"summary"`
	Events     []event `json:"events"`
	NextCursor string  `json:"next_cursor,omitempty"`
}

func (d desk) listAuditEvents() tools.Tool {
	return tools.DefineAdmin(tools.Tool{
		Name:        "list_audit_events",
		Title:       "List audit events",
		Description: "Lists who called what and whether it was allowed, the newest first: each call of an agent, each change of an admin, each refused key. Filter by caller, tool, scope, decision and time.",
		Effect:      tools.Reads,
	}, func(ctx context.Context, call *tools.AdminCall, in listAuditEventsInput) (listAuditEventsOutput, error) {
		filter := audit.Filter{Caller: in.Caller, Tool: in.Tool, Scope: in.Scope, Decision: audit.Decision(in.Decision)}
		var err error
		if filter.Since, err = parseMoment("since", in.Since); err != nil {
			return listAuditEventsOutput{}, err
		}
		if filter.Until, err = parseMoment("until", in.Until); err != nil {
			return listAuditEventsOutput{}, err
		}
		after, err := call.OpenCursor()
		if err != nil {
			return listAuditEventsOutput{}, err
		}
		limit := in.Limit
		if limit == 0 {
			limit = defaultRows
		}
		events, next, err := d.eventsThatFit(ctx, filter, limit, store.AuditCursor(after))
		if err != nil {
			return listAuditEventsOutput{}, fmt.Errorf("listing audit events: %w", err)
		}
		out := listAuditEventsOutput{Summary: counted(len(events), "event") + ", the newest first.", Events: events}
		if next != "" {
			out.NextCursor = call.SealCursor(string(next))
			out.Summary += " Call again with cursor for more."
		}
		return out, nil
	})
}

// eventsThatFit returns as many events as an answer may hold, and where to go
// on. Where they are too many it asks again for fewer: the cursor then stands
// behind the last that is shown, and none is left out between two pages.
func (d desk) eventsThatFit(ctx context.Context, f audit.Filter, limit int, after store.AuditCursor) ([]event, store.AuditCursor, error) {
	for {
		records, next, err := d.AuditEvents(ctx, f, limit, after)
		if err != nil {
			return nil, "", err
		}
		events := make([]event, len(records))
		for i, e := range records {
			events[i] = viewEvent(e)
		}
		fit := tools.Fit(events, tools.MaxAnswer, make([]byte, cursorRoom))
		if fit == len(events) {
			return events, next, nil
		}
		limit = fit
	}
}

// parseMoment reads a time, or how long ago it was.
func parseMoment(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	ago, err := manage.ParseLasting(text)
	if err != nil {
		return time.Time{}, tools.Invalid(fmt.Sprintf("%q is no time.", name), "Write one such as 2027-01-31T08:00:00Z, or how long ago, such as 36h or 7d.")
	}
	return time.Now().Add(-ago), nil
}
