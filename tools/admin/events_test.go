package admin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/tools"
)

// A call of the table: what is sent, and what must come of it.
type called struct {
	outcome, arguments string
	code               tools.Code // empty for an answer
	target             string
}

// everyOutcome are calls of every tool, in every way in which one can end.
var everyOutcome = map[string][]called{
	"list_providers": {
		{"all", `{}`, "", ""}, {"one", `{"name":"acme"}`, "", "acme"}, {"unknown", `{"name":"acmee"}`, tools.NotFound, "acmee"}, {"a foreign cursor", `{"cursor":"xxxx"}`, tools.InvalidArgument, ""},
	},
	"create_provider": {
		{"done", `{"name":"new","workspace":"new"}`, "", "new"}, {"taken", `{"name":"acme","workspace":"acme"}`, tools.InvalidArgument, "acme"},
		{"another address", `{"name":"new","workspace":"new","api_url":"https://evil.example"}`, tools.InvalidArgument, "new"},
	},
	"update_provider": {
		{"done", `{"name":"acme","version":1,"description":"x"}`, "", "acme"}, {"stale", `{"name":"acme","version":7,"description":"x"}`, tools.Conflict, "acme"},
		{"unknown", `{"name":"acmee","version":1}`, tools.NotFound, "acmee"}, {"fixed", `{"name":"acme","version":1,"workspace":"other"}`, tools.InUse, "acme"}, {"no version", `{"name":"acme"}`, tools.InvalidArgument, ""},
	},
	"delete_provider": {
		{"in use", `{"name":"acme"}`, tools.InUse, "acme"}, {"unknown", `{"name":"acmee"}`, tools.NotFound, "acmee"},
	},
	"list_credentials": {
		{"all", `{}`, "", ""}, {"of one provider", `{"provider":"acme"}`, "", ""}, {"one", `{"provider":"acme","name":"reader"}`, "", "reader"}, {"of an unknown provider", `{"provider":"acmee"}`, tools.NotFound, ""},
	},
	"create_credential": {
		{"with a key", `{"provider":"acme","name":"new","username":"a@b.c","api_key":"` + testKey + `"}`, "", "acme/new"}, {"with a link", `{"provider":"acme","name":"new"}`, "", "acme/new"},
		{"taken", `{"provider":"acme","name":"reader"}`, tools.InvalidArgument, "acme/reader"}, {"of an unknown provider", `{"provider":"none","name":"x"}`, tools.NotFound, "none/x"},
		{"a key that cannot be one", `{"provider":"acme","name":"x","api_key":"` + testKey + `"}`, tools.InvalidArgument, "acme/x"}, {"no day", `{"provider":"acme","name":"x","expires_on":"soon"}`, tools.InvalidArgument, "acme/x"},
		{"a sensitive field without a value", `{"provider":"acme","name":"x","fields":[{"key":"k","sensitive":true}]}`, tools.InvalidArgument, "acme/x"},
	},
	"update_credential": {
		{"with a key", `{"provider":"acme","name":"reader","version":1,"api_key":"` + testKey + `"}`, "", "acme/reader"}, {"with a link", `{"provider":"acme","name":"reader","version":1}`, "", "acme/reader"},
		{"stale", `{"provider":"acme","name":"reader","version":2}`, tools.Conflict, "acme/reader"}, {"unknown", `{"provider":"acme","name":"raeder","version":2}`, tools.NotFound, "acme/raeder"},
		{"no day", `{"provider":"acme","name":"reader","version":1,"expires_on":"soon"}`, tools.InvalidArgument, "acme/reader"},
	},
	"delete_credential": {
		{"in use", `{"provider":"acme","name":"reader"}`, tools.InUse, "acme/reader"}, {"unknown", `{"provider":"acme","name":"raeder"}`, tools.NotFound, "acme/raeder"},
	},
	"test_credential": {
		{"it works", `{"provider":"acme","name":"reader"}`, "", "acme/reader"}, {"unknown", `{"provider":"acme","name":"raeder"}`, tools.NotFound, "acme/raeder"},
	},
	"list_scopes": {
		{"all", `{}`, "", ""}, {"one", `{"name":"team"}`, "", "team"}, {"unknown", `{"name":"tean"}`, tools.NotFound, "tean"},
	},
	"create_scope": {
		{"done", `{"name":"new","provider":"acme","credential":"reader"}`, "", "new"}, {"taken", `{"name":"team","provider":"acme","credential":"reader"}`, tools.InvalidArgument, "team"},
		{"a pattern that is none", `{"name":"new","provider":"acme","credential":"reader","branches":["("]}`, tools.InvalidArgument, "new"}, {"an action without a tool", `{"name":"new","provider":"acme","credential":"reader","actions":["merge"]}`, tools.InvalidArgument, "new"},
		{"an unknown credential", `{"name":"new","provider":"acme","credential":"raeder"}`, tools.NotFound, "new"},
	},
	"update_scope": {
		{"done", `{"name":"team","version":1,"branches":["main","develop"]}`, "", "team"}, {"emptied by mistake", `{"name":"team","version":1,"branches":[]}`, tools.InvalidArgument, "team"},
		{"emptied on purpose", `{"name":"team","version":1,"all_branches":true}`, "", "team"}, {"both", `{"name":"team","version":1,"all_branches":true,"branches":["main"]}`, tools.InvalidArgument, "team"},
		{"stale", `{"name":"team","version":2,"description":"x"}`, tools.Conflict, "team"}, {"unknown", `{"name":"tean","version":2}`, tools.NotFound, "tean"},
	},
	"delete_scope": {
		{"in use", `{"name":"team"}`, tools.InUse, "team"}, {"unknown", `{"name":"tean"}`, tools.NotFound, "tean"},
	},
	"preview_scope": {
		{"stored", `{"name":"team"}`, "", ""}, {"drafted", `{"provider":"acme","credential":"reader","repository":"api"}`, "", "api"}, {"nothing", `{}`, tools.InvalidArgument, ""},
		{"half a draft", `{"provider":"acme"}`, tools.InvalidArgument, ""}, {"a branch alone", `{"name":"team","branch":"main"}`, tools.InvalidArgument, ""}, {"unknown", `{"name":"tean"}`, tools.NotFound, ""},
	},
	"list_clients": {
		{"all", `{}`, "", ""}, {"one", `{"name":"bot"}`, "", "bot"}, {"unknown", `{"name":"bott"}`, tools.NotFound, "bott"},
	},
	"create_client": {
		{"done", `{"name":"new"}`, "", "new"}, {"taken", `{"name":"bot"}`, tools.InvalidArgument, "bot"}, {"an unknown scope", `{"name":"new","scopes":["tean"]}`, tools.NotFound, "new"}, {"no duration", `{"name":"new","expires_in":"soon"}`, tools.InvalidArgument, "new"},
	},
	"update_client": {
		{"done", `{"name":"bot","version":1,"scopes":[]}`, "", "bot"}, {"stale", `{"name":"bot","version":2}`, tools.Conflict, "bot"}, {"unknown", `{"name":"bott","version":2}`, tools.NotFound, "bott"}, {"no duration", `{"name":"bot","version":1,"expires_in":"-1h"}`, tools.InvalidArgument, "bot"},
	},
	"delete_client": {
		{"done", `{"name":"bot"}`, "", "bot"}, {"unknown", `{"name":"bott"}`, tools.NotFound, "bott"},
	},
	"list_audit_events": {
		{"all", `{}`, "", ""}, {"filtered", `{"tool":"create_scope","decision":"allowed","since":"1h","until":"2099-01-01T00:00:00Z"}`, "", ""}, {"no time", `{"since":"soon"}`, tools.InvalidArgument, ""}, {"a foreign cursor", `{"cursor":"xxxx"}`, tools.InvalidArgument, ""},
	},
}

