package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"bucketgate/bitbucket"
	"bucketgate/internal/audit"
	"bucketgate/policy"
)

const (
	callTime = 30 * time.Second // for one call, retries included
	maxPages = 50               // of Bitbucket's lists, for one call
)

// A Caller is who is calling right now.
type Caller struct {
	Name      string
	Role      string // "agent" or "admin"
	Transport string // "stdio", "http", "sse", "command line"
	From      string // the address that the call comes from; empty where it is no network's
	Grant     policy.Grant
}

// A Request is one call of one tool.
type Request struct {
	Caller    Caller
	Tool      string // its name, without the prefix
	Arguments json.RawMessage
	Progress  func(done, total int) // may be nil
}

// A Result is what a caller gets.
type Result struct {
	Text  json.RawMessage // the answer as compact JSON, or {"error": …}
	Error *Error          // nil for an answer
}

// IsError reports whether the call failed.
func (r Result) IsError() bool { return r.Error != nil }

// A Toolbox holds tools and what every call of them needs. All fields but the
// prompts, the prefix, the notice and the log are required.
type Toolbox struct {
	Tools   []Tool
	Prompts []Prompt // may be none
	Cursors Cursors
	Record  func(audit.Event) error // an error refuses the call
	Log     *slog.Logger            // internal errors, in full

	// Observe, if any, is told of every call when its result stands.
	Observe func(Outcome)

	Prefix     string // before each tool's name, for clients that mix servers
	LintNotice bool   // the linter's words go into the notice of an empty list
}

// An Outcome is what there is to count of a call.
type Outcome struct {
	Role string
	Tool string // "" for one that there is not
	Code string // "ok", or the code of the error
	Took time.Duration
}

// A Call is what a tool works with: the checks of package policy, and what
// else a tool may use.
type Call struct {
	*policy.Call
	Budget   *bitbucket.Budget
	Progress func(done, total int)

	id      string
	began   time.Time
	toolbox *Toolbox
	caller  Caller
	tool    string
	values  values

	// Of a call of an admin's tool, which has no policy.
	admitted bool
	target   string
	tally    *audit.Tally
}

var errAudit = errors.New("the audit event could not be written")

// Run is what happens to a call: the arguments are checked, the policy begins,
// the tool asks Bitbucket with what the policy checked, the answer is measured,
// what was decided is written down, and only then somebody reads it.
func (b *Toolbox) Run(ctx context.Context, r Request) Result {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	call := b.newCall(r)
	answer, err := b.answer(ctx, call, r)
	return b.finish(call, answer, err)
}

// Refuse ends a call that the protocol did not let through to Run. It leaves
// its event like any other.
func (b *Toolbox) Refuse(r Request, why string) Result {
	return b.finish(b.newCall(r), nil, invalid(why, "Send the call as the protocol has it."))
}

func (b *Toolbox) newCall(r Request) *Call {
	return &Call{id: audit.NewID(), began: time.Now(), toolbox: b, caller: r.Caller, tool: r.Tool, Progress: r.Progress, Budget: bitbucket.NewBudget(maxPages)}
}

// finish writes down what was decided, and words the result.
func (b *Toolbox) finish(call *Call, answer json.RawMessage, err error) Result {
	if call.tally.Events() > 0 {
		// The management service has written down what it did.
	} else if recordErr := b.Record(call.event(err)); recordErr != nil {
		b.log("writing the audit event", call, recordErr)
		answer, err = nil, errAudit
	}
	if err == nil {
		b.observe(call, "ok")
		return Result{Text: answer}
	}
	words := b.Words(err, call.id)
	b.observe(call, string(words.Code))
	if words.Code == Internal {
		b.log("call failed", call, err)
	}
	text, _ := json.Marshal(map[string]*Error{"error": words}) // three strings always marshal
	return Result{Text: text, Error: words}
}

func (b *Toolbox) observe(call *Call, code string) {
	if b.Observe == nil {
		return
	}
	tool := call.tool
	if _, known := b.tool(tool); !known {
		tool = "" // a caller must not be able to make up series
	}
	b.Observe(Outcome{Role: call.caller.Role, Tool: tool, Code: code, Took: time.Since(call.began)})
}

// answer runs the tool. A panic ends the call and not the program; its text
// may hold anything, so that it is logged and never answered.
func (b *Toolbox) answer(ctx context.Context, call *Call, r Request) (answer json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	tool, ok := b.tool(r.Tool)
	if !ok {
		return nil, b.unknownTool()
	}
	if ctx, err = call.begin(ctx, tool, r); err != nil {
		return nil, err
	}
	arguments, err := json.Marshal(call.values)
	if err != nil {
		return nil, fmt.Errorf("encoding the arguments: %w", err)
	}
	result, err := tool.run(ctx, call, arguments)
	if err != nil {
		return nil, err
	}
	answer, err = encode(result)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	if len(answer) >= MaxNamesAnswer || len(answer) >= MaxAnswer && call.values.text("detail") != "names" {
		return nil, errTooLarge
	}
	return answer, nil
}

// begin checks the arguments; then the policy begins. An admin's tool has none:
// whether the caller is an admin takes its place.
func (c *Call) begin(ctx context.Context, tool Tool, r Request) (_ context.Context, err error) {
	if tool.admin {
		if ctx, err = c.admit(ctx); err != nil {
			return ctx, err
		}
	}
	if c.values, err = tool.arguments.check(r.Arguments); err != nil {
		return ctx, err
	}
	if !tool.admin {
		c.Call, err = r.Caller.Grant.Begin(tool.Action, c.values.text("scope"))
	}
	return ctx, err
}

