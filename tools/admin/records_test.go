package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/policy"
	"bucketgate/tools"
)

func TestRecordsSayWhoChangedThemAndWhen(t *testing.T) {
	d := newDesk(t).guide()
	for tool, list := range map[string]string{"list_providers": "providers", "list_credentials": "credentials", "list_scopes": "scopes", "list_clients": "clients"} {
		listed := rows(d.answer(tool, `{}`)[list])
		require.Len(t, listed, 1, tool)
		assert.EqualValues(t, 1, listed[0]["version"], tool)
		assert.NotEmpty(t, listed[0]["updated_at"], tool)
		assert.Contains(t, []any{"boss", "cli"}, listed[0]["updated_by"], tool)
	}
	c := rows(d.answer("list_credentials", `{}`)["credentials"])[0]
	assert.Regexp(t, `^set, ends in …wxyz, on \d{4}-\d\d-\d\d by boss$`, c["api_key"])
}

// What an update leaves out stays, and a list that is given replaces the list:
// as the command line does it.
func TestUpdatesKeepWhatIsLeftOut(t *testing.T) {
	d := newDesk(t).guide()
	d.answer("create_provider", `{"name":"cloud","workspace":"cloud","description":"one"}`)
	p := d.answer("update_provider", `{"name":"cloud","version":1,"workspace":"other"}`)["provider"].(map[string]any)
	assert.Equal(t, []any{"one", "other", "https://api.bitbucket.org/2.0"}, []any{p["description"], p["workspace"], p["api_url"]})
	p = d.answer("update_provider", `{"name":"cloud","version":2,"description":""}`)["provider"].(map[string]any)
	assert.Equal(t, []any{nil, "other"}, []any{p["description"], p["workspace"]})

	s := d.answer("update_scope", `{"name":"team","version":1,"exclude_repositories":["hidden"],"description":"d"}`)["scope"].(map[string]any)
	assert.Equal(t, []any{[]any{"api.*"}, []any{"main"}, []any{"hidden"}, []any{"read"}, "d"},
		[]any{s["repositories"], s["branches"], s["exclude_repositories"], s["actions"], s["description"]})
	s = d.answer("update_scope", `{"name":"team","version":2,"exclude_repositories":[],"all_repositories":true}`)["scope"].(map[string]any)
	assert.Equal(t, []any{[]any{}, []any{"main"}, nil, "d"}, []any{s["repositories"], s["branches"], s["exclude_repositories"], s["description"]})
	assert.Contains(t, d.refused("update_scope", `{"name":"team","version":3,"branches":[]}`).Message, "all_branches")

	c := d.answer("update_client", `{"name":"bot","version":1,"expires_in":"1d"}`)["client"].(map[string]any)
	assert.Equal(t, []any{"agent", []any{"team"}}, []any{c["role"], c["scopes"]})
	assert.NotEmpty(t, c["expires_at"])
	c = d.answer("update_client", `{"name":"bot","version":2,"scopes":[]}`)["client"].(map[string]any)
	assert.Equal(t, []any{}, c["scopes"])
	assert.NotEmpty(t, c["expires_at"], "what is left out stays")
}

func TestFieldsOfACredential(t *testing.T) {
	d := newDesk(t).guide()
	fields := func(answer map[string]any) any { return answer["credential"].(map[string]any)["fields"] }
	made := d.answer("create_credential", `{"provider":"acme","name":"x","api_key":"ATCTT-`+testKey+`","expires_on":"2030-01-31",
		"fields":[{"key":"note","value":"n"},{"key":"seed","value":"`+testKey+`","sensitive":true},{"key":"Username","value":"a@b.c"}]}`)
	want := []any{map[string]any{"key": "note", "value": "n"}, map[string]any{"key": "seed", "sensitive": true}}
	assert.Equal(t, want, fields(made))
	c := made["credential"].(map[string]any)
	assert.Equal(t, []any{"a@b.c", "2030-01-31"}, []any{c["username"], c["expires_on"]})
	updated := d.answer("update_credential", `{"provider":"acme","name":"x","version":1,"username":"c@d.e","api_key":"`+testKey+`"}`)
	assert.Equal(t, want, fields(updated), "what is left out stays")
	kept := d.answer("update_credential", `{"provider":"acme","name":"x","version":2,"expires_on":"","fields":[{"key":"seed","sensitive":true}]}`)
	assert.Equal(t, []any{map[string]any{"key": "seed", "sensitive": true}}, fields(kept), "its stored value stays")
	assert.Nil(t, kept["credential"].(map[string]any)["expires_on"])
	assert.Contains(t, d.refused("update_credential", `{"provider":"acme","name":"x","version":3,"fields":[{"key":"new","sensitive":true}]}`).Message, `The sensitive field "new" needs a value`)
}

