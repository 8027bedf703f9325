package tools

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"

	"bucketgate/policy"
)

// A Prompt is a text to begin a conversation with, written for the caller who
// asks for it.
type Prompt struct {
	Name        string // without a prefix: it is offered under this one
	Title       string
	Description string
	Arguments   []PromptArgument // in order

	arguments arguments
	write     func(*Call, json.RawMessage) (string, error)
}

// A PromptArgument is one argument of a prompt as clients see it.
type PromptArgument struct {
	Name        string
	Description string
	Required    bool
}

// scopeArgument is the argument that names one of the caller's scopes, in
// tools and prompts alike.
const scopeArgument = "scope"

// MaxCompletions is how many values of an argument are offered at once
// (https://modelcontextprotocol.io/specification/2025-11-25/server/utilities/completion).
const MaxCompletions = 100

// DefinePrompt completes a prompt with its function: the arguments, all of
// them text, are reflected from In. An argument called scope must name a scope
// that the caller holds.
func DefinePrompt[In any](p Prompt, write func(*Call, In) (string, error)) Prompt {
	schema, _ := reflectSchema(new(In))
	p.arguments = newArguments(schema)
	p.arguments.of = "prompt"
	for pair := schema.Properties.Oldest(); pair != nil; pair = pair.Next() {
		p.Arguments = append(p.Arguments, PromptArgument{
			Name: pair.Key, Description: pair.Value.Description, Required: p.arguments.requires(pair.Key),
		})
	}
	p.write = func(call *Call, raw json.RawMessage) (string, error) {
		var in In
		if err := json.Unmarshal(raw, &in); err != nil {
			return "", fmt.Errorf("decoding checked arguments: %w", err)
		}
		return write(call, in)
	}
	return p
}

// Prompt writes the prompt that r.Tool names. Like a call of a tool it leaves
// exactly one event, under the prompt's name: it decides whether a scope may
// be worked in, and tells its rules.
func (b *Toolbox) Prompt(r Request) (string, *Error) {
	if _, known := b.prompt(r.Tool); !known {
		r.Tool = "" // the event of a prompt must not read like that of a tool
	}
	call := b.newCall(r)
	text, err := b.writePrompt(call, r)
	if result := b.finish(call, nil, err); result.IsError() {
		return "", b.promptWords(result.Error, r)
	}
	return text, nil
}

func (b *Toolbox) writePrompt(call *Call, r Request) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			text, err = "", fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	prompt, ok := b.prompt(r.Tool)
	if !ok {
		return "", b.unknownPrompt()
	}
	if call.values, err = prompt.arguments.check(r.Arguments); err != nil {
		return "", err
	}
	if call.Call, err = r.Caller.Grant.Begin(policy.NoAction, call.values.text(scopeArgument)); err != nil {
		return "", err
	}
	return prompt.write(call, call.values.without(""))
}

// promptWords are those of a tool, but for what to do about a scope: a prompt
// cannot do without it. They name the caller's own scopes and no other.
func (b *Toolbox) promptWords(e *Error, r Request) *Error {
	if e.Code != ScopeUnknown {
		return e
	}
	held := r.Caller.Grant.Names()
	if len(held) == 0 {
		return &Error{e.Code, e.Message, "You hold none, so that nothing can be reached. An admin can grant one."}
	}
	return &Error{e.Code, e.Message, "Name one of: " + list(held) + "."}
}

// Complete returns the values of a prompt's argument that begin with what was
// typed, upper case or lower, in order and at most [MaxCompletions], and how
// many there are in all. Only scopes have any: those that the caller holds
// now. It leaves no event: it is asked at every key, and tells a caller nothing
// but the names of its own scopes.
func (b *Toolbox) Complete(caller Caller, prompt, argument, typed string) (values []string, total int, refused *Error) {
	p, ok := b.prompt(prompt)
	if !ok {
		return nil, 0, b.unknownPrompt()
	}
	schema, ok := p.arguments.schema.Properties.Get(argument)
	if !ok {
		return nil, 0, invalid("The prompt has no such argument.", p.arguments.hint())
	}
	if schema.MaxLength != nil && longer(typed, *schema.MaxLength) {
		return nil, 0, invalid(fmt.Sprintf("%q %s.", argument, tooLong(*schema.MaxLength)), p.arguments.hint())
	}
	values = []string{}
	if argument != scopeArgument {
		return values, 0, nil
	}
	for _, name := range caller.Grant.Names() {
		if strings.HasPrefix(strings.ToLower(name), strings.ToLower(typed)) {
			values = append(values, name)
		}
	}
	total = len(values)
	return values[:min(total, MaxCompletions)], total, nil
}

func (b *Toolbox) prompt(name string) (Prompt, bool) {
	for _, prompt := range b.Prompts {
		if prompt.Name == name {
			return prompt, true
		}
	}
	return Prompt{}, false
}

// unknownPrompt is the same for every name.
func (b *Toolbox) unknownPrompt() *Error {
	names := make([]string, len(b.Prompts))
	for i, prompt := range b.Prompts {
		names[i] = prompt.Name
	}
	return invalid("There is no such prompt here.", "The prompts here are: "+list(names)+".")
}
