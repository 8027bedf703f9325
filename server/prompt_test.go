package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/policy"
	"bucketgate/policy/policytest"
	"bucketgate/tools"
)

// The parameters that a request of each era has beside its own.
var eras = map[string]string{
	"2025-11-25": ``,
	"2026-07-28": `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`,
}

func getPrompt(name, arguments, meta string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":%s,"arguments":%s%s}}`, name, arguments, meta)
}

func complete(ref, argument, meta string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":%s,"argument":%s%s}}`, ref, argument, meta)
}

const (
	ticketName = `"bitbucket_ticket"`
	ticketRef  = `{"type":"ref/prompt","name":"bitbucket_ticket"}`
)

// values are those of a completion.
func (m message) values(t *testing.T) []string {
	t.Helper()
	require.Nil(t, m.Error, m.text)
	var result struct{ Completion struct{ Values []string } }
	require.NoError(t, json.Unmarshal(m.Result, &result))
	return result.Completion.Values
}

// Each is refused in our own words, in either era, with one event where it was
// a prompt, and without a word of Go or of Bitbucket.
func TestPromptsThatAreRefused(t *testing.T) {
	const takes = " It takes: scope, request."
	for name, row := range map[string]struct {
		message func(meta string) string
		code    int
		words   string
		events  int
	}{
		"a scope that is not held":     {prompting(ticketName, `{"scope":"other","request":"x"}`), -32602, "You hold no scope of that name. Name one of: test.", 1},
		"one in another case":          {prompting(ticketName, `{"scope":"Test","request":"x"}`), -32602, "You hold no scope of that name. Name one of: test.", 1},
		"no scope":                     {prompting(ticketName, `{"request":"x"}`), -32602, `"scope" is missing.` + takes, 1},
		"no request":                   {prompting(ticketName, `{"scope":"test"}`), -32602, `"request" is missing.` + takes, 1},
		"an empty scope":               {prompting(ticketName, `{"scope":"","request":"x"}`), -32602, `"scope" must not be empty.` + takes, 1},
		"an empty request":             {prompting(ticketName, `{"scope":"test","request":""}`), -32602, `"request" must not be empty.` + takes, 1},
		"a blank request":              {prompting(ticketName, `{"scope":"test","request":" \n "}`), -32602, `"request" must not be empty. Write what you want to know.`, 1},
		"too long a scope":             {prompting(ticketName, `{"scope":"`+strings.Repeat("s", 129)+`","request":"x"}`), -32602, `"scope" must not be longer than 128 characters.` + takes, 1},
		"too long a request":           {prompting(ticketName, `{"scope":"test","request":"`+strings.Repeat("r", 900_000)+`"}`), -32602, `"request" must not be longer than 4000 characters.` + takes, 1},
		"an unknown argument":          {prompting(ticketName, `{"scope":"test","request":"x","workspace":"acme"}`), -32602, "There is an argument that this prompt does not take." + takes, 1},
		"an argument in another case":  {prompting(ticketName, `{"SCOPE":"test","request":"x"}`), -32602, `Argument names are case-sensitive: write "scope".` + takes, 1},
		"a number for a request":       {prompting(ticketName, `{"scope":"test","request":7}`), -32602, `"request" must be a string.` + takes, 1},
		"a list for a request":         {prompting(ticketName, `{"scope":"test","request":["x"]}`), -32602, `"request" must be a string.` + takes, 1},
		"null for a scope":             {prompting(ticketName, `{"scope":null,"request":"x"}`), -32602, `"scope" must be a string.` + takes, 1},
		"a list of arguments":          {prompting(ticketName, `["test","x"]`), -32602, "The arguments must be one JSON object." + takes, 1},
		"text for arguments":           {prompting(ticketName, `"test"`), -32602, "The arguments must be one JSON object." + takes, 1},
		"null for arguments":           {prompting(ticketName, `null`), -32602, `"scope" is missing.` + takes, 1},
		"an unknown prompt":            {prompting(`"get_repo"`, `{}`), -32602, "There is no such prompt here. The prompts here are: bitbucket_ticket.", 1},
		"a prompt in another case":     {prompting(`"Bitbucket_ticket"`, `{}`), -32602, "There is no such prompt here. The prompts here are: bitbucket_ticket.", 1},
		"a number for a name":          {prompting(`7`, `{}`), -32602, "There is no such prompt here. The prompts here are: bitbucket_ticket.", 1},
		"an argument twice":            {prompting(ticketName, `{"scope":"test","scope":"other","request":"x"}`), -32600, `the key "scope" is repeated, or differs from another in case only`, 0},
		"an argument in two cases":     {prompting(ticketName, `{"scope":"test","Scope":"other","request":"x"}`), -32600, `the key "Scope" is repeated, or differs from another in case only`, 0},
		"an argument with a long s":    {prompting(ticketName, `{"scope":"test","ſcope":"other","request":"x"}`), -32600, `the key "ſcope" is repeated, or differs from another in case only`, 0},
		"the arguments twice":          {prompting(ticketName, `{"scope":"test","request":"x"},"arguments":{}`), -32600, `the key "arguments" is repeated, or differs from another in case only`, 0},
		"the arguments in two cases":   {prompting(ticketName, `{"scope":"test","request":"x"},"Arguments":{}`), -32600, `the key "Arguments" is repeated, or differs from another in case only`, 0},
		"the name in another case":     {prompting(ticketName, `{},"NAME":"other"`), -32600, `the key "NAME" is repeated, or differs from another in case only`, 0},
		"completing an unknown prompt": {completing(`{"type":"ref/prompt","name":"other"}`, `{"name":"scope","value":""}`), -32602, "There is no such prompt here. The prompts here are: bitbucket_ticket.", 0},
		"completing a resource":        {completing(`{"type":"ref/resource","uri":"x://y"}`, `{"name":"scope","value":""}`), -32602, "Only arguments of prompts are completed here.", 0},
		"completing a thing":           {completing(`{"type":"ref/thing","name":"bitbucket_ticket"}`, `{"name":"scope","value":""}`), -32602, "Only arguments of prompts are completed here.", 0},
		"completing text":              {completing(`"bitbucket_ticket"`, `{"name":"scope","value":""}`), -32602, "Only arguments of prompts are completed here.", 0},
		"an unknown argument's value":  {completing(ticketRef, `{"name":"repository","value":""}`), -32602, "The prompt has no such argument." + takes, 0},
		"no value":                     {completing(ticketRef, `{"name":"scope"}`), -32602, "Only arguments of prompts are completed here.", 0},
		"a number for a value":         {completing(ticketRef, `{"name":"scope","value":7}`), -32602, "Only arguments of prompts are completed here.", 0},
		"too long a value":             {completing(ticketRef, `{"name":"scope","value":"`+strings.Repeat("s", 129)+`"}`), -32602, `"scope" must not be longer than 128 characters.` + takes, 0},
		"a value twice":                {completing(ticketRef, `{"name":"scope","value":"a","value":"b"}`), -32600, `the key "value" is repeated, or differs from another in case only`, 0},
		"a value in two cases":         {completing(ticketRef, `{"name":"scope","value":"a","VALUE":"b"}`), -32600, `the key "VALUE" is repeated, or differs from another in case only`, 0},
		"a prompt in two cases":        {completing(`{"type":"ref/prompt","name":"bitbucket_ticket","Name":"other"}`, `{"name":"scope","value":""}`), -32600, `the key "Name" is repeated, or differs from another in case only`, 0},
		"a context that is none":       {completing(ticketRef, `{"name":"scope","value":"t"},"context":{"arguments":{"request":7}}`), -32602, "the parameters do not fit the method", 0},
		"no parameters of a prompt":    {func(string) string { return `{"jsonrpc":"2.0","id":1,"method":"prompts/get"}` }, -32602, "There is no such prompt here.", 1},
		"nor of a completion":          {func(string) string { return `{"jsonrpc":"2.0","id":1,"method":"completion/complete"}` }, -32602, "Only arguments of prompts", 0},
	} {
		for era, meta := range eras {
			t.Run(era+"/"+name, func(t *testing.T) {
				f := newFixture(t)
				sent := f.feed(t, row.message(meta))
				require.Len(t, sent, 1)
				require.NotNil(t, sent[0].Error, sent[0].text)
				assert.Equal(t, row.code, sent[0].Error.Code)
				assert.Contains(t, sent[0].Error.Message, row.words)
				for _, ours := range []string{"json", "struct", "Go ", "mcp.", "unmarshal", "hidden"} {
					assert.NotContains(t, sent[0].Error.Message, ours)
				}
				require.Len(t, f.recorded(), row.events)
				for _, event := range f.recorded() {
					assert.Equal(t, audit.Denied, event.Decision)
					assert.Contains(t, []string{"bitbucket_ticket", "unknown"}, event.Tool)
				}
				f.upstream.AssertNothingSent(t)
			})
		}
	}
}

