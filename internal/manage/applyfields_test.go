package manage

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/store"
)

const fieldsFile = `providers:
- {name: acme, workspace: acme, description: one}
- {name: spare, workspace: spare, description: one}
credentials:
- {provider: acme, name: reader, username: me@example.com, api_key_env: KEY, expires_on: 2030-01-02, fields: [{key: Team, value: one}, {key: Note, value: one}]}
- {provider: acme, name: other}
- {provider: spare, name: reader}
scopes:
- {name: team, provider: acme, credential: reader, description: one, repositories: [web], exclude_repositories: [web-x], branches: [main], exclude_branches: [dev]}
clients:
- {name: bot, scopes: [team], expires_in: 90d}
`

// Each field that differs is in the plan, and what the plan says is done: with
// the name of who did it.
func TestAPlanNamesEveryFieldThatChanges(t *testing.T) {
	sources := testSources
	sources.LookupEnv = func(name string) (string, bool) {
		if name == "OTHER" {
			return "ATATT-another-key-abcd", true
		}
		return testSources.LookupEnv(name)
	}
	admin := Actor{Name: "somebody else", Transport: "test", AnyAPI: true}
	for name, row := range map[string]struct{ from, to, line string }{
		"a provider's description":         {"workspace: acme, description: one", "workspace: acme, description: two", "~ provider acme: description"},
		"a provider's workspace":           {"{name: bare, workspace: bare}", "{name: bare, workspace: bare-two}", "~ provider bare: workspace"},
		"a provider's address":             {"{name: bare, workspace: bare}", "{name: bare, workspace: bare, api_url: 'https://git.example/2.0'}", "~ provider bare: api_url"},
		"a user name":                      {"me@example.com", "you@example.com", "~ credential acme/reader: username"},
		"a key":                            {"api_key_env: KEY", "api_key_env: OTHER", "~ credential acme/reader: api_key"},
		"a key that was not set":           {"{provider: acme, name: other}", "{provider: acme, name: other, username: me@example.com, api_key_env: KEY}", "~ credential acme/other: username, api_key"},
		"a day":                            {"2030-01-02", "2030-01-03", "~ credential acme/reader: expires_on"},
		"a day that is left out":           {" expires_on: 2030-01-02,", "", "~ credential acme/reader: expires_on"},
		"a field's value":                  {"key: Team, value: one", "key: Team, value: two", "~ credential acme/reader: fields"},
		"a field's key":                    {"key: Team", "key: team", "~ credential acme/reader: fields"},
		"a field from a variable":          {"key: Team, value: one", "key: Team, value_env: KEY", "~ credential acme/reader: fields"},
		"a field that becomes sensitive":   {"key: Team, value: one", "key: Team, sensitive: true, value_env: KEY", "~ credential acme/reader: fields"},
		"a field less":                     {", {key: Note, value: one}", "", "~ credential acme/reader: fields"},
		"a scope's credential":             {"credential: reader, description", "credential: other, description", "~ scope team: credential"},
		"a scope's provider":               {"{name: team, provider: acme,", "{name: team, provider: spare,", "~ scope team: provider, credential"},
		"a scope's description":            {"reader, description: one", "reader, description: two", "~ scope team: description"},
		"a scope's repositories":           {"[web]", "[web, api]", "~ scope team: repositories"},
		"all repositories":                 {"repositories: [web], exclude", "all_repositories: true, exclude", "~ scope team: repositories"},
		"a scope's other repositories":     {"[web-x]", "[web-y]", "~ scope team: exclude_repositories"},
		"a scope's branches":               {"[main]", "[main, next]", "~ scope team: branches"},
		"all branches":                     {" branches: [main],", " all_branches: true,", "~ scope team: branches"},
		"a scope's other branches":         {"[dev]", "[dev, old]", "~ scope team: exclude_branches"},
		"a client's role":                  {"{name: bot,", "{name: bot, role: admin,", "~ client bot: role"},
		"a client's scopes":                {"{name: bot, scopes: [team],", "{name: bot,", "~ client bot: scopes"},
		"how long a client lasts":          {"expires_in: 90d", "expires_in: 91d", "~ client bot: expires_in"},
		"a few seconds more for a client":  {"expires_in: 90d", "expires_in: 2160h0m3s", "~ client bot: expires_in"},
		"one second is what export rounds": {"expires_in: 90d", "expires_in: 2160h0m1s", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			before := strings.Replace(fieldsFile, "credentials:", "- {name: bare, workspace: bare}\ncredentials:", 1)
			_, err := d.apply(before)
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(before, row.from))
			file, err := ParseFile([]byte(strings.Replace(before, row.from, row.to, 1)), sources)
			require.NoError(t, err)
			want := "= 8 unchanged\n"
			if row.line != "" {
				want = row.line + "\n= 7 unchanged\n"
			}
			plan, err := d.Apply(t.Context(), admin, file, func(Plan) error { return nil })
			require.NoError(t, err)
			assert.Equal(t, want, plan.String())
			if row.line != "" {
				assert.Equal(t, "somebody else", d.lastUpdater(row.line), "who did it")
			}
			if strings.Contains(row.to, "sensitive: true") || row.line == "" {
				return // the file gives a sensitive value anew each time
			}
			again, err := d.PlanFile(t.Context(), admin, file)
			require.NoError(t, err)
			assert.Equal(t, "= 8 unchanged\n", again.String(), "it was done")
		})
	}
}