func (b *Toolbox) tool(name string) (Tool, bool) {
	for _, tool := range b.Tools {
		if tool.Name == name {
			return tool, true
		}
	}
	return Tool{}, false
}

// unknownTool is the same for every name, so that it tells nothing of tools
// that are elsewhere but where they are.
func (b *Toolbox) unknownTool() *Error {
	return &Error{InvalidArgument, "There is no such tool here.", b.UnknownTool()}
}

// UnknownTool says which tools there are, and where the others are.
func (b *Toolbox) UnknownTool() string {
	names := make([]string, len(b.Tools))
	for i, tool := range b.Tools {
		names[i] = b.Prefix + tool.Name
	}
	return "The tools here are " + strings.Join(names, ", ") + ". " + b.elsewhere()
}

// event is the one record of the call. What the policy refused, and what never
// got so far, is denied; what it allowed and Bitbucket did not have is allowed
// with the reason.
func (c *Call) event(err error) audit.Event {
	e := audit.Event{
		ID: c.id, Time: time.Now().UTC(),
		Caller: c.caller.Name, Role: c.caller.Role, Transport: c.caller.Transport, From: c.caller.From,
		Tool: c.toolbox.known(c.tool), Scope: strings.Join(c.caller.Grant.Names(), ","),
		Decision: audit.Allowed, GrantVersion: c.caller.Grant.Version(),
	}
	if c.admitted {
		return c.adminEvent(e, err)
	}
	if c.Call == nil {
		e.Decision, e.Reason = audit.Denied, c.reason(err)
		return e
	}
	trail := c.Trail()
	e.Target, e.Scope, e.Reason = trail.Target, strings.Join(trail.Scopes, ","), c.reason(err)
	var known *Error
	var name *policy.InvalidName
	switch {
	case trail.Refusal != "":
		e.Decision, e.Reason = audit.Denied, trail.Refusal
	case errors.As(err, &name), errors.As(err, &known), errors.Is(err, errCursor):
		e.Decision = audit.Denied
	}
	return e
}

// known returns the name of a tool or a prompt, and "unknown" for text that a
// caller made up: it could be long, or meant for who reads the log.
func (b *Toolbox) known(name string) string {
	if _, ok := b.tool(name); ok {
		return name
	}
	if _, ok := b.prompt(name); ok {
		return name
	}
	return "unknown"
}

// reason is the error as an admin reads it: its code, and the sentence.
func (c *Call) reason(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "canceled by the caller"
	}
	return c.toolbox.Words(err, c.id).Error()
}

func (b *Toolbox) log(what string, c *Call, err error) {
	if b.Log != nil {
		b.Log.Error(what, "call", c.id, "tool", c.tool, "error", err)
	}
}

// ToolName returns the name of a tool as this server offers it.
func (c *Call) ToolName(name string) string { return c.toolbox.Prefix + name }

// SealPlace returns the cursor of a place in the list that this call reads.
func (c *Call) SealPlace(p Place) string { return c.toolbox.Cursors.seal(p, c.bound()) }

// OpenPlace returns the place that the caller's cursor argument stands for,
// the beginning where there is none.
func (c *Call) OpenPlace() (Place, error) {
	cursor := c.values.text("cursor")
	if cursor == "" {
		return Place{}, nil
	}
	return c.toolbox.Cursors.open(cursor, c.bound())
}

// bound is what a cursor is sealed to.
func (c *Call) bound() []byte {
	return fmt.Appendf(nil, "%q%q%q%s", c.caller.Name, c.caller.Grant.Version(), c.tool, c.values.without("cursor"))
}

// EmptyNotice explains an empty list: the rules that made it, and what the
// linter says of them where the admin is the one who reads it.
func (c *Call) EmptyNotice() string {
	var words []string
	for _, a := range c.Access() {
		words = append(words, fmt.Sprintf("Scope %s allows %s; %s.", a.Scope, a.Repositories, a.Branches))
	}
	if c.toolbox.LintNotice {
		for _, w := range c.caller.Grant.Warnings() {
			words = append(words, fmt.Sprintf("The pattern %s %s.", w.Pattern, strings.TrimSuffix(w.Words, ".")))
		}
	}
	return strings.Join(words, " ")
}

// MoreNotice is what every page but the last says; it is always the same, so
// that it tells nothing of rows that are hidden.
const MoreNotice = "There may be more."

// Fit returns how many of the rows an answer may hold to stay under the limit.
// shell is the answer without rows, with the cursor and notice that it would
// have if it were cut: a cursor can be as long as Bitbucket's own link. It is
// at least one.
func Fit[T any](rows []T, limit int, shell any) int {
	const summary = 1 << 10
	around, err := encode(shell)
	if err != nil {
		return len(rows) // what cannot be encoded fails where it is
	}
	size := len(around) + summary
	for i, row := range rows {
		encoded, err := encode(row)
		if err != nil {
			return max(i, 1)
		}
		if size += len(encoded) + 1; size >= limit && i > 0 {
			return i
		}
	}
	return len(rows)
}

// EncodedSize is how many bytes a value takes in an answer.
func EncodedSize(value any) int {
	encoded, err := json.Marshal(value)
	if err != nil {
		return MaxAnswer // what cannot be encoded fits nowhere
	}
	return len(encoded)
}

// FitText cuts a text at a whole character so that it takes at most limit
// bytes in an answer.
func FitText(text string, limit int) string {
	if EncodedSize(text) <= limit {
		return text
	}
	size := 5 // the quotes and the mark of the cut
	for i, r := range text {
		if size += EncodedSize(string(r)) - 2; size > limit {
			return strings.TrimRight(text[:i], " \n\t") + "…"
		}
	}
	return text
}
