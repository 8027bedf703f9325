package console

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// readings are the addresses of all pages of a furnished house.
var readings = []string{
	"/admin/", "/admin/providers", "/admin/new-provider", "/admin/providers/acme", "/admin/providers/acme/scopes",
	"/admin/providers/acme/edit", "/admin/providers/acme/delete", "/admin/providers/acme/new-credential",
	"/admin/providers/acme/credentials/reader", "/admin/providers/acme/credentials/reader/delete",
	"/admin/providers/acme/new-scope", "/admin/scopes/platform", "/admin/scopes/platform/delete",
	"/admin/clients?revoked=1", "/admin/new-client", "/admin/clients/claude", "/admin/clients/old", "/admin/clients/claude/key",
	"/admin/clients/claude/revoke", "/admin/try", "/admin/audit",
}

// writings are the addresses of everything that changes or does something.
var writings = []string{
	"/admin/login", "/admin/logout", "/admin/first/x", "/admin/new-provider", "/admin/providers/acme/edit", "/admin/providers/spare/delete",
	"/admin/providers/acme/new-credential", "/admin/providers/acme/credentials/reader", "/admin/providers/acme/credentials/reader/test",
	"/admin/providers/acme/credentials/wrong/delete", "/admin/providers/acme/new-scope", "/admin/providers/acme/preview",
	"/admin/scopes/platform", "/admin/scopes/spare/delete", "/admin/new-client", "/admin/clients/claude", "/admin/clients/claude/key",
	"/admin/clients/claude/revoke", "/admin/try", "/admin/audit/verify",
}

func (h *house) events() []audit.Event {
	h.t.Helper()
	events, _, err := h.service.AuditEvents(context.Background(), audit.Filter{}, 1000, "")
	require.NoError(h.t, err)
	return events
}

// everything is a form that each of the writings would take.
func everything() url.Values {
	return url.Values{"name": {"evil"}, "workspace": {"evil"}, "key": {"x"}, "username": {"me@example.com"}, "api_key": {"ATCTT-evil"}, "credential": {"reader"},
		"scope": {"platform"}, "role": {"admin"}, "expires": {"0"}, "repository": {"api"}, "ask": {"get_repo"}, "all_repositories": {"1"}, "all_branches": {"1"}}
}

