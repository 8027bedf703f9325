package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
)

// A desk is an admin's browser at the console of a running serve.
type desk struct {
	t      *testing.T
	url    string
	client *http.Client
}

// desk returns a browser that nobody is logged in with.
func (g *gate) desk(t *testing.T, url string) *desk {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &desk{t, url, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (d *desk) send(method, path string, form url.Values) (status int, page string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(form.Encode()))
	require.NoError(d.t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	response, err := d.client.Do(r)
	require.NoError(d.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	return response.StatusCode, string(body)
}

func (d *desk) logIn(key string) {
	d.t.Helper()
	status, page := d.send(http.MethodPost, "/admin/login", url.Values{"key": {key}})
	require.Equal(d.t, http.StatusSeeOther, status, page)
}

func (d *desk) post(path string, form url.Values) {
	d.t.Helper()
	status, page := d.send(http.MethodPost, path, form)
	require.Equal(d.t, http.StatusSeeOther, status, page)
}

func (d *desk) page(path string) string {
	d.t.Helper()
	status, page := d.send(http.MethodGet, path, nil)
	require.Equal(d.t, http.StatusOK, status, page)
	return page
}

// The six steps in the console of the real server, whose client asks before
// each connection whether the address was named.
func TestTheGuideInTheConsoleOfServe(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	g := startGate(t, env, "--allow-api-host", bitbucket.HostPort(s.URL()))
	d := g.desk(t, g.url)
	d.logIn(newKey(t, env, "boss", "--role", "admin"))
	d.post("/admin/new-provider", url.Values{"name": {"acme"}, "type": {"bitbucket"}, "workspace": {"acme"}, "api_url": {s.URL()}})
	d.post("/admin/providers/acme/new-credential", url.Values{"name": {"reader"}, "api_key": {testToken}, "username": {testUsername}})
	assert.Contains(t, d.page("/admin/providers/acme"), "The credential reader works for reading.")
	d.post("/admin/providers/acme/new-scope", url.Values{"name": {"team"}, "credential": {"reader"}, "repositories": {"api"}})
	_, page := d.send(http.MethodPost, "/admin/try", url.Values{"scope": {"team"}, "ask": {"get_repo"}, "repository": {"api"}})
	assert.Contains(t, page, "acme/api")
	audit := must(t, env, "audit", "list", "--output", "json")
	assert.Contains(t, audit, "127.0.0.1", "the log says where an admin sat")
}

// What an agent is told leads to the listener that serves agents.
func TestTheConsoleTellsAgentsTheirOwnListener(t *testing.T) {
	env := newHome(t)
	g := startGate(t, env, "--admin-listen", "127.0.0.2:0")
	told := regexp.MustCompile(`admins: (\S+)/admin/mcp`)
	require.Eventually(t, func() bool { return told.MatchString(g.stdout.String()) }, time.Minute, 5*time.Millisecond)
	admins := told.FindStringSubmatch(g.stdout.String())[1]
	d := g.desk(t, admins)
	d.logIn(newKey(t, env, "boss", "--role", "admin"))
	_, page := d.send(http.MethodPost, "/admin/new-client", url.Values{"name": {"bot"}, "role": {"agent"}, "expires": {"90"}})
	assert.True(t, strings.Contains(page, g.url+"/mcp"))
	assert.False(t, strings.Contains(page, admins+"/mcp"))
	_, page = d.send(http.MethodPost, "/admin/new-client", url.Values{"name": {"chief"}, "role": {"admin"}, "expires": {"90"}})
	assert.True(t, strings.Contains(page, admins+"/admin/mcp"))
}

// Where an admin sits is what a trusted proxy says, and what nobody else can.
func TestTheLogSaysWhereAnAdminSits(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"behind a trusted proxy": {[]string{"--trusted-proxy", "127.0.0.0/8"}, `"from":"203.0.113.9"`},
		"by the client's word":   {nil, `"from":"127.0.0.1"`},
	} {
		t.Run(name, func(t *testing.T) {
			env := newHome(t)
			g := startGate(t, env, row.args...)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/admin/login", strings.NewReader("key=guess"))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Forwarded-For", "203.0.113.9")
			response, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			response.Body.Close()
			assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
			assert.Contains(t, must(t, env, "audit", "list", "--output", "json"), row.want)
		})
	}
}

// Who guesses, or wants to fill the log, meets the same limit as with keys on
// the way to the tools; a good key opens all the same.
func TestAFloodOfLogInsIsWrittenDownOnce(t *testing.T) {
	env := newHome(t)
	g := startGate(t, env)
	d := g.desk(t, g.url)
	key := newKey(t, env, "boss", "--role", "admin")
	const many = 300
	told := 0
	for i := range many {
		path := "/admin/login"
		if i%2 == 1 {
			path = "/admin/first/guess"
		}
		if status, _ := d.send(http.MethodPost, path, url.Values{"key": {"bg_guess"}, "name": {"me"}}); status != http.StatusTooManyRequests {
			told++
		}
	}
	assert.Less(t, told, many)
	d.logIn(key)
	events := strings.Count(must(t, env, "audit", "list", "--limit", "1000"), "denied")
	assert.Greater(t, events, told, "one for the others")
	assert.Less(t, events, many)
}
