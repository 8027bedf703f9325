package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

type noteInput struct {
	Scope string `json:"scope" jsonschema:"minLength=1,maxLength=128,description=one of yours"`
	Note  string `json:"note,omitempty" jsonschema:"maxLength=5"`
}

// promptbox is a toolbox with two prompts, and a caller who holds the scopes.
func promptbox(t *testing.T, scopes ...string) (*Toolbox, Caller, *[]audit.Event) {
	t.Helper()
	var events []audit.Event
	box := &Toolbox{
		Prompts: []Prompt{
			DefinePrompt(Prompt{Name: "note", Title: "Note", Description: "Writes a note."}, func(call *Call, in noteInput) (string, error) {
				return fmt.Sprintf("%s in %s with %s", in.Note, call.Access()[0].Scope, call.ToolName("get_repo")), nil
			}),
			DefinePrompt(Prompt{Name: "panics"}, func(*Call, struct{}) (string, error) { panic("a secret") }),
		},
		Record: func(e audit.Event) error { events = append(events, e); return nil },
		Prefix: "bb_",
	}
	var held []policy.Scope
	for _, name := range scopes {
		held = append(held, policytest.Scope(t, policy.Definition{Name: name}))
	}
	return box, Caller{Name: "ada", Role: "agent", Transport: "test", Grant: policy.NewGrant("ada", held...)}, &events
}

func TestAPromptsArgumentsAreDescribed(t *testing.T) {
	box, _, _ := promptbox(t)
	assert.Equal(t, []PromptArgument{{Name: "scope", Description: "one of yours", Required: true}, {Name: "note"}}, box.Prompts[0].Arguments)
}

func TestAPromptIsJudgedAndWrittenDown(t *testing.T) {
	const held = "Name one of: one, two."
	const takes = "It takes: scope, note."
	for name, row := range map[string]struct {
		prompt, arguments string
		code              Code
		message, hint     string
	}{
		"a scope that is held":   {"note", `{"scope":"one","note":"hello"}`, "", "", ""},
		"one that is not":        {"note", `{"scope":"three"}`, ScopeUnknown, "You hold no scope of that name.", held},
		"one in another case":    {"note", `{"scope":"ONE"}`, ScopeUnknown, "You hold no scope of that name.", held},
		"no scope":               {"note", `{"note":"x"}`, InvalidArgument, `"scope" is missing.`, takes},
		"nothing":                {"note", ``, InvalidArgument, `"scope" is missing.`, takes},
		"null":                   {"note", `null`, InvalidArgument, `"scope" is missing.`, takes},
		"a list":                 {"note", `["one"]`, InvalidArgument, "The arguments must be one JSON object.", takes},
		"an empty scope":         {"note", `{"scope":""}`, InvalidArgument, `"scope" must not be empty.`, takes},
		"a number":               {"note", `{"scope":1}`, InvalidArgument, `"scope" must be a string.`, takes},
		"too long a scope":       {"note", `{"scope":"` + strings.Repeat("s", 129) + `"}`, InvalidArgument, `"scope" must not be longer than 128 characters.`, takes},
		"too long a note":        {"note", `{"scope":"one","note":"123456"}`, InvalidArgument, `"note" must not be longer than 5 characters.`, takes},
		"an unknown argument":    {"note", `{"scope":"one","other":"x"}`, InvalidArgument, "There is an argument that this prompt does not take.", takes},
		"a name in another case": {"note", `{"scope":"one","NOTE":"x"}`, InvalidArgument, `Argument names are case-sensitive: write "note".`, takes},
		"a name given twice":     {"note", `{"scope":"one","scope":"two"}`, InvalidArgument, `"scope" is given more than once.`, takes},
		"no arguments at all":    {"panics", `{"x":"y"}`, InvalidArgument, "There is an argument that this prompt does not take.", "This prompt takes no arguments."},
		"an unknown prompt":      {"hello\nworld", `{}`, InvalidArgument, "There is no such prompt here.", "The prompts here are: note, panics."},
	} {
		t.Run(name, func(t *testing.T) {
			box, caller, events := promptbox(t, "two", "one")
			text, refused := box.Prompt(Request{Caller: caller, Tool: row.prompt, Arguments: json.RawMessage(row.arguments)})
			require.Len(t, *events, 1, "exactly one event")
			event := (*events)[0]
			assert.Equal(t, []string{"ada", "agent", "test"}, []string{event.Caller, event.Role, event.Transport})
			if row.code == "" {
				require.Nil(t, refused)
				assert.Equal(t, "hello in one with bb_get_repo", text)
				assert.Equal(t, []any{audit.Allowed, "note", "one", ""}, []any{event.Decision, event.Tool, event.Scope, event.Target})
				return
			}
			assert.Equal(t, &Error{row.code, row.message, row.hint}, refused)
			assert.Empty(t, text)
			assert.Equal(t, audit.Denied, event.Decision)
			assert.Contains(t, event.Reason, row.message)
			if row.prompt == "hello\nworld" {
				assert.Equal(t, "unknown", event.Tool)
			} else {
				assert.Equal(t, row.prompt, event.Tool)
			}
		})
	}
}

