package manage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

const wholeFile = `providers:
  - name: acme
    workspace: acme
credentials:
  - provider: acme
    name: reader
    username: me@example.com
    api_key_env: KEY
    fields:
      - {key: Team, value: ""}
      - {key: Pin, sensitive: true, value_file: pin}
    expires_on: 2030-01-02
scopes:
  - name: team
    provider: acme
    credential: reader
    description: "two\nlines "
    repositories:
      - duplocloud-.*
    branches: [main]
clients:
  - name: bot
    scopes: [team]
    expires_in: 90d
`

var testSources = Sources{
	LookupEnv: func(name string) (string, bool) {
		value, ok := map[string]string{"KEY": "ATATT-canary-key-wxyz", "EMPTY": " "}[name]
		return value, ok
	},
	ReadFile: func(path string) ([]byte, error) {
		if path == "pin" {
			return []byte("canary-pin\n"), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("there is no such file")}
	},
}

func parsed(t *testing.T, text string) File {
	t.Helper()
	file, err := ParseFile([]byte(text), testSources)
	require.NoError(t, err)
	return file
}

// apply applies a file and returns the plan that was shown.
func (d *desk) apply(text string) (string, error) {
	d.t.Helper()
	shown := ""
	_, err := d.Apply(d.t.Context(), boss, parsed(d.t, text), func(p Plan) error { shown = p.String(); return nil })
	return shown, err
}

// records are all records, without times of use.
func (d *desk) records() string {
	d.t.Helper()
	var all []any
	err := d.store.View(d.t.Context(), func(tx *store.Tx) error {
		providers, err1 := tx.Providers()
		credentials, err2 := tx.Credentials("")
		scopes, err3 := tx.Scopes()
		clients, err4 := tx.Clients()
		all = append(all, providers, credentials, scopes, clients)
		return errors.Join(err1, err2, err3, err4)
	})
	require.NoError(d.t, err)
	text, err := json.Marshal(all)
	require.NoError(d.t, err)
	return string(text)
}

func TestApplyCreatesUpdatesAndIsDone(t *testing.T) {
	d := newDesk(t)
	shown, err := d.apply(wholeFile)
	require.NoError(t, err)
	assert.Equal(t, "+ provider acme\n+ credential acme/reader\n+ scope team\n+ client bot  (it has no key yet: bucketgate client key makes one)\n= 0 unchanged\n", shown)
	events := d.events()
	require.Len(t, events, 1, "one action, one event")
	assert.Equal(t, "apply", events[0].Tool)
	assert.Equal(t, "team", events[0].Scope)
	assert.Equal(t, "create provider acme, create credential acme/reader, create scope team, create client bot", events[0].Target)

	// The value of a sensitive field cannot be compared, so that it is set anew.
	again := strings.Replace(wholeFile, ", value_file: pin", "", 1)
	before := d.records()
	shown, err = d.apply(again)
	require.NoError(t, err)
	assert.Equal(t, "= 4 unchanged\n", shown)
	assert.Equal(t, before, d.records())
	assert.Len(t, d.events(), 1, "nothing was done")

	changed := strings.NewReplacer("[main]", "[main, dev]", "scopes: [team]", "scopes: []", "    api_key_env: KEY\n", "").Replace(again)
	shown, err = d.apply(changed)
	require.NoError(t, err)
	assert.Equal(t, "~ scope team: branches\n~ client bot: scopes\n= 2 unchanged\n", shown)
	credential, err := d.Credential(t.Context(), "acme", "reader")
	require.NoError(t, err)
	assert.Equal(t, "wxyz", credential.KeyHint, "a credential without a key keeps the stored one")
	assert.Len(t, d.events(), 2)
}

func TestApplyCreatesACredentialWithoutAKey(t *testing.T) {
	d := newDesk(t)
	shown, err := d.apply("providers:\n- {name: acme, workspace: acme}\ncredentials:\n- {provider: acme, name: reader}\n")
	require.NoError(t, err)
	assert.Contains(t, shown, "+ credential acme/reader  (its API key is not set)")
}