// Every call of every tool leaves exactly one event in the database, whichever
// way it ends, with who, what, where and why.
func TestEveryCallLeavesOneEvent(t *testing.T) {
	shared := newDesk(t).guide() // for what is refused, which changes nothing
	for _, tool := range shared.toolbox.Tools {
		outcomes, ok := everyOutcome[tool.Name]
		require.True(t, ok, "%s has no row in the table", tool.Name)
		outcomes = append(outcomes,
			called{"an unknown argument", `{"frobnicate":1}`, tools.InvalidArgument, ""},
			called{"no object", `[]`, tools.InvalidArgument, ""},
		)
		for _, row := range outcomes {
			t.Run(tool.Name+"/"+row.outcome, func(t *testing.T) {
				d := shared
				if row.code == "" && tool.Effect != tools.Reads {
					d = newDesk(t).guide()
				}
				before := len(d.events())
				result := d.run(t.Context(), tool.Name, row.arguments)
				decision := audit.Allowed
				if row.code != "" {
					decision = audit.Denied
					require.NotNil(t, result.Error, "%s", result.Text)
					assert.Equal(t, row.code, result.Error.Code, result.Error.Message)
					assert.True(t, strings.HasSuffix(result.Error.Message, ".") || strings.HasSuffix(result.Error.Message, "?"), result.Error.Message)
					assert.NotEmpty(t, result.Error.Hint)
					assert.NotContains(t, result.Error.Message+result.Error.Hint, "%!")
				} else {
					require.Nil(t, result.Error, "%s", result.Text)
				}
				events := d.events()
				require.Len(t, events, before+1)
				e := events[0]
				assert.Equal(t, []string{"boss", "admin", "http", tool.Name, string(decision), row.target},
					[]string{e.Caller, e.Role, e.Transport, e.Tool, string(e.Decision), e.Target})
				if row.code != "" {
					assert.NotEmpty(t, e.Reason, "why")
				}
				for _, words := range []string{string(result.Text), fmt.Sprint(events), d.log.String()} {
					assert.NotContains(t, words, testKey)
				}
			})
		}
	}
}