func TestAPromptWithoutAScopeToName(t *testing.T) {
	box, caller, _ := promptbox(t)
	_, refused := box.Prompt(Request{Caller: caller, Tool: "note", Arguments: json.RawMessage(`{"scope":"one"}`)})
	assert.Equal(t, &Error{ScopeUnknown, "You hold no scope of that name.", "You hold none, so that nothing can be reached. An admin can grant one."}, refused)
}

func TestAPromptThatPanicsTellsNothing(t *testing.T) {
	box, caller, events := promptbox(t, "one")
	_, refused := box.Prompt(Request{Caller: caller, Tool: "panics"})
	require.NotNil(t, refused)
	assert.Equal(t, Internal, refused.Code)
	assert.NotContains(t, refused.Error()+refused.Hint, "secret")
	assert.Len(t, *events, 1)
}

func TestAPromptThatCannotBeWrittenDownIsRefused(t *testing.T) {
	box, caller, _ := promptbox(t, "one")
	box.Record = func(audit.Event) error { return errors.New("the disk is full") }
	text, refused := box.Prompt(Request{Caller: caller, Tool: "note", Arguments: json.RawMessage(`{"scope":"one"}`)})
	assert.Empty(t, text)
	require.NotNil(t, refused)
	assert.Equal(t, AuditUnavailable, refused.Code)
}

func TestCompletion(t *testing.T) {
	box, caller, events := promptbox(t, "web", "Team B", "api", "team-a", "apis")
	for name, row := range map[string]struct {
		argument, typed string
		values          []string
	}{
		"nothing typed: all, in order": {"scope", "", []string{"Team B", "api", "apis", "team-a", "web"}},
		"a beginning":                  {"scope", "api", []string{"api", "apis"}},
		"in either case":               {"scope", "TEAM", []string{"Team B", "team-a"}},
		"the whole name":               {"scope", "web", []string{"web"}},
		"a middle":                     {"scope", "pi", []string{}},
		"more than a name":             {"scope", "webs", []string{}},
		"a pattern":                    {"scope", ".*", []string{}},
		"another argument":             {"note", "a", []string{}},
	} {
		values, total, refused := box.Complete(caller, "note", row.argument, row.typed)
		require.Nil(t, refused, name)
		assert.Equal(t, row.values, values, name)
		assert.Equal(t, len(row.values), total, name)
	}
	for name, row := range map[string]struct{ prompt, argument, typed, words string }{
		"an unknown prompt":    {"get_repo", "scope", "", "There is no such prompt here."},
		"an unknown argument":  {"note", "Scope", "", "The prompt has no such argument."},
		"too much was typed":   {"note", "scope", strings.Repeat("s", 129), `"scope" must not be longer than 128 characters.`},
		"and in another field": {"note", "note", "123456", `"note" must not be longer than 5 characters.`},
	} {
		values, _, refused := box.Complete(caller, row.prompt, row.argument, row.typed)
		require.NotNil(t, refused, name)
		assert.Equal(t, []any{InvalidArgument, row.words}, []any{refused.Code, refused.Message}, name)
		assert.Empty(t, values)
	}
	assert.Empty(t, *events)
}

func TestCompletionOffersAtMostAHundred(t *testing.T) {
	var names []string
	for i := range 250 {
		names = append(names, fmt.Sprintf("scope-%03d", i))
	}
	box, caller, _ := promptbox(t, names...)
	values, total, refused := box.Complete(caller, "note", "scope", "scope")
	require.Nil(t, refused)
	assert.Equal(t, names[:100], values)
	assert.Equal(t, 250, total)
}
