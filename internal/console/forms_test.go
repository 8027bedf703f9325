package console

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/snippets"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

func TestAnErrorStandsAtItsFieldAndInTheSummary(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v := h.loggedIn("anna")
	for path, row := range map[string]struct {
		form  url.Values
		field string
		words string
	}{
		"/admin/new-provider":                  {url.Values{"name": {"typed before"}, "workspace": {"../x"}}, "f-workspace", "The workspace is the slug"},
		"/admin/providers/spare/edit":          {url.Values{"version": {"1"}, "workspace": {""}, "description": {"typed before"}}, "f-workspace", "The workspace is the slug"},
		"/admin/providers/acme/new-credential": {url.Values{"name": {"typed before"}, "expires_on": {"tomorrow"}}, "f-expires-on", "The day is not one"},
		"/admin/providers/acme/new-scope":      {url.Values{"name": {"typed before"}, "credential": {"reader"}, "branches": {"main\r\nrel[ease"}}, "f-branches", "Pattern"},
		"/admin/scopes/platform":               {url.Values{"version": {"1"}, "credential": {"reader"}, "branches": {"typed before"}}, "f-repositories", "An empty list of repositories means all"},
		"/admin/new-client":                    {url.Values{"name": {"typed before"}, "role": {"agent"}, "scope": {"nothing"}, "expires": {"90"}}, "f-scopes", "There is no scope"},
		"/admin/clients/claude":                {url.Values{"version": {"1"}, "role": {"king"}}, "f-role", "There is no role"},
		"/admin/try":                           {url.Values{"scope": {"platform"}, "ask": {"get_repo"}}, "f-repository", "Name a repository"},
	} {
		a := v.post(path, row.form)
		assert.Equal(t, http.StatusUnprocessableEntity, a.status, path)
		assert.Contains(t, a.body, `<title>Error: `, path)
		assert.Contains(t, a.body, `<a href="#`+row.field+`">`+row.words, path)
		assert.Contains(t, a.body, `id="`+row.field+`-error"`, path)
		assert.Contains(t, a.body, row.field+`-error`, path)
		if strings.Contains(row.form.Encode(), "typed+before") {
			assert.Contains(t, a.body, "typed before", "%s keeps what was typed", path)
		}
	}
	// A key without an end must not come of a form that says nothing.
	for _, expires := range []string{"", "x", "-1", "99999"} {
		a := v.post("/admin/new-client", url.Values{"name": {"endless"}, "role": {"agent"}, "expires": {expires}})
		assert.Equal(t, http.StatusUnprocessableEntity, a.status)
		assert.Contains(t, a.body, "Choose when the key expires.")
	}
}

func TestACredentialKeepsWhatIsLeftEmpty(t *testing.T) {
	h := newHouse(t)
	h.guide()
	v := h.loggedIn("anna")
	const at = "/admin/providers/acme/credentials/reader"
	save := func(version string, form url.Values) {
		t.Helper()
		form.Set("version", version)
		form.Set("username", sampleUser)
		a := v.post(at, form)
		require.Equal(t, "/admin/providers/acme", a.location(), a.body)
	}
	save("1", url.Values{"field_key": {"token", "region"}, "field_value": {"one", "eu"}, "field_own": {"0", "0"}})
	page := v.must(at)
	assert.Contains(t, page, "Set; leave empty to keep")
	assert.Contains(t, page, "ends in …wxyz")
	save("2", url.Values{"field_key": {"token", "region"}, "field_value": {"", "us"}, "field_own": {"1", "1"}, "field_sensitive": {"0"}})
	stored, err := h.service.Credential(t.Context(), "acme", "reader")
	require.NoError(t, err)
	assert.Equal(t, []store.Field{{Key: "token", Sensitive: true}, {Key: "region", Value: "us"}}, stored.Fields)
	assert.True(t, stored.KeySet)
	assert.Equal(t, "root", stored.KeySetBy, "the key is the old one")
	save("3", url.Values{"api_key": {sampleToken + "2"}, "field_key": {"", "region"}, "field_value": {"", "us"}, "field_own": {"1", "1"}})
	stored, err = h.service.Credential(t.Context(), "acme", "reader")
	require.NoError(t, err)
	assert.Equal(t, []store.Field{{Key: "region", Value: "us"}}, stored.Fields)
	assert.Equal(t, "anna", stored.KeySetBy)
	assert.Contains(t, v.must("/admin/providers/acme"), "does not work", "the new key is tested")
}