func TestAnotherSiteCanDoNothing(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v := h.loggedIn("anna")
	before := h.events()
	h.upstream.ResetJournal()
	for _, path := range writings {
		for name, headers := range map[string]map[string]string{
			"another site":         {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
			"a neighboring host":   {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example"},
			"an older browser":     {"Origin": "https://evil.example"},
			"a page without place": {"Origin": "null"},
		} {
			a := v.send(http.MethodPost, path, everything(), headers)
			assert.Equal(t, http.StatusForbidden, a.status, "%s by %s", path, name)
			assert.Contains(t, a.body, "came from another site")
		}
	}
	assert.Equal(t, before, h.events(), "nothing was done")
	h.upstream.AssertNothingSent(t)
}

func TestNobodyWhoIsNotLoggedInSeesOrDoesAnything(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	h.admin("anna")
	v := h.visitor()
	before := h.events()
	for _, path := range append(readings, "/admin/audit/export", "/admin/nothing") {
		a := v.get(path)
		assert.Equal(t, http.StatusSeeOther, a.status, path)
		assert.True(t, strings.HasPrefix(a.location(), "/admin/login"), path)
	}
	for _, path := range writings[3:] {
		a := v.post(path, everything())
		assert.Equal(t, "/admin/login", a.location(), path)
	}
	assert.Equal(t, before, h.events())
}

func TestAGetChangesNothing(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v := h.loggedIn("anna")
	before := h.events()
	h.upstream.ResetJournal()
	for _, path := range append(readings, writings...) {
		v.get(path)
		v.get(path + "?" + everything().Encode())
		v.send(http.MethodHead, path, nil, nil)
	}
	v.send(http.MethodHead, "/admin/audit/export", nil, nil) // a GET is written down: who took the log is worth knowing
	assert.Equal(t, before, h.events())
	h.upstream.AssertNothingSent(t)
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v := h.loggedIn("anna")
	for _, path := range append(readings, "/admin/nothing", "/admin/login", "/admin/first/x", "/admin/audit/export", "/admin/static/x", staticPath("console.css")) {
		a := v.get(path)
		assert.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'", path)
		assert.Contains(t, a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		assert.NotContains(t, a.header.Get("Content-Security-Policy"), "unsafe", path)
		assert.Equal(t, "DENY", a.header.Get("X-Frame-Options"), path)
		assert.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "same-origin", a.header.Get("Referrer-Policy"), path)
		if path != staticPath("console.css") {
			assert.Equal(t, "no-store", a.header.Get("Cache-Control"), path)
		}
		assert.NotContains(t, a.body, " style=", path)
		assert.NotContains(t, a.body, "<style", path)
		assert.NotContains(t, a.body, " onclick", path)
	}
}

func TestNoPageCanBeFramed(t *testing.T) {
	h := newHouse(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<title>ready</title><iframe src="`+h.url+`/admin/login"></iframe>`)
	}))
	t.Cleanup(evil.Close)
	b := newBrowser(t, h, 800, 600)
	b.do(chromedp.Navigate(evil.URL), chromedp.ActionFunc(func(ctx context.Context) error {
		tree, err := page.GetFrameTree().Do(ctx)
		if err == nil && assert.Len(t, tree.ChildFrames, 1) {
			assert.Equal(t, "chrome-error://chromewebdata/", tree.ChildFrames[0].Frame.URL)
		}
		return err
	}))
}

// hostile is text that becomes markup wherever it is not escaped.
const hostile = `<script>alert("xss-canary")</script>"'><img src=x onerror=alert(1)>`

func TestTextIsNeverMarkup(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	ctx := t.Context()
	// Past the rules, straight into the database: an older version, or somebody
	// with the file, may have let in what the rules refuse today.
	require.NoError(t, h.store.Update(ctx, func(tx *store.Tx) error {
		p, err := tx.CreateProvider(store.Provider{Name: hostile, Type: "bitbucket", Workspace: hostile, Description: hostile, API: "https://" + hostile, Meta: store.Meta{UpdatedBy: hostile}})
		if err != nil {
			return err
		}
		c, err := tx.CreateCredential(store.Credential{ProviderID: p.ID, Name: hostile, Username: hostile, Key: secret.NewText("0123456789<b>x"), Meta: store.Meta{UpdatedBy: hostile},
			Fields: []store.Field{{Key: hostile, Value: hostile}, {Key: hostile + "2", Sensitive: true, Secret: secret.NewText(hostile)}}})
		if err != nil {
			return err
		}
		_, err = tx.CreateScope(store.Scope{Name: hostile, ProviderID: p.ID, CredentialID: c.ID, Description: hostile, Repositories: []string{hostile}, ExcludeRepositories: []string{hostile},
			Branches: []string{hostile}, ExcludeBranches: []string{hostile}, Actions: []policy.Action{policy.Read}, Meta: store.Meta{UpdatedBy: hostile}})
		if err != nil {
			return err
		}
		_, err = tx.CreateClient(store.Client{Name: hostile, Role: hostile, Scopes: []string{hostile}, KeyPrefix: hostile, RevokedAt: time.Now(), Meta: store.Meta{UpdatedBy: hostile}})
		if err != nil {
			return err
		}
		_, err = tx.CreateClient(store.Client{Name: hostile + "2", Role: "agent", Scopes: []string{hostile}, KeyPrefix: hostile + "2", Meta: store.Meta{UpdatedBy: hostile}})
		return err
	}))
	require.NoError(t, h.audit.Commit(ctx, audit.Event{ID: hostile, Time: time.Now(), Caller: hostile, Role: hostile, Transport: hostile, Tool: hostile, Scope: hostile, Target: hostile, Decision: audit.Denied, Reason: hostile}))
	h.upstream.MustAddRepository(sample.Repository{Workspace: "acme", Slug: "duplocloud-evil", Name: hostile, Description: hostile}, "main")

	paths := append([]string{}, readings...)
	paths = append(paths, path("providers", hostile), path("providers", hostile, "scopes"), path("providers", hostile, "edit"), path("providers", hostile, "delete"),
		path("providers", hostile, "new-scope"), path("providers", hostile, "new-credential"), path("providers", hostile, "credentials", hostile), path("providers", hostile, "credentials", hostile, "delete"),
		path("scopes", hostile), path("scopes", hostile, "delete"), path("clients", hostile), path("clients", hostile+"2"), path("clients", hostile+"2", "revoke"), path("clients", hostile+"2", "key"))
	echo := url.Values{"q": {hostile}, "after": {"!"}, "caller": {hostile}, "tool": {hostile}, "scope": {hostile}, "since": {hostile}, "next": {hostile}, "why": {hostile}}.Encode()
	paths = append(paths, "/admin/providers/acme/scopes?"+echo, "/admin/clients?"+echo, "/admin/audit?"+echo, "/admin/try?"+echo, "/admin/login?"+echo,
		path(hostile), path("providers", "no", hostile), path("scopes", "no"+hostile))
	v := h.loggedIn("anna")
	check := func(what string, a answered) {
		t.Helper()
		assert.NotContains(t, a.body, "<script>alert", what)
		assert.NotContains(t, a.body, "<img src=x", what)
		assert.NotContains(t, a.body, `"'>`, what)
	}
	shown := 0
	for _, path := range paths {
		a := v.get(path)
		check(path, a)
		assert.NotEqual(t, http.StatusInternalServerError, a.status, path)
		shown += strings.Count(a.body, "xss-canary")
	}
	assert.Greater(t, shown, 40, "the text is shown, and not merely left out")

	form := everything()
	for name := range form {
		form[name] = []string{hostile}
	}
	for _, path := range []string{"/admin/login", "/admin/new-provider", "/admin/providers/acme/new-credential", "/admin/providers/acme/new-scope", "/admin/providers/acme/preview", "/admin/new-client", "/admin/try", "/admin/scopes/platform"} {
		check(path, v.post(path, form))
	}
	for _, ask := range []string{"get_repo", "list_branches"} {
		a := v.post("/admin/try", url.Values{"scope": {"platform"}, "ask": {ask}, "repository": {"duplocloud-evil"}})
		assert.Contains(t, a.body, "Allowed")
		check(ask, a)
	}

	// And in a browser, which runs what is markup.
	b := newBrowser(t, h, 1000, 800)
	b.login(h.admin("bert"))
	for _, path := range []string{path("providers", hostile), path("scopes", hostile), path("clients", hostile), "/admin/audit", "/admin/clients?" + echo} {
		b.open(path)
		b.see("xss-canary")
	}
	assert.Empty(t, b.log.String())
}

// cookie is what the visitor has of a session.
func (v *visitor) cookie() string {
	v.t.Helper()
	where, err := url.Parse(v.url + "/admin/")
	require.NoError(v.t, err)
	for _, c := range v.client.Jar.Cookies(where) {
		if c.Name == "bucketgate-console" {
			return c.Value
		}
	}
	return ""
}

func (v *visitor) plant(value string) {
	v.t.Helper()
	where, err := url.Parse(v.url + "/admin/")
	require.NoError(v.t, err)
	v.client.Jar.SetCookies(where, []*http.Cookie{{Name: "bucketgate-console", Value: value, Path: "/admin/"}})
}

// in reports whether the visitor is logged in.
func (v *visitor) in() bool {
	v.t.Helper()
	return v.get("/admin/").status == http.StatusOK
}

func TestASessionThatWasPlantedIsWorthNothing(t *testing.T) {
	h := newHouse(t)
	v, thief := h.visitor(), h.visitor()
	v.plant("planted-by-somebody-else")
	key := h.admin("anna")
	v.post("/admin/login", url.Values{"key": {key}})
	require.True(t, v.in())
	assert.NotEqual(t, "planted-by-somebody-else", v.cookie())
	thief.plant("planted-by-somebody-else")
	assert.False(t, thief.in())

	// Nor is one that was good before another login.
	old := v.cookie()
	v.post("/admin/login", url.Values{"key": {key}})
	require.True(t, v.in())
	assert.NotEqual(t, old, v.cookie())
	thief.plant(old)
	assert.False(t, thief.in())
}

func TestALoggedOutCookieIsWorthNothing(t *testing.T) {
	h := newHouse(t)
	v, thief := h.loggedIn("anna"), h.visitor()
	thief.plant(v.cookie())
	require.True(t, thief.in())
	a := v.post("/admin/logout", nil)
	assert.Equal(t, "/admin/login", a.location())
	assert.Empty(t, v.cookie())
	assert.False(t, v.in())
	assert.False(t, thief.in(), "who kept the cookie has nothing")
	assert.Equal(t, "log_out", h.events()[0].Tool)
}

// A request that was under way while the session ended writes it once more.
func TestAnEndedSessionIsNotTakenBack(t *testing.T) {
	s := &endingStore{Store: memstore.NewWithCleanupInterval(0), keep: time.Hour, ended: map[string]time.Time{}}
	require.NoError(t, s.Commit("id", []byte("data"), time.Now().Add(time.Hour)))
	require.NoError(t, s.Delete("id"))
	require.NoError(t, s.Commit("id", []byte("data"), time.Now().Add(time.Hour)))
	_, found, err := s.Find("id")
	require.NoError(t, err)
	assert.False(t, found)
}

func TestASessionEndsWithTheRightThatBeganIt(t *testing.T) {
	for name, take := range map[string]func(*house) error{
		"revoked": func(h *house) error { return h.service.RevokeClient(context.Background(), h.boss, "anna") },
		"another key": func(h *house) error {
			_, _, err := h.service.ReplaceClientKey(context.Background(), h.boss, 0, "anna")
			return err
		},
		"no admin any more": func(h *house) error {
			_, err := h.service.UpdateClient(context.Background(), h.boss, 0, manage.Client{Name: "anna", Role: "agent"})
			return err
		},
		"expired": func(h *house) error {
			return h.store.Update(context.Background(), func(tx *store.Tx) error {
				c, err := tx.Client("anna")
				if err != nil {
					return err
				}
				c.ExpiresAt = time.Now().Add(-time.Second)
				_, err = tx.UpdateClient(c)
				return err
			})
		},
		"deleted": func(h *house) error {
			return h.store.Update(context.Background(), func(tx *store.Tx) error {
				c, err := tx.Client("anna")
				if err != nil {
					return err
				}
				return tx.DeleteClient(c.ID, c.Version)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			v := h.loggedIn("anna")
			require.True(t, v.in())
			require.NoError(t, take(h))
			a := v.post("/admin/new-provider", url.Values{"name": {"x"}, "workspace": {"x"}})
			assert.Equal(t, "/admin/login?why=ended", a.location())
			assert.False(t, v.in())
			providers, err := h.service.Providers(t.Context())
			require.NoError(t, err)
			assert.Empty(t, providers)
			assert.Contains(t, v.must("/admin/login?why=ended"), "You were logged out")
		})
	}
}

func TestASessionHasAnEnd(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"idle":     func(c *Config) { c.Idle = 20 * time.Millisecond },
		"absolute": func(c *Config) { c.Lifetime = 20 * time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, edit)
			v := h.loggedIn("anna")
			time.Sleep(60 * time.Millisecond)
			assert.False(t, v.in())
		})
	}
	h := newHouse(t)
	assert.Equal(t, 30*time.Minute, h.console.sessions.IdleTimeout)
	assert.Equal(t, 12*time.Hour, h.console.sessions.Lifetime)
	assert.True(t, h.console.sessions.HashTokenInStore)
}

func TestTheCookie(t *testing.T) {
	h := newHouse(t)
	v := h.visitor()
	set := v.post("/admin/login", url.Values{"key": {h.admin("anna")}}).header.Get("Set-Cookie")
	for _, words := range []string{"bucketgate-console=", "Path=/admin/", "HttpOnly", "SameSite=Strict"} {
		assert.Contains(t, set, words)
	}
	assert.NotContains(t, set, "Secure", "a browser would not send it over plain http")
	assert.NotContains(t, set, "Expires")

	over := newHouse(t, func(c *Config) { c.PublicURL = "https://gate.example" })
	v = over.visitor()
	set = v.post("/admin/login", url.Values{"key": {over.admin("anna")}}).header.Get("Set-Cookie")
	for _, words := range []string{"__Host-bucketgate-console=", "Path=/;", "HttpOnly", "Secure", "SameSite=Strict"} {
		assert.Contains(t, set, words)
	}
	assert.NotContains(t, set, "Domain")
}

func TestWhoMayLogIn(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	good := h.admin("anna")
	_, agent, err := h.service.CreateClient(ctx, h.boss, manage.Client{Name: "agent"})
	require.NoError(t, err)
	_, expired, err := h.service.CreateClient(ctx, h.boss, manage.Client{Name: "late", Role: "admin", ExpiresIn: time.Nanosecond})
	require.NoError(t, err)
	revoked := h.admin("gone")
	require.NoError(t, h.service.RevokeClient(ctx, h.boss, "gone"))
	replaced := h.admin("renewed")
	_, _, err = h.service.ReplaceClientKey(ctx, h.boss, 0, "renewed")
	require.NoError(t, err)
	other, _, _ := secret.NewClientKey()
	forged := forge(good[:15], other.Reveal()[16:68])

	_, _, wellFormed := secret.HashClientKey(forged)
	require.True(t, wellFormed)

	var words string
	for name, key := range map[string]string{
		"an agent's key": agent.Reveal(), "an expired key": expired.Reveal(), "a revoked key": revoked, "a replaced key": replaced,
		"a key of nobody": other.Reveal(), "another secret after a good prefix": forged, "no key": "", "another text": "hunter2",
	} {
		v := h.visitor()
		a := v.post("/admin/login", url.Values{"key": {key}})
		assert.Equal(t, http.StatusUnauthorized, a.status, name)
		assert.Contains(t, a.body, "This key does not open the console", name)
		if key != "" {
			assert.NotContains(t, a.body, key, name)
		}
		if words == "" {
			words = a.body
		}
		assert.Equal(t, words, a.body, "all read alike: %s", name)
		assert.Empty(t, a.header.Values("Set-Cookie"), name)
		event := h.events()[0]
		assert.Equal(t, "log_in", event.Tool, name)
		assert.Equal(t, audit.Denied, event.Decision, name)
		assert.NotContains(t, event.Reason+event.Target+event.Caller, "hunter2", name)
	}
	v := h.visitor()
	assert.Equal(t, "/admin/audit?tool=x", v.post("/admin/login", url.Values{"key": {" " + good + "\n"}, "next": {"/admin/audit?tool=x"}}).location())
	assert.Equal(t, audit.Allowed, h.events()[0].Decision)
}

// forge makes a key with the prefix of a good one, whose sum is right.
func forge(prefix, secret string) string {
	body := prefix + "_" + secret
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body)))
	return body + base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(sum)
}