func prompting(name, arguments string) func(string) string {
	return func(meta string) string { return getPrompt(name, arguments, meta) }
}

func completing(ref, argument string) func(string) string {
	return func(meta string) string { return complete(ref, argument, meta) }
}

func TestATicketLeavesOneEventAndAsksNothing(t *testing.T) {
	for era, meta := range eras {
		f := newFixture(t)
		sent := f.feed(t, getPrompt(ticketName, `{"scope":"test","request":"Can you access api?"}`, meta))
		require.Len(t, sent, 1)
		require.Nil(t, sent[0].Error, sent[0].text)
		var result struct {
			Messages []struct {
				Role    string
				Content struct{ Type, Text string }
			}
		}
		require.NoError(t, json.Unmarshal(sent[0].Result, &result))
		require.Len(t, result.Messages, 1, era)
		assert.Equal(t, []string{"user", "text"}, []string{result.Messages[0].Role, result.Messages[0].Content.Type})
		assert.True(t, strings.HasSuffix(result.Messages[0].Content.Text, "\n> Can you access api?"))
		require.Len(t, f.recorded(), 1)
		event := f.recorded()[0]
		assert.Equal(t, []any{audit.Allowed, "bitbucket_ticket", "test", "local", "stdio"}, []any{event.Decision, event.Tool, event.Scope, event.Caller, event.Transport})
		assert.NotContains(t, fmt.Sprint(event), "access api", "the request is no part of the log")
		f.upstream.AssertNothingSent(t)
	}
}