func TestAListIsNotEmptiedByMistake(t *testing.T) {
	h := newHouse(t)
	h.guide()
	v := h.loggedIn("anna")
	form := url.Values{"version": {"1"}, "credential": {"reader"}, "branches": {"main"}}
	assert.Equal(t, http.StatusUnprocessableEntity, v.post("/admin/scopes/platform", form).status)
	form.Set("all_repositories", "1")
	assert.Equal(t, http.StatusSeeOther, v.post("/admin/scopes/platform", form).status)
	stored, err := h.service.Scope(t.Context(), "platform")
	require.NoError(t, err)
	assert.Empty(t, stored.Repositories)
	assert.Equal(t, []string{"main"}, stored.Branches)
	assert.Equal(t, []policy.Action{policy.Read}, stored.Actions)
}

func TestDeletingNamesWhatIsInTheWay(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v := h.loggedIn("anna")
	for path, users := range map[string][]string{
		"/admin/providers/acme/delete":                    {"credential <b>", "reader", "scope <a", "platform"},
		"/admin/providers/acme/credentials/reader/delete": {`href="/admin/scopes/platform"`, `href="/admin/scopes/spare"`},
		"/admin/scopes/platform/delete":                   {`href="/admin/clients/claude"`, `href="/admin/clients/cursor"`},
	} {
		page := v.must(path)
		for _, words := range users {
			assert.Contains(t, strings.ReplaceAll(page, "\n", ""), words, path)
		}
		assert.NotContains(t, page, "danger", "there is nothing to press")
		// Somebody had the question open before it was used.
		a := v.post(path, nil)
		assert.Equal(t, path, a.location())
		assert.Contains(t, v.must(path), "is in use by")
	}
	for _, path := range []string{"/admin/scopes/spare/delete", "/admin/providers/acme/credentials/wrong/delete", "/admin/providers/spare/delete", "/admin/clients/claude/revoke"} {
		assert.Contains(t, v.must(path), "danger")
		assert.Equal(t, http.StatusSeeOther, v.post(path, nil).status, path)
	}
	assert.Equal(t, http.StatusNotFound, v.post("/admin/scopes/spare/delete", nil).status)
}