func TestAfterTheLoginNobodyLandsElsewhere(t *testing.T) {
	for text, want := range map[string]string{
		"/admin/clients":              "/admin/clients",
		"/admin/audit?decision=deny":  "/admin/audit?decision=deny",
		"/admin/providers/a%20b":      "/admin/providers/a%20b",
		"":                            "/admin/",
		"https://evil.example/admin/": "/admin/", "//evil.example/admin/": "/admin/", "/\\evil.example": "/admin/", "/admin/\\..\\": "/admin/",
		"/admin//evil.example": "/admin/", "/admin/../mcp": "/admin/", "/admin/%2e%2e/x": "/admin/", "/other": "/admin/", "javascript:alert(1)": "/admin/", "/admin/login": "/admin/", "/admin/logout": "/admin/",
		"/admin/\nx": "/admin/",
	} {
		assert.Equal(t, want, nextPage(text), text)
	}
}

func TestTwoAdminsAtOnce(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	anna, bert := h.loggedIn("anna"), h.loggedIn("bert")
	for path, form := range map[string]url.Values{
		"/admin/providers/acme/edit":               {"version": {"1"}, "description": {"of bert"}},
		"/admin/providers/acme/credentials/reader": {"version": {"1"}, "username": {"bert@example.com"}},
		"/admin/scopes/platform":                   {"version": {"1"}, "credential": {"reader"}, "repositories": {"of-bert"}, "branches": {"main"}},
		"/admin/clients/claude":                    {"version": {"1"}, "role": {"agent"}, "scope": {"spare"}},
	} {
		// Both have opened the page; anna is first.
		first := url.Values{}
		for name, list := range form {
			first[name] = []string{strings.Replace(list[0], "bert", "anna", 1)}
		}
		if path == "/admin/clients/claude" {
			first["scope"] = []string{"platform"}
		}
		a := anna.post(path, first)
		require.Equal(t, http.StatusSeeOther, a.status, "%s: %s", path, a.body)
		a = bert.post(path, form)
		assert.Equal(t, http.StatusConflict, a.status, path)
		assert.Contains(t, a.body, "Somebody else has changed it meanwhile", path)
		for _, name := range []string{"description", "username", "repositories"} {
			if typed := form.Get(name); typed != "" {
				assert.Contains(t, a.body, typed, "what was typed stays")
			}
		}
	}
	stored, err := h.service.Scope(t.Context(), "platform")
	require.NoError(t, err)
	assert.Equal(t, []string{"of-anna"}, stored.Repositories)
	client, err := h.service.Client(t.Context(), "claude")
	require.NoError(t, err)
	assert.Equal(t, []string{"platform"}, client.Scopes)

	// At the same moment: one of the two, and never both.
	for version := 2; version < 6; version++ {
		var wait sync.WaitGroup
		statuses := make([]int, 2)
		for i, v := range []*visitor{anna, bert} {
			wait.Go(func() {
				form := url.Values{"version": {string(rune('0' + version))}, "credential": {"reader"}, "repositories": {"x"}, "branches": {"main"}}
				statuses[i] = v.post("/admin/scopes/platform", form).status
			})
		}
		wait.Wait()
		assert.ElementsMatch(t, []int{http.StatusSeeOther, http.StatusConflict}, statuses)
	}
}