func TestWordsOfRefusals(t *testing.T) {
	d := newDesk(t).guide()
	d.toolbox.Prefix = "bg_"
	for _, row := range []struct{ tool, arguments, message, hint string }{
		{"delete_provider", `{"name":"acme"}`, `credential "reader"`, "first"},
		{"delete_credential", `{"provider":"acme","name":"reader"}`, `scope "team"`, "first"},
		{"delete_scope", `{"name":"team"}`, `client "bot"`, "first"},
		{"delete_scope", `{"name":"tean"}`, `There is no scope "tean"; did you mean "team"?`, "bg_list_scopes shows the names; bg_create_scope adds one."},
		{"update_scope", `{"name":"team","version":9}`, "Somebody else has changed it meanwhile", "Nothing was changed."},
		{"create_scope", `{"name":"x","provider":"acme","credential":"reader","repositories":["(?!a)"]}`, "at position 1", "RE2"},
		{"create_provider", `{"name":"x","workspace":"x","api_url":"http://10.0.0.1/2.0"}`, "it must be https", "Bitbucket Cloud's"},
		{"create_provider", `{"name":"x","workspace":"x","api_url":"https://10.0.0.1/2.0"}`, "--allow-api-host 10.0.0.1:443", "allow"},
	} {
		refusal := d.refused(row.tool, row.arguments)
		assert.Contains(t, refusal.Message, row.message)
		assert.Contains(t, refusal.Hint, row.hint)
	}
	empty := newDesk(t)
	assert.Equal(t, `There is no client "bot"; there is none yet.`, empty.refused("delete_client", `{"name":"bot"}`).Message)
}

// What Bitbucket says to a test and a preview has the codes that agents know.
func TestWhatBitbucketSays(t *testing.T) {
	d := newDesk(t).guide()
	d.answer("update_credential", `{"provider":"acme","name":"reader","version":1,"api_key":"ATATT-another-key"}`)
	test := d.answer("test_credential", `{"provider":"acme","name":"reader"}`)
	assert.Equal(t, false, test["works"])
	assert.Equal(t, tools.CredentialRejected, d.refused("preview_scope", `{"name":"team"}`).Code)
}

func TestThereIsNoKeyUntilSomebodySeesIt(t *testing.T) {
	d := newDesk(t).guide()
	made := d.answer("create_client", `{"name":"new","role":"admin"}`)
	assert.Equal(t, "not set: it cannot connect yet", made["client"].(map[string]any)["key"])
	c, err := d.service.Client(t.Context(), "new")
	require.NoError(t, err)
	assert.Empty(t, c.KeyPrefix)
	assert.Empty(t, c.KeyHash)
	_, key, err := d.service.ReplaceClientKey(t.Context(), manage.Actor{Name: "cli"}, 0, "new")
	require.NoError(t, err)
	prefix, _, ok := secret.HashClientKey(key.Reveal())
	require.True(t, ok)
	listed := rows(d.answer("list_clients", `{"name":"new"}`)["clients"])[0]
	assert.Equal(t, "set, begins with "+prefix, listed["key"])
	d.answer("delete_client", `{"name":"new"}`)
	listed = rows(d.answer("list_clients", `{"name":"new"}`)["clients"])[0]
	assert.Equal(t, []any{true, "revoked"}, []any{listed["revoked"], listed["key"]})
}

func TestALinkThatCannotBeServed(t *testing.T) {
	d := newDesk(t).guide()
	d.linkErr = errors.New("listen tcp: " + testKey)
	made := d.answer("create_credential", `{"provider":"acme","name":"x"}`)
	assert.Nil(t, made["link"])
	assert.Contains(t, made["summary"], "could not be opened")
	assert.Contains(t, fmt.Sprint(made["next_steps"]), "--api-key-stdin")
	assert.NotContains(t, fmt.Sprint(made), testKey)
}

