package console

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheGuideByPlainForms(t *testing.T) {
	h := newHouse(t)
	v := h.loggedIn("anna")
	assert.Contains(t, v.must("/admin/"), "Six steps to the first answer")
	assert.Contains(t, v.must("/admin/providers"), "No provider yet")

	a := v.post("/admin/new-provider", url.Values{"name": {"acme"}, "type": {"bitbucket"}, "workspace": {"acme"}, "api_url": {h.upstream.URL()}})
	require.Equal(t, "/admin/providers/acme", a.location(), a.body)
	page := v.must("/admin/providers/acme")
	assert.Contains(t, page, "The provider acme was created")
	assert.Contains(t, page, "No credential yet")

	a = v.post("/admin/providers/acme/new-credential", url.Values{"name": {"reader"}, "username": {sampleUser}, "api_key": {sampleToken},
		"field_key": {"webhook_secret", "region"}, "field_value": {"s3cr3t-canary", "eu"}, "field_own": {"0", "0"}})
	require.Equal(t, "/admin/providers/acme", a.location(), a.body)
	page = v.must("/admin/providers/acme")
	assert.Contains(t, page, "The credential reader works for reading.")
	assert.Contains(t, page, "Account: Test Bot.")
	assert.Contains(t, page, "Key set, ends in …wxyz")
	stored, err := h.service.Credential(t.Context(), "acme", "reader")
	require.NoError(t, err)
	require.Len(t, stored.Fields, 2)
	assert.True(t, stored.Fields[0].Sensitive, "Sensitive turns itself on for what looks like a secret")
	assert.False(t, stored.Fields[1].Sensitive)

	form := url.Values{"name": {"platform"}, "credential": {"reader"}, "repositories": {"^duplocloud-.*\r\n"}, "branches": {"^main$"}}
	preview := v.post("/admin/providers/acme/preview", form)
	assert.Contains(t, preview.body, "Matches 7 of 61")
	assert.NotContains(t, preview.body, "<html")
	a = v.post("/admin/providers/acme/new-scope", form)
	require.Equal(t, "/admin/providers/acme/scopes", a.location(), a.body)
	assert.Contains(t, v.must("/admin/providers/acme/scopes"), "^duplocloud-.*")

	a = v.post("/admin/try", url.Values{"scope": {"platform"}, "ask": {"get_repo"}, "repository": {"duplocloud-api"}})
	require.Equal(t, http.StatusOK, a.status, a.body)
	for _, words := range []string{"acme/duplocloud-api", "private", "https://bitbucket.org/acme/duplocloud-api", "Yes, "} {
		assert.Contains(t, a.body, words)
	}
	a = v.post("/admin/try", url.Values{"scope": {"platform"}, "ask": {"list_branches"}, "repository": {"duplocloud-api"}})
	assert.Contains(t, a.body, "Default")
	a = v.post("/admin/try", url.Values{"scope": {"platform"}, "ask": {"get_repo"}, "repository": {"payments-ledger"}})
	assert.Contains(t, a.body, "Refused")
	assert.Contains(t, a.body, "Why, from the audit log")

	a = v.post("/admin/new-client", url.Values{"name": {"claude"}, "role": {"agent"}, "scope": {"platform"}, "expires": {"90"}, "program": {"cursor"}})
	require.Equal(t, http.StatusOK, a.status, a.body)
	assert.Contains(t, a.body, "${env:BUCKETGATE_KEY}")
	assert.Contains(t, v.must("/admin/clients"), "claude")
	assert.Contains(t, v.must("/admin/audit"), "create_scope")
	assert.NotContains(t, h.log.String(), "ERROR")
}