func TestNoSecretIsAnywhere(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v := h.loggedIn("anna")
	const typed, fieldSecret, wrong = "ATCTT-canary-that-was-typed-1234", "canary-of-a-sensitive-field", "ATBB-canary-that-is-refused"
	good := url.Values{"name": {"second"}, "api_key": {typed}, "field_key": {"token", "note"}, "field_value": {fieldSecret, "plain"}, "field_own": {"0", "0"}}
	require.Equal(t, http.StatusSeeOther, v.post("/admin/providers/acme/new-credential", good).status)
	// Refused forms come back without what is secret.
	for _, path := range []string{"/admin/providers/acme/new-credential", "/admin/providers/acme/credentials/reader"} {
		bad := url.Values{"name": {"third"}, "version": {"1"}, "api_key": {wrong}, "username": {"me@example.com"}, "field_key": {"password", "password"}, "field_value": {fieldSecret, fieldSecret}, "field_own": {"0", "0"}}
		a := v.post(path, bad)
		require.Equal(t, http.StatusUnprocessableEntity, a.status)
		assert.Contains(t, a.body, "app password")
		assert.Contains(t, a.body, "is given twice")
	}
	v.post("/admin/new-provider", url.Values{"name": {""}, "workspace": {"x"}})
	for _, path := range append(readings, "/admin/providers/acme/credentials/second", "/admin/audit/export") {
		v.must(path)
	}
	v.post("/admin/providers/acme/credentials/reader/test", nil)
	v.post("/admin/try", url.Values{"scope": {"platform"}, "ask": {"get_repo"}, "repository": {"duplocloud-api"}})
	v.post("/admin/providers/acme/preview", url.Values{"credential": {"reader"}})
	v.must("/admin/providers/acme")
	adminKey := h.admin("bert")
	other := h.visitor()
	other.post("/admin/login", url.Values{"key": {adminKey}})
	other.must("/admin/")

	// The one page that shows a new key, once.
	keep := v.seen.String()
	page := v.post("/admin/clients/claude/key", url.Values{"version": {"1"}})
	key := between(page.body, `id="client-key">`, "<")
	require.True(t, strings.HasPrefix(key, "bg_"), page.body)
	assert.NotContains(t, page.header, "Location")
	before := len(v.seen.String())
	for _, path := range readings {
		v.must(path)
	}
	after := v.seen.String()[before:]
	secretPart := key[16:]
	for what, text := range map[string]string{"pages, headers and addresses": keep + after + other.seen.String(), "the log": h.log.String()} {
		for _, canary := range []string{sampleToken, typed, fieldSecret, wrong, secretPart, adminKey[16:]} {
			assert.NotContains(t, text, canary, what)
		}
	}
	for _, e := range h.events() {
		line := e.Caller + e.Tool + e.Scope + e.Target + e.Reason
		for _, canary := range []string{sampleToken, typed, fieldSecret, wrong, secretPart, adminKey[16:]} {
			assert.NotContains(t, line, canary, "the audit log")
		}
	}
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	found, _, _ := strings.Cut(rest, to)
	return found
}