// Thousands of clients come in pages that stay under the limit, each once,
// whatever is added or removed meanwhile.
func TestThousandsOfClients(t *testing.T) {
	const many = 1000
	d := newDesk(t).guide()
	require.NoError(t, d.store.Update(t.Context(), func(tx *store.Tx) error {
		for i := range many {
			if _, err := tx.CreateClient(store.Client{Name: fmt.Sprintf("agent-%04d-%s", i, strings.Repeat("x", 50)), Role: "agent", Scopes: []string{"team"}}); err != nil {
				return err
			}
		}
		return nil
	}))
	seen := map[string]int{}
	in := map[string]any{"limit": 200}
	for page := 0; ; page++ {
		require.Less(t, page, many)
		encoded, err := json.Marshal(in)
		require.NoError(t, err)
		answer := d.answer("list_clients", string(encoded))
		for _, name := range column(answer["clients"], "name") {
			seen[name]++
		}
		if page == 1 {
			d.answer("create_client", `{"name":"aaa"}`) // before what is shown
			d.answer("delete_client", `{"name":"bot"}`) // behind it; it stays, revoked
		}
		next, more := answer["next_cursor"]
		if !more {
			break
		}
		assert.Contains(t, answer["summary"], "Call again with cursor for more.")
		in["cursor"] = next
	}
	assert.Len(t, seen, many+1)
	for name, times := range seen {
		require.Equal(t, 1, times, name)
	}
	d.caller.Name = "another"
	encoded, err := json.Marshal(in)
	require.NoError(t, err)
	assert.Equal(t, tools.InvalidArgument, d.refused("list_clients", string(encoded)).Code, "a cursor is its caller's")
}

// The largest records that there can be fit into an answer.
func TestTheLargestRecords(t *testing.T) {
	d := newDesk(t).guide()
	var patterns, scopes []string
	for i := range 12 { // each is six bytes in JSON, for every letter of it
		patterns = append(patterns, fmt.Sprintf(`%03d%s`, i, strings.Repeat("<", 500)))
	}
	encoded, err := json.Marshal(map[string]any{
		"name": "large", "provider": "acme", "credential": "reader", "description": strings.Repeat("<", 1000),
		"repositories": patterns, "exclude_repositories": patterns, "branches": patterns, "exclude_branches": patterns,
	})
	require.NoError(t, err)
	made := d.answer("create_scope", string(encoded))
	assert.EqualValues(t, 48, made["scope"].(map[string]any)["left_out"], "3 KB each in JSON: not one fits beside the others")
	stored, err := d.service.Scope(t.Context(), "large")
	require.NoError(t, err)
	assert.Len(t, stored.Repositories, 12)
	assert.Len(t, rows(d.answer("list_scopes", `{}`)["scopes"]), 2)

	var fields []map[string]any
	for i := range 32 {
		fields = append(fields, map[string]any{"key": fmt.Sprintf("k%d", i), "value": strings.Repeat("<", 4096)})
	}
	encoded, err = json.Marshal(map[string]any{"provider": "acme", "name": "large", "fields": fields})
	require.NoError(t, err)
	d.answer("create_credential", string(encoded))

	require.NoError(t, d.store.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 1000 {
			name := fmt.Sprintf("scope-%03d-%s", i, strings.Repeat("x", 50))
			scopes = append(scopes, name)
			if _, err := tx.CreateScope(store.Scope{Name: name, ProviderID: stored.ProviderID, CredentialID: stored.CredentialID, Actions: []policy.Action{policy.Read}}); err != nil {
				return err
			}
		}
		return nil
	}))
	encoded, err = json.Marshal(map[string]any{"name": "large", "scopes": scopes})
	require.NoError(t, err)
	assert.NotZero(t, d.answer("create_client", string(encoded))["client"].(map[string]any)["left_out"])
}

// Pages of events are stable while events come: reading them makes some.
func TestPagesOfEvents(t *testing.T) {
	d := newDesk(t).guide()
	for i := range 60 {
		require.NoError(t, d.audit.Commit(t.Context(), audit.Event{
			ID: fmt.Sprint(i), Caller: "claude", Role: "agent", Tool: "get_repo", Scope: "web,team", Decision: audit.Denied, Reason: strings.Repeat("<", 700), Target: strings.Repeat("é", 700),
		}))
	}
	var ids []string
	arguments := `{"caller":"claude","scope":"team","decision":"denied","tool":"get_repo","limit":200}`
	for {
		answer := d.answer("list_audit_events", arguments)
		ids = append(ids, column(answer["events"], "id")...)
		next, more := answer["next_cursor"].(string)
		if !more {
			break
		}
		require.NoError(t, d.audit.Commit(t.Context(), audit.Event{ID: "meanwhile", Caller: "claude", Role: "agent", Tool: "get_repo", Scope: "team", Decision: audit.Denied, Time: d.events()[0].Time}))
		arguments = strings.TrimSuffix(strings.Split(arguments, `,"cursor"`)[0], "}") + `,"cursor":"` + next + `"}`
	}
	var want []string
	for i := range 60 {
		want = append(want, fmt.Sprint(59-i))
	}
	assert.Equal(t, want, ids)
}
