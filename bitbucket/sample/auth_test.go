package sample

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const rejected = "Token is invalid, expired, or not supported for this endpoint."

func (c client) basic(username, token string) client {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(username, token)
	c.headers = r.Header
	return c
}

func (c client) bearer(token string) client {
	c.headers = http.Header{"Authorization": {"Bearer " + token}}
	return c
}

func TestAuthentication(t *testing.T) {
	c := serve(t, small(t, Options{Accounts: []Account{
		{Username: "ada@acme.example", Token: "api-token"},
		{Name: "robot", Token: "access-token", Bearer: true},
	}}))
	tests := map[string]struct {
		client client
		ok     bool
	}{
		"API token as Basic":          {c.basic("ada@acme.example", "api-token"), true},
		"access token as Bearer":      {c.bearer("access-token"), true},
		"nothing":                     {c, false},
		"wrong token":                 {c.basic("ada@acme.example", "other"), false},
		"wrong user":                  {c.basic("ben@acme.example", "api-token"), false},
		"API token as Bearer":         {c.bearer("api-token"), false},
		"access token as Basic":       {c.basic("", "access-token"), false},
		"access token of static user": {c.basic("x-token-auth", "access-token"), false},
		"empty Bearer":                {c.bearer(""), false},
	}
	for name, test := range tests {
		answer := test.client.get("/repositories/acme/api")
		if test.ok {
			assert.Equal(t, http.StatusOK, answer.status, name)
			continue
		}
		assert.Equal(t, http.StatusUnauthorized, answer.status, name)
		assert.Equal(t, map[string]any{
			"type": "error", "error": map[string]any{"message": rejected},
		}, answer.body, name)
	}
}

func TestScopes(t *testing.T) {
	granted := func(bearer bool, scopes ...string) Account {
		return Account{Username: "u", Token: "t", Bearer: bearer, Scopes: append([]string{}, scopes...)}
	}
	tests := []struct {
		account  Account
		path     string
		required string // empty when it is let in
	}{
		{granted(false, "read:repository:bitbucket"), "/repositories/acme", ""},
		{granted(false, "write:repository:bitbucket"), "/repositories/acme", "read:repository:bitbucket"},
		{granted(false), "/repositories/acme", "read:repository:bitbucket"},
		{granted(false, "read:repository:bitbucket"), "/user", "read:user:bitbucket"},
		{granted(false, "read:repository:bitbucket"), "/workspaces/acme", "read:workspace:bitbucket"},
		{granted(true, "repository"), "/repositories/acme", ""},
		{granted(true, "repository:write"), "/repositories/acme", ""},
		{granted(true, "repository:admin"), "/repositories/acme", "repository"},
		{granted(true), "/workspaces/acme", ""},
		{granted(true, "repository"), "/user", "account"},
		{Account{Username: "u", Token: "t"}, "/user", ""},
	}
	for _, test := range tests {
		c := serve(t, small(t, Options{Accounts: []Account{test.account}})).basic("u", "t")
		if test.account.Bearer {
			c = c.bearer("t")
		}
		answer := c.get(test.path)
		if test.account.Scopes != nil {
			assert.Equal(t, strings.Join(test.account.Scopes, ", "), answer.header.Get("x-oauth-scopes"))
		}
		if test.required == "" {
			assert.Equal(t, http.StatusOK, answer.status, "%v %s", test.account.Scopes, test.path)
			continue
		}
		assert.Equal(t, http.StatusForbidden, answer.status)
		assert.Equal(t, "Your credentials lack one or more required privilege scopes.", answer.message())
		detail := answer.body["error"].(map[string]any)["detail"].(map[string]any)
		assert.Equal(t, []any{test.required}, detail["required"])
		assert.Len(t, detail["granted"], len(test.account.Scopes))
	}
}

func TestScopeHeadersAreOnEveryReply(t *testing.T) {
	s := small(t, Options{Accounts: []Account{{Username: "u", Token: "t", Scopes: []string{"read:repository:bitbucket"}}}})
	c := serve(t, s)
	s.Fail(Empty().On("/repositories/acme/web"))
	for _, path := range []string{"/repositories/acme", "/repositories/acme/none", "/repositories/acme/web"} {
		answer := c.basic("u", "t").get(path)
		assert.Equal(t, "read:repository:bitbucket", answer.header.Get("x-oauth-scopes"), path)
		assert.Equal(t, "repository", answer.header.Get("x-accepted-oauth-scopes"), path)
	}
	assert.Contains(t, c.get("/repositories/acme").header, "X-Oauth-Scopes", "a refused one too")
}