func TestTheFirstAdmin(t *testing.T) {
	h := newHouse(t)
	link, err := h.console.FirstAdminLink(t.Context())
	require.NoError(t, err)
	path := strings.TrimPrefix(link, h.url)
	v := h.visitor()
	assert.Contains(t, v.must("/admin/login"), "There is no admin yet.")
	for range 3 { // looking does not use it up
		assert.Contains(t, v.must(path), "The first admin")
	}
	a := v.post(path, url.Values{"name": {""}})
	assert.Equal(t, http.StatusUnprocessableEntity, a.status)
	assert.Contains(t, a.body, "A client needs a name.")
	assert.Equal(t, http.StatusGone, v.get(path+"x").status)
	assert.Equal(t, http.StatusGone, v.post(path+"x", url.Values{"name": {"evil"}}).status)

	// Two at once: one admin.
	var wait sync.WaitGroup
	statuses := make([]int, 4)
	visitors := make([]*visitor, 4)
	for i := range statuses {
		visitors[i] = h.visitor()
		wait.Go(func() {
			statuses[i] = visitors[i].post(path, url.Values{"name": {"anna" + string(rune('0'+i))}}).status
		})
	}
	wait.Wait()
	assert.ElementsMatch(t, []int{http.StatusOK, http.StatusGone, http.StatusGone, http.StatusGone}, statuses)
	for i, status := range statuses {
		assert.Equal(t, status == http.StatusOK, visitors[i].in(), "who made the admin is logged in")
	}
	counts, err := h.service.Counts(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, counts.Admins)
	assert.Equal(t, http.StatusGone, v.get(path).status)
	assert.Equal(t, http.StatusGone, v.post(path, url.Values{"name": {"late"}}).status)
	assert.NotContains(t, v.must("/admin/login"), "There is no admin yet.")

	another, err := h.console.FirstAdminLink(t.Context())
	require.NoError(t, err)
	assert.Empty(t, another, "there is an admin")
	var tools []string
	for _, e := range h.events() {
		tools = append(tools, e.Tool+" "+string(e.Decision))
		assert.NotContains(t, e.Target+e.Reason, path[len("/admin/first/"):])
	}
	assert.Contains(t, tools, "create_first_admin_link allowed")
	assert.Contains(t, tools, "create_first_admin allowed")
	assert.Contains(t, tools, "create_first_admin denied")
}