// A caller who has gone leaves the event too.
func TestACanceledCallLeavesOneEvent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := newDesk(t).guide()
	for tool, outcomes := range everyOutcome {
		before := len(d.events())
		d.run(ctx, tool, outcomes[0].arguments)
		require.Eventually(t, func() bool { return len(d.events()) > before }, patience, poll, tool)
		require.NoError(t, d.audit.Commit(t.Context(), audit.Event{ID: "the last"})) // what was queued before is written
		assert.Len(t, d.events(), before+2, tool)
	}
}

// The life of the call and the service, with tools that no release has: the one
// writes what the other has not.
func TestTheEventOfAToolThatFails(t *testing.T) {
	d := newDesk(t).guide()
	create := func(ctx context.Context) error {
		_, err := d.service.CreateProvider(ctx, manage.Actor{Name: "boss", Transport: "http"}, manage.Provider{Name: "made", Workspace: "made"})
		return err
	}
	for name, run := range map[string]func(context.Context) error{
		"panics at once":           func(context.Context) error { panic(testKey) },
		"panics after its change":  func(ctx context.Context) error { require.NoError(t, create(ctx)); panic(testKey) },
		"fails at once":            func(context.Context) error { return errors.New(testKey) },
		"fails after its change":   func(ctx context.Context) error { return errors.Join(create(ctx), errors.New(testKey)) },
		"does nothing and is fine": func(context.Context) error { return nil },
	} {
		d.toolbox.Tools = []tools.Tool{tools.DefineAdmin(tools.Tool{Name: "odd"}, func(ctx context.Context, _ *tools.AdminCall, _ nothing) (nothing, error) {
			return nothing{}, run(ctx)
		})}
		before := len(d.events())
		result := d.run(t.Context(), "odd", `{}`)
		assert.Len(t, d.events(), before+1, name)
		assert.NotContains(t, string(result.Text)+fmt.Sprint(d.events()), testKey, name)
		if name != "does nothing and is fine" {
			require.NotNil(t, result.Error, name)
			assert.Equal(t, tools.Internal, result.Error.Code, name)
		}
		_ = d.service.DeleteProvider(t.Context(), manage.Actor{}, "made")
	}
}

type nothing struct{}

// Target is none.
func (nothing) Target() string { return "" }

// What cannot be written down is neither done nor answered.
func TestNothingWithoutItsEvent(t *testing.T) {
	d := newDesk(t).guide()
	stored := func() []any {
		providers, err1 := d.service.Providers(t.Context())
		credentials, err2 := d.service.Credentials(t.Context(), "")
		scopes, err3 := d.service.Scopes(t.Context())
		clients, err4 := d.service.Clients(t.Context())
		require.NoError(t, errors.Join(err1, err2, err3, err4))
		return []any{providers, credentials, scopes, clients}
	}
	before := stored()
	require.NoError(t, d.audit.Close(t.Context()))
	for tool, outcomes := range everyOutcome {
		for _, row := range outcomes {
			result := d.run(t.Context(), tool, row.arguments)
			require.NotNil(t, result.Error, tool)
			assert.Equal(t, tools.AuditUnavailable, result.Error.Code, "%s %s", tool, row.outcome)
		}
	}
	assert.Equal(t, before, stored())
}

// An agent who gets at the toolbox by a mistake of the wiring gets nothing.
func TestTheToolsAreForAdmins(t *testing.T) {
	d := newDesk(t).guide()
	for _, role := range []string{"agent", "", "Admin"} {
		d.caller.Role = role
		for tool, outcomes := range everyOutcome {
			before := len(d.events())
			refusal := d.refused(tool, outcomes[0].arguments)
			assert.Equal(t, "There is no such tool here.", refusal.Message)
			assert.Len(t, d.events(), before+1)
			assert.Equal(t, audit.Denied, d.events()[0].Decision)
		}
	}
}