func TestHiddenRepositories(t *testing.T) {
	narrow := Account{Username: "u", Token: "t", Repositories: []string{"acme/docs"}}
	s := small(t, Options{Accounts: []Account{narrow}})
	c := serve(t, s).basic("u", "t")
	require.NoError(t, s.RenameRepository("acme", "api", "core"))

	assert.Equal(t, []string{"web", "docs"}, c.get("/repositories/acme").column("slug"), "public ones and its own")
	assert.EqualValues(t, 2, c.get("/repositories/acme").body["size"])
	assert.Equal(t, []string{"docs"}, c.get("/repositories/acme", "role", "member").column("slug"))
	hidden := c.get("/repositories/acme/core")
	assert.Equal(t, http.StatusNotFound, hidden.status)
	assert.Equal(t, "Repository acme/core not found", hidden.message())
	assert.Equal(t, http.StatusNotFound, c.get("/repositories/acme/core/refs/branches").status)
	assert.Equal(t, http.StatusNotFound, c.get("/repositories/acme/api").status, "no redirect tells of it")

	elsewhere := Account{Username: "u", Token: "t", Workspaces: []string{"other"}}
	forbidding := small(t, Options{Accounts: []Account{elsewhere}, ForbidHidden: true})
	c = serve(t, forbidding).basic("u", "t")
	refused := c.get("/repositories/acme/api")
	assert.Equal(t, http.StatusForbidden, refused.status)
	assert.NotContains(t, refused.body["error"], "detail")
	assert.Equal(t, http.StatusNotFound, c.get("/workspaces/acme").status)
}

func TestRateLimit(t *testing.T) {
	s := small(t, Options{RateLimit: 5, Accounts: []Account{
		{Username: "ada", Token: "t"}, {Username: "ben", Token: "t"},
	}})
	c := serve(t, s)
	var near []string
	for range 5 {
		answer := c.basic("ada", "t").get("/repositories/acme")
		assert.Equal(t, http.StatusOK, answer.status)
		assert.Equal(t, "5", answer.header.Get("X-RateLimit-Limit"))
		assert.NotEmpty(t, answer.header.Get("X-RateLimit-Resource"))
		near = append(near, answer.header.Get("X-RateLimit-Remaining")+" "+answer.header.Get("X-RateLimit-NearLimit"))
	}
	assert.Equal(t, []string{"4 false", "3 false", "2 false", "1 false", "0 true"}, near)

	spent := c.basic("ada", "t").get("/repositories/acme")
	assert.Equal(t, http.StatusTooManyRequests, spent.status)
	assert.Equal(t, "Rate limit for this resource has been exceeded", spent.message())
	assert.Equal(t, http.StatusOK, c.basic("ada", "t").get("/user").status, "another resource")
	assert.Equal(t, http.StatusOK, c.basic("ben", "t").get("/repositories/acme").status, "another account")
}

func TestEveryAccountHasAName(t *testing.T) {
	s := New(Options{Accounts: []Account{
		{Name: "Ada", Username: "ada@acme.example", Token: "t"},
		{Username: "ben@acme.example", Token: "t"},
		{Token: "t", Bearer: true},
	}})
	c := serve(t, s)
	c.basic("ada@acme.example", "t").get("/user")
	assert.Equal(t, "ben@acme.example", c.basic("ben@acme.example", "t").get("/user").body["display_name"])
	c.bearer("t").get("/user")
	var names []string
	for _, r := range s.Journal() {
		names = append(names, r.Account)
	}
	assert.Equal(t, []string{"Ada", "ben@acme.example", "account 3"}, names)
}

func TestEveryRouteNamesItsScopes(t *testing.T) {
	for _, r := range routes {
		assert.NotEmpty(t, r.granular, r.path)
		assert.True(t, r.classic != "" || r.path == "workspaces/*", r.path)
	}
	assert.False(t, slices.Contains(caller{open: true}.granted(), ""))
}