func TestALinkForTheFirstAdminEnds(t *testing.T) {
	t.Run("with its time", func(t *testing.T) {
		h := newHouse(t, func(c *Config) { c.LinkTTL = time.Nanosecond })
		link, err := h.console.FirstAdminLink(t.Context())
		require.NoError(t, err)
		a := h.visitor().post(strings.TrimPrefix(link, h.url), url.Values{"name": {"anna"}})
		assert.Equal(t, http.StatusGone, a.status)
		assert.Contains(t, a.body, "This link does not work")
	})
	t.Run("with another admin", func(t *testing.T) {
		h := newHouse(t)
		link, err := h.console.FirstAdminLink(t.Context())
		require.NoError(t, err)
		h.admin("root")
		v := h.visitor()
		assert.Equal(t, http.StatusGone, v.get(strings.TrimPrefix(link, h.url)).status)
		a := v.post(strings.TrimPrefix(link, h.url), url.Values{"name": {"anna"}})
		assert.Equal(t, http.StatusUnprocessableEntity, a.status)
		assert.Contains(t, a.body, "There is an admin already")
		assert.False(t, v.in())
	})
	t.Run("with the next link", func(t *testing.T) {
		h := newHouse(t)
		first, err := h.console.FirstAdminLink(t.Context())
		require.NoError(t, err)
		_, err = h.console.FirstAdminLink(t.Context())
		require.NoError(t, err)
		assert.Equal(t, http.StatusGone, h.visitor().get(strings.TrimPrefix(first, h.url)).status)
	})
	t.Run("where nobody made one", func(t *testing.T) {
		h := newHouse(t)

		assert.Equal(t, http.StatusGone, h.visitor().post("/admin/first/x", url.Values{"name": {"anna"}}).status)
	})
}