func TestPlanFileChangesNothing(t *testing.T) {
	d := newDesk(t)
	plan, err := d.PlanFile(t.Context(), boss, parsed(t, wholeFile))
	require.NoError(t, err)
	assert.Equal(t, 4, plan.Count(Create))
	assert.Equal(t, "[null,null,null,null]", d.records())
	assert.Empty(t, d.events())
}

func TestApplyHoldsToThePlanThatItShowed(t *testing.T) {
	d := newDesk(t)
	_, err := d.Apply(t.Context(), boss, parsed(t, wholeFile), func(Plan) error {
		_, err := d.CreateProvider(t.Context(), boss, Provider{Name: "acme", Workspace: "acme"})
		return err
	})
	assert.ErrorContains(t, err, "apply the file again")
	_, err = d.Scope(t.Context(), "team")
	assert.Error(t, err)
}

func TestApplyRefusesAWholeFile(t *testing.T) {
	for name, row := range map[string]struct{ file, words string }{
		"a provider that is not there": {"scopes:\n- name: web\n  provider: acmee\n  credential: reader\n", `line 3: scope "web": there is no provider "acmee"; did you mean "acme"?`},
		"a credential that is not":     {"scopes:\n- name: web\n  provider: acme\n  credential: raeder\n", `line 4: scope "web": there is no credential "raeder"; did you mean "reader"?`},
		"a pattern":                    {"scopes:\n- name: web\n  provider: acme\n  credential: reader\n  branches:\n  - main\n  - '('\n", `line 7: scope "web": pattern "("`},
		"an action to come":            {"scopes:\n- name: web\n  provider: acme\n  credential: reader\n  actions: [merge]\n", `line 2: scope "web": the action "merge" has no tool yet`},
		"a list that is emptied":       {"scopes:\n- name: team\n  provider: acme\n  credential: reader\n  branches: [main]\n", `line 2: scope "team": an empty list of repositories means all of them: say all_repositories`},
		"a workspace under a key":      {"providers:\n- {name: acme, workspace: other}\n", `line 2: provider "acme"`},
		"an address":                   {"providers:\n- {name: new, workspace: new, api_url: https://evil.example}\n", "is not allowed here"},
		"a key without a user":         {"credentials:\n- {provider: acme, name: new, api_key_env: KEY}\n", `line 2: credential "new": the API key is an API token, which needs a user name`},
		"a sensitive field":            {"credentials:\n- provider: acme\n  name: new\n  fields:\n  - {key: Pin, sensitive: true}\n", `line 5: credential "new": the sensitive field "Pin" has no value yet`},
		"a client's scope":             {"clients:\n- name: bot\n  scopes:\n  - team\n  - taem\n", `line 5: client "bot": there is no scope "taem"; did you mean "team"?`},
		"a role":                       {"clients:\n- {name: bot, role: root}\n", `line 2: client "bot": there is no role "root"`},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.guide()
			before := d.records()
			_, err := d.apply(row.file)
			require.ErrorContains(t, err, row.words)
			assert.Equal(t, before, d.records())
			events := d.events()
			assert.Equal(t, "apply", events[0].Tool)
			assert.Equal(t, audit.Denied, events[0].Decision)
		})
	}
}

func TestApplyWritesNothingOfAFileThatIsWrongAtItsEnd(t *testing.T) {
	d := newDesk(t)
	_, err := d.apply(wholeFile + "  - {name: other, scopes: [tean]}\n")
	require.ErrorContains(t, err, `line 25: client "other": there is no scope "tean"; did you mean "team"?`)
	assert.Equal(t, "[null,null,null,null]", d.records())
}

