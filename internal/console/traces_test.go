package console

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
)

// Who did what, from where, and why not: each thing that is done in the console
// leaves its event, and no second one.
func TestEachActionLeavesOneEvent(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.From = func(*http.Request) string { return "203.0.113.7" } })
	h.furnish()
	v := h.loggedIn("anna")
	scope := url.Values{"name": {"new"}, "credential": {"reader"}, "repositories": {"api"}, "branches": {"main"}}
	for _, row := range []struct {
		path, tool, target string
		form               url.Values
		decision           audit.Decision
	}{
		{"/admin/new-provider", "create_provider", "new", url.Values{"name": {"new"}, "type": {"bitbucket"}, "workspace": {"new"}}, audit.Allowed},
		{"/admin/new-provider", "create_provider", "new", url.Values{"name": {"new"}, "type": {"bitbucket"}, "workspace": {"new"}}, audit.Denied},
		{"/admin/new-provider", "create_provider", "", url.Values{"name": {""}, "type": {"bitbucket"}, "workspace": {"../x"}}, audit.Denied},
		{"/admin/providers/new/edit", "update_provider", "new", url.Values{"version": {"1"}, "workspace": {"other"}}, audit.Allowed},
		{"/admin/providers/new/edit", "update_provider", "new", url.Values{"version": {"1"}, "workspace": {"stale"}}, audit.Denied},
		{"/admin/providers/new/delete", "delete_provider", "new", nil, audit.Allowed},
		{"/admin/providers/acme/delete", "delete_provider", "acme", nil, audit.Denied},
		{"/admin/providers/acme/new-credential", "create_credential", "acme/new", url.Values{"name": {"new"}}, audit.Allowed},
		{"/admin/providers/acme/new-credential", "create_credential", "acme/new", url.Values{"name": {"new"}}, audit.Denied},
		{"/admin/providers/acme/credentials/new", "update_credential", "acme/new", url.Values{"version": {"1"}}, audit.Allowed},
		{"/admin/providers/acme/credentials/reader/test", "test_credential", "acme/reader", nil, audit.Allowed},
		{"/admin/providers/acme/credentials/new/delete", "delete_credential", "acme/new", nil, audit.Allowed},
		{"/admin/providers/acme/credentials/reader/delete", "delete_credential", "acme/reader", nil, audit.Denied},
		{"/admin/providers/acme/preview", "preview_scope", "acme", scope, audit.Allowed},
		{"/admin/providers/acme/new-scope", "create_scope", "new", scope, audit.Allowed},
		{"/admin/scopes/new", "update_scope", "new", url.Values{"version": {"1"}, "credential": {"reader"}, "repositories": {"web"}, "branches": {"main"}}, audit.Allowed},
		{"/admin/scopes/new", "update_scope", "new", url.Values{"version": {"2"}, "credential": {"reader"}, "branches": {"main"}}, audit.Denied},
		{"/admin/scopes/new/delete", "delete_scope", "new", nil, audit.Allowed},
		{"/admin/new-client", "create_client", "new", url.Values{"name": {"new"}, "role": {"agent"}, "expires": {"90"}}, audit.Allowed},
		{"/admin/clients/new", "update_client", "new", url.Values{"version": {"1"}, "role": {"agent"}, "scope": {"platform"}}, audit.Allowed},
		{"/admin/clients/new", "update_client", "new", url.Values{"version": {"2"}, "role": {"agent"}, "scope": {"none"}}, audit.Denied},
		{"/admin/clients/new/key", "replace_client_key", "new", url.Values{"version": {"2"}}, audit.Allowed},
		{"/admin/clients/new/revoke", "delete_client", "new", nil, audit.Allowed},
		{"/admin/audit/verify", "verify_audit", "", nil, audit.Allowed},
		{"/admin/logout", "log_out", "anna", nil, audit.Allowed},
	} {
		before := len(h.events())
		v.post(row.path, row.form)
		events := h.events()
		what := row.path + " " + string(row.decision)
		if !assert.Len(t, events, before+1, what) {
			continue
		}
		e := events[0]
		assert.Equal(t, []string{"anna", "admin", "console", row.tool, row.target}, []string{e.Caller, e.Role, e.Transport, e.Tool, e.Target}, what)
		assert.Equal(t, row.decision, e.Decision, what)
		assert.Equal(t, "203.0.113.7", e.From, what)
		if row.decision == audit.Denied {
			assert.NotEmpty(t, e.Reason, "%s says why", what)
		}
	}
}

