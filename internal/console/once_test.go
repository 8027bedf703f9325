package console

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page of a key is not to be had again by the way back, which a browser may
// answer from its memory.
func TestTheWayBackDoesNotShowAKey(t *testing.T) {
	h := newHouse(t)
	h.guide()
	b := newBrowser(t, h, 1000, 800)
	b.login(h.admin("anna"))
	b.open("/admin/new-client")
	b.fill("Name", "bot")
	b.click("button", "Create")
	b.see("Copy it now")
	key := value[string](b, `document.getElementById("client-key").textContent`)
	require.Contains(t, key, "bg_")
	// A browser that keeps whole pages for the way back tells the page so.
	page := value[string](b, `(() => { dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true})); return document.documentElement.outerHTML; })()`)
	assert.NotContains(t, page, key)
	assert.Contains(t, page, "It was shown once.")

	b.open("/admin/clients")
	b.see("bot")
	_ = b.attempt(chromedp.Evaluate(`history.back()`, nil))
	b.insist(chromedp.Poll(`!location.pathname.endsWith("/clients")`, nil))
	assert.NotContains(t, value[string](b, `document.documentElement.outerHTML`), key)
}

// A reload of the page with a new key sends its form once more. It must not
// take away the key that was just copied, nor may a second admin's click.
func TestANewKeyIsMadeOnce(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v, other := h.loggedIn("anna"), h.loggedIn("bert")
	const at = "/admin/clients/claude/key"
	version := between(v.must(at), `name="version" value="`, `"`)
	form := url.Values{"version": {version}}
	first := v.post(at, form)
	require.Equal(t, http.StatusOK, first.status)
	made, err := h.service.Client(t.Context(), "claude")
	require.NoError(t, err)
	for _, v := range []*visitor{v, other} {
		again := v.post(at, form)
		assert.Equal(t, at, again.location(), again.body)
		assert.Contains(t, v.must(at), "No new key was made")
	}
	after, err := h.service.Client(t.Context(), "claude")
	require.NoError(t, err)
	assert.Equal(t, made.KeyHash, after.KeyHash)
}

// A browser heeds no "off" at a password, and would put the admin's own key
// where Bitbucket's belongs.
func TestABrowserFillsInNoKeyOfAnother(t *testing.T) {
	h := newHouse(t)
	h.furnish()
	v := h.visitor()
	assert.Contains(t, v.must("/admin/login"), `<input type="password" autocomplete="current-password"`)
	v.post("/admin/login", url.Values{"key": {h.admin("anna")}})
	v.post("/admin/providers/acme/credentials/reader", url.Values{"version": {"1"}, "username": {sampleUser}, "field_key": {"token"}, "field_value": {"one"}, "field_own": {"0"}})
	for _, path := range []string{"/admin/providers/acme/new-credential", "/admin/providers/acme/credentials/reader"} {
		assert.Contains(t, v.must(path), `<input type="password" autocomplete="new-password"`, path)
	}
	assert.Contains(t, v.must("/admin/providers/acme/credentials/reader"), `id="value-0" name="field_value" value="" autocomplete="new-password"`)
}