func TestWhatGoesWrongIsAPageThatTellsNothing(t *testing.T) {
	h := newHouse(t)
	v := h.loggedIn("anna")
	assert.Equal(t, http.StatusNotFound, v.get("/admin/nothing").status)
	assert.Equal(t, http.StatusNotFound, v.get("/admin/providers/nothing").status)
	assert.Equal(t, http.StatusNotFound, v.get("/admin/scopes/nothing/delete").status)
	assert.Equal(t, http.StatusNotFound, v.get("/admin/clients/nothing").status)
	assert.Equal(t, http.StatusNotFound, v.get("/admin/audit?after=x").status)
	large := v.post("/admin/new-provider", url.Values{"name": {strings.Repeat("x", maxForm+1)}})
	assert.Equal(t, http.StatusRequestEntityTooLarge, large.status)
	garbled, err := http.NewRequest(http.MethodPost, h.url+"/admin/new-provider", strings.NewReader("name=%zz"))
	require.NoError(t, err)
	garbled.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := v.client.Do(garbled)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusBadRequest, response.StatusCode)

	recorder := httptest.NewRecorder()
	h.console.sessions.LoadAndSave(h.console.answer(func(http.ResponseWriter, *http.Request) error { panic("canary of a panic") })).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/admin/", nil))
	assert.Equal(t, http.StatusInternalServerError, recorder.Code)
	assert.NotContains(t, recorder.Body.String(), "canary")
	assert.Contains(t, h.log.String(), "canary of a panic")

	// Without an audit log nothing is done.
	require.NoError(t, h.audit.Close(t.Context()))
	a := v.post("/admin/new-provider", url.Values{"name": {"acme"}, "workspace": {"acme"}})
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.Contains(t, a.body, "The audit log cannot be written")
	providers, err := h.service.Providers(t.Context())
	require.NoError(t, err)
	assert.Empty(t, providers)
}