// Who guesses, or wants to fill the log, is not written down one by one; who
// has the key gets in.
func TestManyRefusedLogInsAreOneEvent(t *testing.T) {
	tally := manage.OneOfFew
	h := newHouse(t, func(c *Config) { c.Refused = func(*http.Request) manage.Tally { return tally } })
	key := h.admin("anna")
	v := h.visitor()
	for _, path := range []string{"/admin/login", "/admin/first/guess"} {
		for _, row := range []struct {
			tally  manage.Tally
			many   bool
			events int
		}{{manage.OneOfFew, false, 1}, {manage.FirstOfMany, true, 1}, {manage.OneOfMany, true, 0}} {
			tally = row.tally
			before := len(h.events())
			a := v.post(path, url.Values{"key": {"hunter2"}, "name": {"me"}})
			assert.Equal(t, row.many, a.status == http.StatusTooManyRequests, path)
			assert.Equal(t, row.many, strings.Contains(a.body, "a minute"), path)
			assert.Len(t, h.events(), before+row.events, path)
			if row.tally == manage.FirstOfMany {
				assert.Contains(t, h.events()[0].Reason, "so many")
			}
		}
	}
	v.post("/admin/login", url.Values{"key": {key}})
	assert.True(t, v.in())
}

// A pipe is a connection that takes so much and then breaks.
type pipe struct {
	*httptest.ResponseRecorder
	takes     int
	deadlines int
	unguarded bool // a piece was sent without a time of its own
}

func (p *pipe) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() {
		p.deadlines++
	}
	return nil
}

func (p *pipe) Write(b []byte) (int, error) {
	p.unguarded = p.unguarded || p.deadlines == 0
	p.deadlines = 0
	if p.takes -= len(b); p.takes < 0 {
		return 0, errors.New("the other end has gone")
	}
	return p.ResponseRecorder.Write(b)
}

// A browser that takes nothing more must not hold the log open, and one that
// has gone is no mistake of the server.
func TestAnExportThatNobodyTakes(t *testing.T) {
	h := newHouse(t)
	h.guide()
	v := h.loggedIn("anna")
	for range 300 {
		require.NoError(t, h.audit.Record(t.Context(), audit.Event{ID: audit.NewID(), Time: time.Now(), Caller: "bot", Decision: audit.Allowed, Reason: strings.Repeat("x", 900)}))
	}
	require.NoError(t, h.audit.Commit(t.Context(), audit.Event{ID: audit.NewID(), Time: time.Now(), Caller: "last", Decision: audit.Allowed}))
	export := func(takes int) *pipe {
		p := &pipe{ResponseRecorder: httptest.NewRecorder(), takes: takes}
		r := httptest.NewRequest(http.MethodGet, "/admin/audit/export", nil)
		r.AddCookie(&http.Cookie{Name: "bucketgate-console", Value: v.cookie()})
		defer func() {
			if recovered := recover(); recovered != nil {
				assert.Equal(t, http.ErrAbortHandler, recovered)
				assert.Less(t, takes, 1<<20, "it ends in its middle only where it was cut")
			}
		}()
		h.console.ServeHTTP(p, r)
		return p
	}
	whole := export(1 << 20)
	assert.Greater(t, whole.Body.Len(), 200<<10)
	assert.False(t, whole.unguarded)
	assert.Nil(t, export(100<<10), "it was cut")
	assert.NotContains(t, h.log.String(), "ERROR")
}