func TestLongListsHaveParts(t *testing.T) {
	h := newHouse(t)
	h.guide()
	stored, err := h.service.Scope(t.Context(), "platform")
	require.NoError(t, err)
	require.NoError(t, h.store.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 120 {
			if _, err := tx.CreateClient(store.Client{Name: fmt.Sprintf("bot %03d", i), Role: "agent", Scopes: []string{"platform"}}); err != nil {
				return err
			}
			_, err := tx.CreateScope(store.Scope{Name: fmt.Sprintf("scope %03d", i), ProviderID: stored.ProviderID, CredentialID: stored.CredentialID, Actions: stored.Actions})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	v := h.loggedIn("anna")
	more := regexp.MustCompile(`<a href="([^"]*after=[^"]*)">(?:More|Older)</a>`)
	walk := func(path, row string) (rows, pages int) {
		t.Helper()
		for path != "" && pages < 10 {
			page := v.must(path)
			rows += strings.Count(page, row)
			pages++
			path = ""
			if match := more.FindStringSubmatch(page); match != nil {
				path = html.UnescapeString(match[1])
			}
		}
		return rows, pages
	}
	rows, pages := walk("/admin/clients", `<th scope="row"><a href="/admin/clients/bot%20`)
	assert.Equal(t, []int{120, 3}, []int{rows, pages})
	rows, pages = walk("/admin/clients?q=bot+00", `<th scope="row"><a href="/admin/clients/bot%20`)
	assert.Equal(t, []int{10, 1}, []int{rows, pages})
	rows, pages = walk("/admin/providers/acme/scopes", `<th scope="row"><a href="/admin/scopes/scope%20`)
	assert.Equal(t, []int{120, 3}, []int{rows, pages})
	for i := range 120 {
		require.NoError(t, h.audit.Commit(t.Context(), audit.Event{ID: fmt.Sprint(i), Time: time.Now(), Caller: "many", Tool: "get_repo", Decision: audit.Denied}))
	}
	rows, pages = walk("/admin/audit?caller=many&decision=denied", "<td>many</td>")
	assert.Equal(t, []int{120, 3}, []int{rows, pages})
	assert.Contains(t, v.must("/admin/scopes/platform/delete"), "and more", "not all 120 are named")
}

func TestTheAuditLogIsFilteredAndExported(t *testing.T) {
	h := newHouse(t)
	h.guide()
	v := h.loggedIn("anna")
	event := func(id string, at time.Time, decision audit.Decision) {
		t.Helper()
		require.NoError(t, h.audit.Commit(t.Context(), audit.Event{ID: id, Time: at, Caller: "bot", Role: "agent", Tool: "get_repo", Scope: "platform,other", Target: "acme/" + id, Decision: decision}))
	}
	event("first", time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), audit.Denied)
	event("second", time.Date(2026, 1, 2, 3, 5, 0, 0, time.UTC), audit.Allowed)
	for query, want := range map[string][2]bool{
		"caller=bot":                        {true, true},
		"caller=bot&decision=denied":        {true, false},
		"scope=other&tool=get_repo":         {true, true},
		"caller=anna":                       {false, false},
		"caller=bot&since=2026-01-02T03:05": {false, true},
		"caller=bot&until=2026-01-02T03:05": {true, false},
		"until=2026-01-02T03:04:30Z":        {true, false},
		"caller=bot&tool=list_repos":        {false, false},
	} {
		page := v.must("/admin/audit?" + query)
		assert.Equal(t, want, [2]bool{strings.Contains(page, "acme/first"), strings.Contains(page, "acme/second")}, query)
		export := v.get("/admin/audit/export?" + query)
		assert.Equal(t, "application/x-ndjson", export.header.Get("Content-Type"))
		assert.Contains(t, export.header.Get("Content-Disposition"), `attachment; filename="bucketgate-audit-`)
		assert.Equal(t, want, [2]bool{strings.Contains(export.body, "acme/first"), strings.Contains(export.body, "acme/second")}, query)
		for line := range strings.Lines(export.body) {
			assert.True(t, json.Valid([]byte(line)))
		}
	}
	assert.Equal(t, "export_audit", h.events()[0].Tool)
	assert.Equal(t, http.StatusUnprocessableEntity, v.get("/admin/audit?decision=maybe").status)
	assert.Equal(t, http.StatusUnprocessableEntity, v.get("/admin/audit/export?since=soon").status)
}

func TestTheStateOfTheChain(t *testing.T) {
	h := newHouse(t)
	h.guide()
	v := h.loggedIn("anna")
	check := func(words string) {
		t.Helper()
		v.post("/admin/audit/verify", nil)
		require.Eventually(t, func() bool { return !h.console.chain.state().Running }, time.Minute, 5*time.Millisecond)
		assert.Contains(t, v.must("/admin/audit"), words)
	}
	assert.Contains(t, v.must("/admin/audit"), "Not checked")
	check("Whole")
	db, err := sql.Open("sqlite", h.database)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(context.Background(), `UPDATE audit_events SET caller = 'nobody' WHERE tool = 'create_scope'`)
	require.NoError(t, err)
	check("Broken")
	assert.Contains(t, v.must("/admin/audit"), "caller")
}

// What the snippets say is tested where they are made; here, that they are
// those, and which comes first.
func TestEachClientGetsItsOwnSnippet(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.PublicURL, c.AgentURL = "https://admin.example/", "https://gate.example/" })
	h.guide()
	all := snippets.For(snippets.Target{URL: "https://gate.example/mcp"})
	v := h.loggedIn("anna")
	for i, s := range all {
		form := url.Values{"name": {fmt.Sprint("bot-", i)}, "role": {"agent"}, "scope": {"platform"}, "expires": {"90"}, "program": {s.Client}}
		page := html.UnescapeString(v.post("/admin/new-client", form).body)
		require.Contains(t, page, s.Text)
		assert.Contains(t, page, s.Command)
		assert.Contains(t, page, s.Note)
		assert.Less(t, strings.Index(page, `<details class="snippet" name="snippet" open>`), strings.Index(page, s.Text))
		for _, other := range all {
			require.Contains(t, page, other.Text, "the others are there too")
			assert.LessOrEqual(t, strings.Index(page, s.Text), strings.Index(page, other.Text), "the chosen one is the first")
		}
		assert.NotContains(t, page, "admin.example")
	}
	admin := v.post("/admin/new-client", url.Values{"name": {"chief"}, "role": {"admin"}, "expires": {"90"}})
	assert.Contains(t, admin.body, "https://admin.example/admin/mcp")
	assert.Contains(t, admin.body, "bucketgate-admin")
}