func TestScopesAreCompleted(t *testing.T) {
	for era, meta := range eras {
		f := newFixture(t)
		for typed, want := range map[string][]string{"": {"test"}, "t": {"test"}, "TE": {"test"}, "test": {"test"}, "x": {}, "tests": {}} {
			sent := f.feed(t, complete(ticketRef, fmt.Sprintf(`{"name":"scope","value":%q}`, typed), meta))
			require.Len(t, sent, 1)
			assert.Equal(t, want, sent[0].values(t), "%s %q", era, typed)
		}
		assert.Equal(t, []string{}, f.feed(t, complete(ticketRef, `{"name":"request","value":"t"},"context":{"arguments":{"scope":"test"}}`, meta))[0].values(t))
		assert.Empty(t, f.recorded(), "it is asked at every key")
		f.upstream.AssertNothingSent(t)
	}
}

// A change of what the caller holds counts at the next request.
func TestTheGrantIsAskedAtEachPrompt(t *testing.T) {
	f := newFixture(t)
	var grant atomic.Pointer[policy.Grant]
	hold := func(scope string) {
		held := policy.NewGrant("local", policytest.Scope(t, policy.Definition{Name: scope}))
		grant.Store(&held)
	}
	f.caller = func(context.Context) tools.Caller { return tools.Caller{Name: "local", Grant: *grant.Load()} }
	hold("test")
	c := f.connect(t)
	c.send(complete(ticketRef, `{"name":"scope","value":""}`, ""))
	assert.Equal(t, []string{"test"}, c.next().values(t))
	hold("later")
	c.send(complete(ticketRef, `{"name":"scope","value":""}`, ""))
	assert.Equal(t, []string{"later"}, c.next().values(t))
	c.send(getPrompt(ticketName, `{"scope":"test","request":"x"}`, ""))
	refused := c.next()
	require.NotNil(t, refused.Error)
	assert.Equal(t, "You hold no scope of that name. Name one of: later.", refused.Error.Message)
	_, err := c.end()
	require.NoError(t, err)
}

func TestATicketThatCannotBeWrittenDown(t *testing.T) {
	f := newFixture(t)
	f.auditErr = errors.New("the disk is full")
	sent := f.feed(t, getPrompt(ticketName, `{"scope":"test","request":"x"}`, ""))
	require.NotNil(t, sent[0].Error, sent[0].text)
	assert.Equal(t, -32603, sent[0].Error.Code)
	assert.Contains(t, sent[0].Error.Message, "could not be written to the audit log")
	assert.NotContains(t, sent[0].text, "api|web", "nothing of the rules")
}

// A prompt keeps its own name; the tools that it speaks of have the prefix.
func TestThePrefixInTheTicket(t *testing.T) {
	f := newFixture(t)
	f.toolbox.Prefix = "bb_"
	sent := f.feed(t, getPrompt(ticketName, `{"scope":"test","request":"x"}`, ""))
	require.Nil(t, sent[0].Error, sent[0].text)
	assert.Contains(t, sent[0].text, "every call of bb_get_repo, bb_list_branches, bb_list_repos")
}

// A prompt as a notification is asked by nobody.
func TestAPromptWithoutAnIDIsNotWritten(t *testing.T) {
	f := newFixture(t)
	assert.Empty(t, f.feed(t, `{"jsonrpc":"2.0","method":"prompts/get","params":{"name":"bitbucket_ticket","arguments":{"scope":"test","request":"x"}}}`))
	assert.Empty(t, f.recorded())
}

// An admin's side has none.
func TestAServerWithoutPrompts(t *testing.T) {
	f := newFixture(t)
	f.toolbox.Prompts = nil
	sent := f.feed(t, initialize+"\n"+getPrompt(ticketName, `{"scope":"test","request":"x"}`, "")+"\n"+complete(ticketRef, `{"name":"scope","value":""}`, ""))
	require.Len(t, sent, 3)
	assert.NotContains(t, sent[0].text, "prompts")
	for _, m := range sent[1:] {
		require.NotNil(t, m.Error, m.text)
		assert.Equal(t, -32601, m.Error.Code)
	}
}
