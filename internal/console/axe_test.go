package console

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
)

// A scene is a page in a state that people meet.
type scene struct {
	name, path string
	act        func(*browser) // what is done there; nil for nothing
}

// emptyScenes are the pages before anything is set up.
var emptyScenes = []scene{
	{"welcome", "/admin/", nil},
	{"no provider", "/admin/providers", nil},
	{"no client", "/admin/new-client", nil},
	{"nothing to try", "/admin/try", nil},
	{"an error in a new provider", "/admin/new-provider", func(b *browser) { b.click("button", "Create Provider"); b.see("There are 2 problems") }},
}

// fullScenes are all pages of a console in use, their errors too.
var fullScenes = []scene{
	{"overview", "/admin/", nil},
	{"providers", "/admin/providers", nil},
	{"new provider", "/admin/new-provider", nil},
	{"credentials", "/admin/providers/acme", nil},
	{"tested", "/admin/providers/acme", func(b *browser) { b.click("button", "Test connection of reader"); b.see("works for reading") }},
	{"tested in vain", "/admin/providers/acme", func(b *browser) { b.click("button", "Test connection of wrong"); b.see("does not work") }},
	{"scopes", "/admin/providers/acme/scopes", nil},
	{"no such scope", "/admin/providers/acme/scopes?q=zzz", nil},
	{"edit provider", "/admin/providers/acme/edit", nil},
	{"delete provider", "/admin/providers/acme/delete", nil},
	{"delete spare provider", "/admin/providers/spare/delete", nil},
	{"provider without credentials", "/admin/providers/spare", nil},
	{"provider without scopes", "/admin/providers/spare/scopes", nil},
	{"new scope without credentials", "/admin/providers/spare/new-scope", nil},
	{"new credential", "/admin/providers/acme/new-credential", nil},
	{"an error in a new credential", "/admin/providers/acme/new-credential", func(b *browser) {
		b.fill("API Key", "ATATT-x y")
		b.click("button", "Create")
		b.see("problems")
	}},
	{"credential", "/admin/providers/acme/credentials/reader", nil},
	{"delete credential", "/admin/providers/acme/credentials/reader/delete", nil},
	{"delete spare credential", "/admin/providers/acme/credentials/wrong/delete", nil},
	{"new scope", "/admin/providers/acme/new-scope", func(b *browser) { b.see("Matches 61 of 61") }},
	{"a preview with a doubt", "/admin/providers/acme/new-scope", func(b *browser) {
		b.fill("Repository Names RegEx (optional)", "my.repo")
		b.see("Look again")
	}},
	{"an error in a new scope", "/admin/providers/acme/new-scope", func(b *browser) {
		b.fill("Repository Names RegEx (optional)", "(")
		b.click("button", "Create")
		b.see("There are 2 problems")
	}},
	{"scope", "/admin/scopes/platform", func(b *browser) { b.see("Matches 7 of 61") }},
	{"delete scope in use", "/admin/scopes/platform/delete", nil},
	{"delete scope", "/admin/scopes/spare/delete", nil},
	{"clients", "/admin/clients?revoked=1", nil},
	{"no such client", "/admin/clients?q=zzz", nil},
	{"new client", "/admin/new-client", nil},
	{"an error in a new client", "/admin/new-client", func(b *browser) { b.click("button", "Create"); b.see("There is a problem") }},
	{"client", "/admin/clients/claude", nil},
	{"revoked client", "/admin/clients/old", nil},
	{"new key", "/admin/clients/claude/key", nil},
	{"key", "/admin/clients/claude/key", func(b *browser) { b.click("button", "Make a new key"); b.see("Copy it now") }},
	{"revoke", "/admin/clients/claude/revoke", nil},
	{"try", "/admin/try", nil},
	{"nothing to ask", "/admin/try", func(b *browser) { b.click("button", "Ask"); b.see("There is a problem") }},
	{"answer", "/admin/try", func(b *browser) { b.ask("platform", "duplocloud-api"); b.see("Allowed") }},
	{"refusal", "/admin/try", func(b *browser) { b.ask("platform", "payments-ledger"); b.see("Why, from the audit log") }},
	{"audit", "/admin/audit", nil},
	{"audit of nothing", "/admin/audit?caller=nobody", nil},
	{"audit with a wrong time", "/admin/audit?since=x", nil},
	{"verified", "/admin/audit", func(b *browser) { b.click("button", "Check now"); b.see("Whole") }},
	{"missing", "/admin/nothing", nil},
}

// ask fills the page to try a scope.
func (b *browser) ask(scope, repository string) {
	b.t.Helper()
	b.choose("Scope", scope)
	b.fill("Repository", repository)
	b.click("button", "Ask")
}

// furnish sets up a console in use, in each state that a list can show.
func (h *house) furnish() {
	h.t.Helper()
	ctx := context.Background()
	h.guide()
	require := require.New(h.t)
	_, err := h.service.CreateProvider(ctx, h.boss, manage.Provider{Name: "spare", Workspace: "spare", Description: "Nobody uses it"})
	require.NoError(err)
	_, err = h.service.CreateCredential(ctx, h.boss, manage.Credential{Provider: "acme", Name: "wrong", Key: secret.NewText("ATCTT-rejected"), ExpiresOn: time.Now().Add(-24 * time.Hour)})
	require.NoError(err)
	_, err = h.service.CreateCredential(ctx, h.boss, manage.Credential{Provider: "acme", Name: "waiting", ExpiresOn: time.Now().Add(48 * time.Hour)})
	require.NoError(err)
	_, _, err = h.service.CreateScope(ctx, h.boss, manage.Scope{Name: "spare", Provider: "acme", Credential: "reader", Description: "For nobody"})
	require.NoError(err)
	for _, c := range []manage.Client{
		{Name: "claude", Scopes: []string{"platform"}, ExpiresIn: 90 * day},
		{Name: "cursor", Scopes: []string{"platform"}, ExpiresIn: 2 * day},
		{Name: "expired", ExpiresIn: time.Nanosecond},
		{Name: "old", Scopes: []string{"spare"}},
	} {
		_, _, err := h.service.CreateClient(ctx, h.boss, c)
		require.NoError(err)
	}
	require.NoError(h.service.RevokeClient(ctx, h.boss, "old"))
}

// See https://www.w3.org/TR/WCAG22/; axe finds what a program can find of it.
func TestAxeFindsNothing(t *testing.T) {
	h := newHouse(t)
	b := newBrowser(t, h, 1200, 900)
	walk := func(scenes []scene) {
		for _, s := range scenes {
			b.dark(false)
			b.open(s.path)
			if s.act != nil {
				s.act(b)
			}
			b.accessible(s.name)
			b.dark(true)
			b.accessible(s.name + ", dark")
		}
	}
	link, err := h.console.FirstAdminLink(t.Context())
	require.NoError(t, err)
	walk([]scene{{"login without an admin", "/admin/login", nil}, {"first admin", link[len(h.url):], nil}})
	key := h.admin("anna")
	walk([]scene{
		{"login", "/admin/login", nil},
		{"a wrong key", "/admin/login", func(b *browser) {
			b.fill("Admin key", "x")
			b.click("button", "Log in")
			b.see("There is a problem")
		}},
		{"a link that is gone", link[len(h.url):], nil},
	})
	b.login(key)
	walk(emptyScenes)
	h.furnish()
	walk(fullScenes)
	require.Empty(t, b.log.String(), "the browser has nothing to complain about")
}