func TestAKeyIsShownOnce(t *testing.T) {
	h := newHouse(t)
	h.guide()
	v := h.loggedIn("anna")
	form := url.Values{"name": {"bot"}, "role": {"agent"}, "scope": {"platform"}, "expires": {"90"}}
	first := v.post("/admin/new-client", form)
	require.Equal(t, http.StatusOK, first.status)
	assert.Equal(t, "no-store", first.header.Get("Cache-Control"))
	key := between(first.body, `id="client-key">`, "<")
	again := v.post("/admin/new-client", form) // a reload
	assert.Equal(t, http.StatusUnprocessableEntity, again.status)
	assert.Contains(t, again.body, "There is a client &#34;bot&#34; already")
	assert.NotContains(t, again.body, "bg_")
	client, err := h.service.Client(t.Context(), "bot")
	require.NoError(t, err)
	assert.Equal(t, []string{"platform"}, client.Scopes)
	assert.WithinDuration(t, time.Now().Add(90*day), client.ExpiresAt, time.Hour)
	assert.True(t, strings.HasPrefix(key, client.KeyPrefix))
	assert.NotContains(t, v.must("/admin/clients/bot"), key)
}

func TestAConsoleRefusesWhatItCannotWorkWith(t *testing.T) {
	service := manage.New(manage.Config{})
	for _, config := range []Config{{PublicURL: "https://gate.example"}, {Service: service}, {Service: service, PublicURL: "gate.example"}, {Service: service, PublicURL: "ftp://gate.example"}} {
		_, err := New(config)
		assert.Error(t, err)
	}
	c, err := New(Config{Service: service, PublicURL: "https://gate.example"})
	require.NoError(t, err)
	assert.NotNil(t, c)
}

