package agent_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/policy"
	"bucketgate/tools"
	"bucketgate/tools/agent"
)

// A desk is the tools of an agent over a sample Bitbucket, with a grant.
type desk struct {
	t        *testing.T
	upstream *bitbuckettest.Server
	toolbox  *tools.Toolbox
	grant    policy.Grant
	events   []audit.Event
}

// definition is a scope with what every scope needs filled in.
func definition(api string, d policy.Definition) policy.Definition {
	if d.Name == "" {
		d.Name = "team"
	}
	if d.API == "" {
		d.API = api
	}
	if d.Workspace == "" {
		d.Workspace = "acme"
	}
	if d.Credential == "" {
		d.Credential = "key"
	}
	if d.Actions == nil {
		d.Actions = []policy.Action{policy.Read}
	}
	return d
}

func newDesk(t *testing.T, upstream *bitbuckettest.Server, scopes ...policy.Definition) *desk {
	t.Helper()
	d := &desk{t: t, upstream: upstream}
	d.grantScopes(scopes...)
	client := bitbucket.New(bitbucket.Config{
		Credential: func(_ context.Context, name string) (bitbucket.Credential, error) {
			return bitbucket.Credential{API: upstream.URL(), APIKey: secret.NewText("token-of-" + name)}, nil
		},
		AllowAddress: func(string) bool { return true },
	})
	cursors, err := tools.NewCursors([]byte("test"))
	require.NoError(t, err)
	d.toolbox = &tools.Toolbox{
		Tools: agent.Tools(client), Cursors: cursors, LintNotice: true,
		Record: func(e audit.Event) error { d.events = append(d.events, e); return nil },
	}
	return d
}

// grantScopes gives the caller other scopes.
func (d *desk) grantScopes(definitions ...policy.Definition) {
	d.t.Helper()
	var scopes []policy.Scope
	for _, def := range definitions {
		scope, err := policy.Compile(definition(d.upstream.URL(), def))
		require.NoError(d.t, err)
		scopes = append(scopes, scope)
	}
	d.grant = policy.NewGrant("tester", scopes...)
}

func (d *desk) run(tool, arguments string) tools.Result {
	d.t.Helper()
	return d.toolbox.Run(d.t.Context(), tools.Request{
		Caller: tools.Caller{Name: "tester", Role: "agent", Transport: "test", Grant: d.grant},
		Tool:   tool, Arguments: json.RawMessage(arguments),
	})
}

// answer is the answer of a call that must succeed.
func (d *desk) answer(tool, arguments string) map[string]any {
	d.t.Helper()
	result := d.run(tool, arguments)
	require.False(d.t, result.IsError(), "%s %s: %s", tool, arguments, result.Text)
	var answer map[string]any
	require.NoError(d.t, json.Unmarshal(result.Text, &answer))
	return answer
}

// refused is the error of a call that must fail.
func (d *desk) refused(tool, arguments string) *tools.Error {
	d.t.Helper()
	result := d.run(tool, arguments)
	require.True(d.t, result.IsError(), "%s %s: %s", tool, arguments, result.Text)
	return result.Error
}

// strings returns a list of strings out of an answer.
func texts(list any) []string {
	var out []string
	for _, value := range list.([]any) {
		out = append(out, value.(string))
	}
	return out
}

// column returns one field of each row.
func column(rows any, field string) []string {
	var out []string
	for _, row := range rows.([]any) {
		out = append(out, row.(map[string]any)[field].(string))
	}
	return out
}

func newDeskCredential(context.Context, string) (bitbucket.Credential, error) {
	return bitbucket.Credential{}, nil
}