func TestApplyDoesNotProlongAClient(t *testing.T) {
	d := newDesk(t)
	_, _, err := d.CreateClient(t.Context(), boss, Client{Name: "bot", ExpiresIn: 90 * 24 * time.Hour})
	require.NoError(t, err)
	for file, want := range map[string]string{
		"clients:\n- {name: bot}\n":                   "= 1 unchanged\n",
		"clients:\n- {name: bot, expires_in: 90d}\n":  "= 1 unchanged\n",
		"clients:\n- {name: bot, expires_in: 720h}\n": "~ client bot: expires_in\n= 0 unchanged\n",
	} {
		plan, err := d.PlanFile(t.Context(), boss, parsed(t, file))
		require.NoError(t, err)
		assert.Equal(t, want, plan.String())
	}
	_, err = d.PlanFile(t.Context(), boss, parsed(t, "clients:\n- {name: bot, expires_in: 1ns}\n"))
	assert.ErrorContains(t, err, "would be over")
	require.NoError(t, d.RevokeClient(t.Context(), boss, "bot"))
	_, err = d.PlanFile(t.Context(), boss, parsed(t, "clients:\n- {name: bot}\n"))
	assert.ErrorContains(t, err, "was revoked")
}

func TestApplyWarnsInTheLineOfThePattern(t *testing.T) {
	d := newDesk(t)
	d.guide()
	plan, err := d.PlanFile(t.Context(), boss, parsed(t, "scopes:\n- name: web\n  provider: acme\n  credential: reader\n  branches:\n  - ^feature/\n"))
	require.NoError(t, err)
	require.Len(t, plan.Warnings, 1)
	assert.Contains(t, plan.Warnings[0], `line 6: scope "web": branches: ^feature/`)
}

func TestExportIsTheFileThatChangesNothing(t *testing.T) {
	d := newDesk(t)
	_, err := d.apply(wholeFile)
	require.NoError(t, err)
	_, err = d.CreateCredential(t.Context(), boss, Credential{Provider: "acme", Name: "bare"})
	require.NoError(t, err)
	_, err = d.CreateProvider(t.Context(), boss, Provider{Name: "2030", Workspace: "true", Description: "a: b # c\u0085\t'\"\ud7ff{[&*!"})
	require.NoError(t, err)
	_, _, err = d.CreateScope(t.Context(), boss, Scope{Name: "all", Provider: "acme", Credential: "bare", ExcludeBranches: []string{"!x", "yes", "0x10"}})
	require.NoError(t, err)

	exported, err := d.Export(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, string(exported), "canary")
	assert.Contains(t, string(exported), "  # api_key: set, ends in …wxyz, on ")
	assert.Contains(t, string(exported), "  # api_key: not set\n")
	assert.Contains(t, string(exported), "expires_in: 90d\n")
	again, err := d.Export(t.Context())
	require.NoError(t, err)
	assert.Equal(t, string(exported), string(again))

	before := d.records()
	shown, err := d.apply(string(exported))
	require.NoError(t, err)
	assert.Equal(t, "= 7 unchanged\n", shown, "%s", exported)
	assert.Equal(t, before, d.records())
}