// A form that lost its fields on the way must not read as one in which
// everything was emptied, and one without a version would overwrite what
// somebody else has saved.
func TestAFormThatIsNotWholeChangesNothing(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v := h.loggedIn("anna")
	whole := map[string]url.Values{
		"/admin/providers/acme/edit":               {"description": {"changed"}},
		"/admin/providers/acme/credentials/reader": {"username": {"changed@example.com"}},
		"/admin/scopes/platform":                   {"credential": {"reader"}, "repositories": {"changed"}, "branches": {"changed"}},
		"/admin/clients/claude":                    {"role": {"agent"}},
		"/admin/clients/claude/key":                {},
	}
	before := h.events()
	for path, form := range whole {
		for _, version := range []string{"", "0", "-1", "x", "1e3", "99999999999999999999"} {
			form := maps.Clone(form)
			form.Set("version", version)
			assert.Equal(t, http.StatusBadRequest, v.post(path, form).status, "%s with the version %q", path, version)
		}
		assert.Equal(t, http.StatusBadRequest, v.post(path, url.Values{}).status, path)
		for _, kind := range []string{"multipart/form-data; boundary=x", "text/plain", "application/json", ""} {
			a := v.send(http.MethodPost, path, url.Values{"version": {"1"}}, map[string]string{"Content-Type": kind})
			assert.Equal(t, http.StatusBadRequest, a.status, "%s as %q", path, kind)
		}
	}
	for _, path := range []string{"/admin/login", "/admin/new-provider", "/admin/new-client", "/admin/providers/acme/new-scope", "/admin/try"} {
		a := v.send(http.MethodPost, path, everything(), map[string]string{"Content-Type": "multipart/form-data; boundary=x"})
		assert.Equal(t, http.StatusBadRequest, a.status, path)
		assert.Contains(t, a.body, "cannot be read", path)
	}
	assert.Equal(t, before, h.events())
	client, err := h.service.Client(t.Context(), "claude")
	require.NoError(t, err)
	assert.Equal(t, []string{"platform"}, client.Scopes)
}

// Of what a form does not offer nothing is taken.
func TestAFieldThatIsNotInTheFormCountsForNothing(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v := h.loggedIn("anna")
	extra := func(form url.Values) url.Values {
		for _, name := range []string{"id", "ID", "Name", "name", "provider", "provider_id", "Provider", "workspace", "Workspace", "api_url", "actions", "Actions", "key_hash", "KeyHash", "revoked_at", "updated_by", "UpdatedBy"} {
			form.Set(name, "wrong")
		}
		return form
	}
	require.Equal(t, http.StatusSeeOther, v.post("/admin/providers/acme/edit", extra(url.Values{"version": {"1"}})).status)
	require.Equal(t, http.StatusSeeOther, v.post("/admin/providers/acme/credentials/reader", extra(url.Values{"version": {"1"}, "username": {sampleUser}})).status)
	require.Equal(t, http.StatusSeeOther, v.post("/admin/scopes/platform", extra(url.Values{"version": {"1"}, "credential": {"reader"}, "repositories": {"api"}, "branches": {"main"}})).status)
	require.Equal(t, http.StatusSeeOther, v.post("/admin/clients/claude", extra(url.Values{"version": {"1"}, "role": {"agent"}, "scope": {"platform"}})).status)
	provider, err := h.service.Provider(t.Context(), "acme")
	require.NoError(t, err)
	assert.Equal(t, []string{"acme", h.upstream.URL(), "anna"}, []string{provider.Workspace, provider.API, provider.UpdatedBy})
	scope, err := h.service.Scope(t.Context(), "platform")
	require.NoError(t, err)
	assert.Equal(t, []string{"acme", "anna"}, []string{scope.Provider, scope.UpdatedBy})
	assert.Equal(t, []policy.Action{policy.Read}, scope.Actions)
	// Nor can a scope of one provider be given the credential of another.
	_, err = h.service.CreateCredential(t.Context(), h.boss, manage.Credential{Provider: "spare", Name: "of another"})
	require.NoError(t, err)
	a := v.post("/admin/scopes/platform", url.Values{"version": {"2"}, "credential": {"of another"}, "repositories": {"api"}, "branches": {"main"}})
	assert.Equal(t, http.StatusUnprocessableEntity, a.status)
	assert.Equal(t, http.StatusUnprocessableEntity, v.get("/admin/providers/spare/credentials/reader").status)
	assert.Equal(t, http.StatusUnprocessableEntity, v.post("/admin/providers/spare/credentials/reader/delete", nil).status)
}