// lastUpdater returns who is written down in the record of a line of a plan.
func (d *desk) lastUpdater(line string) string {
	d.t.Helper()
	kind, name, _ := strings.Cut(strings.TrimPrefix(line, "~ "), " ")
	name, _, _ = strings.Cut(name, ":")
	var meta store.Meta
	switch kind {
	case "provider":
		record, err := d.Provider(d.t.Context(), name)
		require.NoError(d.t, err)
		meta = record.Meta
	case "credential":
		provider, credential, _ := strings.Cut(name, "/")
		record, err := d.Credential(d.t.Context(), provider, credential)
		require.NoError(d.t, err)
		meta = record.Meta
	case "scope":
		record, err := d.Scope(d.t.Context(), name)
		require.NoError(d.t, err)
		meta = record.Meta
	case "client":
		record, err := d.Client(d.t.Context(), name)
		require.NoError(d.t, err)
		meta = record.Meta
	}
	assert.Equal(d.t, int64(2), meta.Version)
	return meta.UpdatedBy
}

// A plan that does not hold any more is not carried out, whatever has made it
// another one between the look and the work.
func TestAPlanThatDoesNotHoldIsNotCarriedOut(t *testing.T) {
	file := strings.Replace(fieldsFile, "[main]", "[main, next]", 1)
	for name, meanwhile := range map[string]func(*desk) error{
		"the record has another version": func(d *desk) error { // that differs in the same field
			_, _, err := d.UpdateScope(d.t.Context(), boss, 0, Scope{
				Name: "team", Provider: "acme", Credential: "reader", Description: "one", Repositories: []string{"web"}, ExcludeRepositories: []string{"web-x"},
				Branches: []string{"only"}, ExcludeBranches: []string{"dev"},
			})
			return err
		},
		"a record that was as the file says is not any more": func(d *desk) error {
			_, err := d.UpdateProvider(d.t.Context(), boss, 0, Provider{Name: "spare", Workspace: "spare", Description: "changed"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			_, err := d.apply(fieldsFile)
			require.NoError(t, err)
			_, err = d.Apply(t.Context(), boss, parsed(t, file), func(Plan) error { return meanwhile(d) })
			require.ErrorContains(t, err, "somebody else has changed something meanwhile")
			scope, err := d.Scope(t.Context(), "team")
			require.NoError(t, err)
			assert.NotContains(t, scope.Branches, "next")
		})
	}
}

// Who cannot see the plan does not have it carried out.
func TestAPlanThatCannotBeShownIsNotCarriedOut(t *testing.T) {
	d := newDesk(t)
	_, err := d.Apply(t.Context(), boss, parsed(t, wholeFile), func(Plan) error { return assert.AnError })
	require.ErrorIs(t, err, assert.AnError)
	assert.Equal(t, "[null,null,null,null]", d.records())
}

// A sensitive value does not come back to be compared: one that is given is set.
func TestASensitiveValueThatIsGivenIsSet(t *testing.T) {
	d := newDesk(t)
	_, err := d.apply(wholeFile)
	require.NoError(t, err)
	shown, err := d.apply(wholeFile)
	require.NoError(t, err)
	assert.Equal(t, "~ credential acme/reader: fields\n= 3 unchanged\n", shown)
	shown, err = d.apply(strings.Replace(wholeFile, "sensitive: true, value_file: pin", `value: ""`, 1))
	require.NoError(t, err)
	assert.Equal(t, "~ credential acme/reader: fields\n= 3 unchanged\n", shown, "one that is not sensitive any more is another field")
}

// A field that was not sensitive has no sealed value to keep.
func TestAFieldThatBecomesSensitiveNeedsAValue(t *testing.T) {
	d := newDesk(t)
	_, err := d.apply(fieldsFile)
	require.NoError(t, err)
	_, err = d.apply(strings.Replace(fieldsFile, "key: Team, value: one", "key: Team, sensitive: true", 1))
	require.ErrorContains(t, err, `line 5: credential "reader": the sensitive field "Team" has no value yet`)
}

// A revoked client is not brought back by a file, and is in no export.
func TestAFileBringsNoClientBack(t *testing.T) {
	d := newDesk(t)
	_, err := d.apply(fieldsFile)
	require.NoError(t, err)
	require.NoError(t, d.RevokeClient(t.Context(), boss, "bot"))
	_, err = d.apply(fieldsFile)
	require.ErrorContains(t, err, `line 11: client "bot": the client "bot" was revoked`)
	exported, err := d.Export(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, string(exported), "bot")
}

// What an export says of a key cannot end its comment.
func TestAnExportsCommentsAreOneLine(t *testing.T) {
	d := newDesk(t)
	d.guide()
	require.NoError(t, d.edit(`UPDATE credentials SET key_hint = char(10) || 'a:b'`))
	exported, err := d.Export(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(exported), "# api_key: set, on "+time.Now().UTC().Format(time.DateOnly)+"\n")
}

// Credentials are in the order of their providers, whatever their own names.
func TestAnExportIsInOrder(t *testing.T) {
	d := newDesk(t)
	_, err := d.apply("providers:\n- {name: b, workspace: b}\n- {name: a, workspace: a}\ncredentials:\n- {provider: b, name: first}\n- {provider: a, name: second}\n- {provider: a, name: first}\n")
	require.NoError(t, err)
	exported, err := d.Export(t.Context())
	require.NoError(t, err)
	var order []string
	for line := range strings.Lines(string(exported)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- provider: "); ok {
			order = append(order, name)
		} else if name, ok := strings.CutPrefix(line, "    name: "); ok {
			order[len(order)-1] += "/" + strings.TrimSpace(name)
		}
	}
	assert.Equal(t, []string{"a/first", "a/second", "b/first"}, order)
}