// Whatever text a record holds, an export keeps all of it, and writes none of it
// as something else.
func TestAnExportKeepsEveryText(t *testing.T) {
	d := newDesk(t)
	for i, text := range []string{
		"\x00", "\u2028", "\u2029", "\ufeff", "\u0085", "\x7f", "\uffff", "\r\n", "\n\n", "\t", " ", "\u00a0", "\u200b", "\u202e", "\U0001F600",
		"- a", "? b", ": c", "a: b", "a #b", "# c", " - \n\n  a", "\n\n\n- a\n  b", "%x", "@x", "`x", "!x", "&a", "*a", "'", `"`, `\`, "|", ">", "{}", "[]", "---", "...", "--- a",
		"~", "null", "=", "<<", "y", "on", "1e3", "0o7", "1_000", "1:20", ".inf", "2001-01-01", "2001-01-01T00:00:00Z", "",
	} {
		name := fmt.Sprintf("p%d", i)
		_, err := d.CreateProvider(t.Context(), boss, Provider{Name: name, Workspace: "acme", Description: text})
		require.NoError(t, err)
		_, err = d.CreateCredential(t.Context(), boss, Credential{Provider: name, Name: "reader", Fields: []store.Field{{Key: "k" + text + "k", Value: text}, {Key: "other", Value: "x" + text + "x"}}})
		require.NoError(t, err)
		_, _, err = d.CreateScope(t.Context(), boss, Scope{Name: name, Provider: name, Credential: "reader", Description: text + "x"})
		require.NoError(t, err)
	}
	exported, err := d.Export(t.Context())
	require.NoError(t, err)
	shown, err := d.apply(string(exported))
	require.NoError(t, err)
	assert.Equal(t, "= 159 unchanged\n", shown)
}

// A stored key that cannot be opened any more is set by a file that has it,
// whether it was changed or its own key is gone.
func TestApplySetsAKeyThatDoesNotOpen(t *testing.T) {
	for name, statement := range map[string]string{
		"it was changed":     `UPDATE sealed_values SET version = version + 1`,
		"its key is unknown": `UPDATE sealed_values SET sealed = CAST(x'01ffffffff' || substr(sealed, 6) AS BLOB)`,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.guide()
			require.NoError(t, d.edit(statement))
			shown, err := d.apply("credentials:\n- {provider: acme, name: reader, username: me@example.com, api_key_env: KEY}\n")
			require.NoError(t, err)
			assert.Equal(t, "~ credential acme/reader: api_key\n= 0 unchanged\n", shown)
			credential, err := d.Credential(t.Context(), "acme", "reader")
			require.NoError(t, err)
			key, err := d.store.CredentialKey(t.Context(), credential.ID)
			require.NoError(t, err)
			assert.Equal(t, "ATATT-canary-key-wxyz", key.Reveal())
		})
	}
}

// Of a file that gives the stored key again nobody is said to have set one.
func TestApplyWritesNoMoreThanThePlanSays(t *testing.T) {
	now := time.Now()
	d := newDeskAt(t, func() time.Time { return now })
	d.guide()
	set := now
	now = now.Add(48 * time.Hour)
	shown, err := d.apply("credentials:\n- {provider: acme, name: reader, username: you@example.com, api_key_env: KEY}\n")
	require.NoError(t, err)
	assert.Equal(t, "~ credential acme/reader: username\n= 0 unchanged\n", shown)
	credential, err := d.Credential(t.Context(), "acme", "reader")
	require.NoError(t, err)
	assert.WithinDuration(t, set, credential.KeySetAt, time.Second)
	assert.WithinDuration(t, now, credential.UpdatedAt, time.Second)
}

// Whether an expiry is over goes by the clock of the records.
func TestApplyCountsAnExpiryByTheClockOfTheRecords(t *testing.T) {
	now := time.Now()
	d := newDeskAt(t, func() time.Time { return now })
	_, _, err := d.CreateClient(t.Context(), boss, Client{Name: "bot", ExpiresIn: 90 * wholeDay})
	require.NoError(t, err)
	now = now.Add(10 * wholeDay)
	_, err = d.PlanFile(t.Context(), boss, parsed(t, "clients:\n- {name: bot, expires_in: 9d}\n"))
	assert.ErrorContains(t, err, "would be over")
	_, err = d.PlanFile(t.Context(), boss, parsed(t, "clients:\n- {name: bot, expires_in: 11d}\n"))
	assert.NoError(t, err)
}

// A client's expiry and its creation are counted from one instant, wherever in
// a second it is, and however the clock goes on between two looks at it.
func TestAnExportSaysHowLongAClientWasGiven(t *testing.T) {
	second := time.Now().UTC().Truncate(time.Second)
	for _, part := range []time.Duration{0, time.Microsecond, 400 * time.Millisecond, 500 * time.Millisecond, 600 * time.Millisecond, time.Second - time.Microsecond, time.Second - time.Nanosecond} {
		t.Run(part.String(), func(t *testing.T) {
			look := 0
			d := newDeskAt(t, func() time.Time { look++; return second.Add(part + time.Duration(look)*700*time.Millisecond) })
			d.guide()
			_, err := d.apply("clients:\n- {name: applied, expires_in: 90d}\n")
			require.NoError(t, err)
			_, _, err = d.CreateClient(t.Context(), boss, Client{Name: "commanded", ExpiresIn: 36 * time.Hour})
			require.NoError(t, err)
			exported, err := d.Export(t.Context())
			require.NoError(t, err)
			assert.Contains(t, string(exported), "expires_in: 90d\n")
			assert.Contains(t, string(exported), "expires_in: 36h0m0s\n")
			shown, err := d.apply(string(exported))
			require.NoError(t, err)
			assert.Equal(t, "= 5 unchanged\n", shown)
		})
	}
}

func TestExportOfNothingIsAFileToo(t *testing.T) {
	d := newDesk(t)
	exported, err := d.Export(t.Context())
	require.NoError(t, err)
	shown, err := d.apply(string(exported))
	require.NoError(t, err)
	assert.Equal(t, "= 0 unchanged\n", shown)
}

func TestFileIsStrict(t *testing.T) {
	long := "scopes:\n" + strings.Repeat("# a comment\n", 36) + "- name: web\n  provider: acme\n"
	for name, row := range map[string]struct{ file, words string }{
		"unknown key on line 40":  {long + "  repositry: [a]\n  credential: c\n", "line 40: scopes: unknown key repositry; did you mean repositories?"},
		"unknown key at the top":  {"scope:\n- name: web\n", "line 1: unknown key scope; did you mean scopes?"},
		"nothing like it":         {"clients:\n- name: a\n  zzzzzz: 1\n", "line 3: clients: unknown key zzzzzz; the keys are name, role, scopes, expires_in"},
		"inline key":              {"credentials:\n- provider: a\n  name: b\n  api_key: ATATT-canary\n", "line 4: credentials: a key does not stand in the file: write api_key_env"},
		"a key as a key":          {"credentials:\n- provider: a\n  name: b\n  ATATT-canary0: x\n", "line 4: credentials: unknown key; the keys are"},
		"key in place of a name":  {"credentials:\n- {provider: a, name: b, api_key_env: ATATTcanary}\n", "line 2: credentials: the variable that api_key_env names is not set, or empty"},
		"empty variable":          {"credentials:\n- {provider: a, name: b, api_key_env: EMPTY}\n", "is not set, or empty"},
		"no key file":             {"credentials:\n- {provider: a, name: b, api_key_file: /canary}\n", "line 2: credentials: the file that api_key_file names cannot be read: there is no such file"},
		"two keys":                {"credentials:\n- {provider: a, name: b, api_key_file: pin, api_key_env: KEY}\n", "are both given"},
		"sensitive value":         {"credentials:\n- provider: a\n  name: b\n  fields:\n  - {key: k, sensitive: true, value: canary}\n", "line 5: credentials: fields: the value of a sensitive field does not stand in the file"},
		"two values":              {"credentials:\n- provider: a\n  name: b\n  fields:\n  - {key: k, value: a, value_env: KEY}\n", "one of value, value_env and value_file"},
		"no value":                {"credentials:\n- provider: a\n  name: b\n  fields:\n  - {key: k}\n", "line 5: credentials: fields: the field has no value"},
		"bad day":                 {"credentials:\n- {provider: a, name: b, expires_on: 2030-13-01}\n", "expires_on is a day such as"},
		"repeated key":            {"providers:\n- name: a\n  workspace: b\n  name: c\n", "line 4: providers: name is given twice, first on line 2"},
		"repeated top":            {"providers: []\nproviders: []\n", "line 2: providers is given twice"},
		"repeated record":         {"providers:\n- {name: a, workspace: b}\n- {name: a, workspace: c}\n", "line 3: providers: this name is given twice, first on line 2"},
		"missing key":             {"scopes:\n- name: a\n  provider: p\n", "line 2: scopes: credential is missing"},
		"number for text":         {"providers:\n- name: 12\n  workspace: b\n", "line 2: providers: name is text: put it in quotes"},
		"text for a list":         {"scopes:\n- {name: a, provider: p, credential: c, branches: main}\n", "line 2: scopes: branches is a list"},
		"mapping for a list":      {"scopes:\n  web: {}\n", "line 2: scopes is a list"},
		"list for a mapping":      {"scopes:\n- [a]\n", "line 2: scopes: this is not a mapping"},
		"number in a list":        {"scopes:\n- name: a\n  provider: p\n  credential: c\n  branches:\n  - main\n  - 1\n", "line 7: scopes: an item of branches is text"},
		"text for a bool":         {"scopes:\n- {name: a, provider: p, credential: c, all_branches: 'true'}\n", "all_branches is true or false"},
		"all and a list":          {"scopes:\n- {name: a, provider: p, credential: c, all_branches: true, branches: [a]}\n", "are both given: leave one out"},
		"no value at all":         {"scopes:\n- name: a\n  provider: p\n  credential: c\n  branches:\n", "branches has no value: write one, or leave the key out"},
		"anchor":                  {"providers:\n- &x {name: a, workspace: b}\n", "line 2: providers: anchors (&name) are not taken"},
		"alias":                   {"scopes:\n- {name: a, provider: p, credential: c, repositories: &r [x]}\n- {name: b, provider: p, credential: c, repositories: *r}\n", "line 3: scopes: aliases (*name) are not taken"},
		"merge key":               {"providers:\n- name: a\n  workspace: b\n  <<: {type: bitbucket}\n", "line 4: providers: merge keys (<<) are not taken"},
		"tag":                     {"providers:\n- name: !!str 12\n  workspace: b\n", "line 2: providers: tags (!name) are not taken"},
		"two documents":           {"providers: []\n---\nproviders: []\n", "a second document begins: put all into one"},
		"empty":                   {"# nothing\n", "the file is empty"},
		"only null":               {"---\n", "the file is empty"},
		"a list at the top":       {"- a\n", "line 1: this is not a mapping"},
		"not UTF-8":               {"providers: []\n# \xff\n", "line 2: the file is not UTF-8"},
		"too long":                {strings.Repeat("#", MaxFile+1), "more than 1048576 bytes"},
		"expires_in":              {"clients:\n- {name: a, expires_in: 0d}\n", "line 2: clients: expires_in is a duration above zero"},
		"expires_in out of range": {"clients:\n- {name: a, expires_in: 999999d}\n", "expires_in is a duration above zero"},
		"a key as an alias":       {"providers: *ATATTcanary\n", "line 1: this is not YAML: unknown anchor '…' referenced"},
		"bad YAML on line 40":     {long + "  credential: 'c\n", "line 40: this is not YAML: "},
		"bad indent on line 40":   {long + "   credential: c\n", "line 40: this is not YAML: "},
		"a tab on line 40":        {long + "\tcredential: c\n", "line 40: this is not YAML: "},
		"a brace on line 40":      {long + "  credential: }\n  branches: []\n", "line 40: this is not YAML: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseFile([]byte(row.file), testSources)
			require.ErrorContains(t, err, row.words)
			assert.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestFileTellsSeveralMistakesInOrder(t *testing.T) {
	_, err := ParseFile([]byte("clients:\n- nme: a\nproviders:\n- {name: a}\n"), testSources)
	assert.EqualError(t, err, "line 2: clients: unknown key nme; did you mean name?\nline 2: clients: name is missing\nline 4: providers: workspace is missing")
	_, err = ParseFile([]byte("scopes:\n"+strings.Repeat("- {a: b}\n", 50)), testSources)
	assert.ErrorContains(t, err, "more mistakes")
}

func TestFileSchemaIsClosedAndHoldsNoKey(t *testing.T) {
	text, err := FileSchema()
	require.NoError(t, err)
	var schema struct {
		AdditionalProperties bool
		Properties           map[string]struct {
			Items struct {
				Required   []string
				Properties map[string]any
			}
		}
	}
	schema.AdditionalProperties = true
	require.NoError(t, json.Unmarshal(text, &schema))
	assert.False(t, schema.AdditionalProperties)
	credentials := schema.Properties["credentials"].Items
	assert.Equal(t, []string{"provider", "name"}, credentials.Required)
	assert.Contains(t, credentials.Properties, "api_key_env")
	assert.NotContains(t, credentials.Properties, "api_key")
	assert.NotContains(t, string(text), "place")
	assert.Len(t, schema.Properties["scopes"].Items.Properties, 11)
}

func TestFileDurationsReadBack(t *testing.T) {
	for _, lasts := range []time.Duration{time.Second, 36 * time.Hour, 90 * wholeDay, wholeDay + time.Second} {
		got, ok := ParseDuration(formatLasting(lasts))
		assert.True(t, ok)
		assert.Equal(t, lasts, got)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add(wholeFile)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = ParseFile([]byte(text), testSources) })
}