// An address beside Bitbucket Cloud's is kept by an export, and a client whose
// expiry lies before its creation does not break it.
func TestAnExportOfWhatIsUnusual(t *testing.T) {
	d := newDesk(t)
	admin := Actor{Name: "boss", Transport: "test", AnyAPI: true}
	_, err := d.CreateProvider(t.Context(), admin, Provider{Name: "far", Workspace: "far", API: "https://git.example/2.0"})
	require.NoError(t, err)
	_, _, err = d.CreateClient(t.Context(), boss, Client{Name: "bot", ExpiresIn: time.Hour})
	require.NoError(t, err)
	require.NoError(t, d.edit(`UPDATE clients SET expires_at = 1000000`))
	exported, err := d.Export(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(exported), "api_url: https://git.example/2.0\n")
	assert.NotContains(t, string(exported), "expires_in")
	plan, err := d.PlanFile(t.Context(), admin, parsed(t, string(exported)))
	require.NoError(t, err)
	assert.Equal(t, "= 2 unchanged\n", plan.String())
}

// An export says the word for all, so that it can be brought back over a scope
// that has patterns meanwhile.
func TestAnExportOfAllCanBeBroughtBack(t *testing.T) {
	d := newDesk(t)
	d.guide()
	_, _, err := d.CreateScope(t.Context(), boss, Scope{Name: "all", Provider: "acme", Credential: "reader"})
	require.NoError(t, err)
	exported, err := d.Export(t.Context())
	require.NoError(t, err)
	_, _, err = d.UpdateScope(t.Context(), boss, 0, Scope{Name: "all", Provider: "acme", Credential: "reader", Repositories: []string{"web"}, Branches: []string{"main"}})
	require.NoError(t, err)
	shown, err := d.apply(string(exported))
	require.NoError(t, err)
	assert.Equal(t, "~ scope all: repositories, branches\n= 3 unchanged\n", shown)
}
