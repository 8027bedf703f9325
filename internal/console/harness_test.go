package console

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket"
	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/server"
	"bucketgate/tools"
	"bucketgate/tools/agent"
)

// The account that the sample Bitbucket lets in. The token is the canary: it
// must be in no page.
const (
	sampleUser  = "bot@example.com"
	sampleToken = "ATATT-canary-of-the-console-wxyz"
)

// A house is a console with everything behind it that is real: a database, the
// service, the tools, an MCP endpoint, and a sample Bitbucket over HTTP.
type house struct {
	t        testing.TB
	store    *store.Store
	audit    *audit.Writer
	service  *manage.Service
	console  *Console
	upstream *bitbuckettest.Server
	url      string
	log      *journal
	boss     manage.Actor
	database string // path of the file
}

// A journal keeps what is logged, and is safe for concurrent use.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func newHouse(t testing.TB, edits ...func(*Config)) *house {
	t.Helper()
	h := &house{t: t, log: &journal{}, boss: manage.Actor{Name: "root", Transport: "command line", AnyAPI: true}}
	h.upstream = bitbuckettest.Serve(t, sample.Demo(sample.Options{Accounts: []sample.Account{{Name: "Test Bot", Username: sampleUser, Token: sampleToken}}}))
	log := slog.New(slog.NewTextHandler(h.log, nil))
	h.database = filepath.Join(t.TempDir(), "bucketgate.db")
	db, err := store.Open(context.Background(), store.Config{
		Database:  h.database,
		MasterKey: func() (secret.MasterKey, error) { return secret.NewMasterKey(), nil },
	})
	require.NoError(t, err)
	writer, err := audit.NewWriter(context.Background(), audit.Config{
		Writer: "main", Key: db.Keyset(), Append: db.AppendAudit, Group: time.Millisecond,
		Last: func(ctx context.Context) (audit.Head, error) { return db.LastAudit(ctx, "main") },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, writer.Close(context.Background()))
		assert.NoError(t, db.Close())
	})
	client := bitbucket.New(bitbucket.Config{
		Credential: func(ctx context.Context, id string) (bitbucket.Credential, error) {
			return manage.OpenCredential(ctx, db, id)
		},
		AllowAddress: func(hostPort string) bool { return hostPort == bitbucket.HostPort(h.upstream.URL()) },
	})
	h.store, h.audit = db, writer
	h.service = manage.New(manage.Config{Store: db, Audit: writer, Client: client, AllowAPI: func(api string) bool { return api == h.upstream.URL() }})
	cursors, err := tools.NewCursors([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	toolbox := &tools.Toolbox{
		Tools: agent.Tools(client), Cursors: cursors, Log: log,
		Record: func(e audit.Event) error { return writer.Record(context.Background(), e) },
	}
	caller := func(ctx context.Context, name, transport string, scopes []string) (tools.Caller, error) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		roster, err := manage.NewRoster(ctx, db, log)
		if err != nil {
			return tools.Caller{}, err
		}
		return tools.Caller{Name: name, Role: "agent", Transport: transport, Grant: roster.Grant(name, scopes)}, nil
	}

	mux := http.NewServeMux()
	listener := httptest.NewServer(mux)
	t.Cleanup(listener.Close)
	h.url = listener.URL
	config := Config{
		Service: h.service, PublicURL: h.url, Log: log,
		Try: func(ctx context.Context, admin, scope, tool string, arguments json.RawMessage) (json.RawMessage, error) {
			who, err := caller(ctx, admin, "console", []string{scope})
			if err != nil {
				return nil, err
			}
			return toolbox.Run(ctx, tools.Request{Caller: who, Tool: tool, Arguments: arguments}).Text, nil
		},
	}
	for _, edit := range edits {
		edit(&config)
	}
	h.console, err = New(config)
	require.NoError(t, err)
	mux.Handle("/admin/", h.console)
	mux.Handle("POST /mcp", h.endpoint(toolbox, caller, log))
	return h
}

// endpoint is the least that an MCP client over HTTP can talk to: one message,
// one answer, judged by the product's own server.
func (h *house) endpoint(toolbox *tools.Toolbox, caller func(context.Context, string, string, []string) (tools.Caller, error), log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		prefix, hash, ok := secret.HashClientKey(key)
		var client store.Client
		err := h.store.View(r.Context(), func(tx *store.Tx) (err error) { client, err = tx.ClientByKeyPrefix(prefix); return err })
		if !ok || err != nil || !secret.SameHash(client.KeyHash, hash) || !client.RevokedAt.IsZero() {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		who, err := caller(r.Context(), client.Name, "http", client.Scopes)
		if err != nil {
			http.Error(w, "internal", http.StatusInternalServerError)
			return
		}
		message, _ := io.ReadAll(r.Body)
		var answer bytes.Buffer
		s := server.New(server.Config{Name: "bucketgate", Version: "test", Toolbox: toolbox, Log: log, Caller: func(context.Context) tools.Caller { return who }})
		if err := s.ServeStdio(r.Context(), bytes.NewReader(bytes.ReplaceAll(message, []byte("\n"), nil)), &answer); err != nil {
			http.Error(w, "internal", http.StatusInternalServerError)
			return
		}
		// An allowed read is written a moment after its answer. Here it is awaited,
		// so that a page that is opened next shows it.
		if err := h.audit.Commit(r.Context(), audit.Event{ID: audit.NewID(), Time: time.Now(), Caller: "harness", Role: "agent", Tool: "wait", Decision: audit.Allowed}); err != nil {
			http.Error(w, "internal", http.StatusInternalServerError)
			return
		}
		if answer.Len() == 0 {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = answer.WriteTo(w)
	})
}

// admin makes an admin and returns its key.
func (h *house) admin(name string) string {
	h.t.Helper()
	_, key, err := h.service.CreateClient(context.Background(), h.boss, manage.Client{Name: name, Role: "admin"})
	require.NoError(h.t, err)
	return key.Reveal()
}

// guide does steps 2 to 4 behind the pages.
func (h *house) guide() {
	h.t.Helper()
	ctx := context.Background()
	_, err := h.service.CreateProvider(ctx, h.boss, manage.Provider{Name: "acme", Workspace: "acme", API: h.upstream.URL()})
	require.NoError(h.t, err)
	_, err = h.service.CreateCredential(ctx, h.boss, manage.Credential{Provider: "acme", Name: "reader", Username: sampleUser, Key: secret.NewText(sampleToken)})
	require.NoError(h.t, err)
	_, _, err = h.service.CreateScope(ctx, h.boss, manage.Scope{Name: "platform", Provider: "acme", Credential: "reader", Repositories: []string{"^duplocloud-.*"}, Branches: []string{"^main$"}})
	require.NoError(h.t, err)
}

// A visitor is a browser without a screen and without script: it keeps cookies
// and follows no redirect.
type visitor struct {
	*house
	client *http.Client
	seen   *journal // everything that it got: pages, headers and addresses
}

func (h *house) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	require.NoError(h.t, err)
	return &visitor{house: h, seen: &journal{}, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// loggedIn is a visitor who has shown an admin's key.
func (h *house) loggedIn(name string) *visitor {
	h.t.Helper()
	v := h.visitor()
	answer := v.post("/admin/login", url.Values{"key": {h.admin(name)}})
	require.Equal(h.t, http.StatusSeeOther, answer.status, answer.body)
	return v
}

// An answer is what a visitor got.
type answered struct {
	status int
	header http.Header
	body   string
}

// location is where a redirect leads.
func (a answered) location() string { return a.header.Get("Location") }

func (v *visitor) get(path string) answered {
	v.t.Helper()
	return v.send(http.MethodGet, path, nil, nil)
}

func (v *visitor) post(path string, form url.Values) answered {
	v.t.Helper()
	return v.send(http.MethodPost, path, form, map[string]string{"Sec-Fetch-Site": "same-origin"})
}

func (v *visitor) send(method, path string, form url.Values, headers map[string]string) answered {
	v.t.Helper()
	r, err := http.NewRequest(method, v.url+path, strings.NewReader(form.Encode()))
	require.NoError(v.t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := v.client.Do(r)
	require.NoError(v.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(v.t, err)
	require.NoError(v.t, response.Header.Write(v.seen))
	_, _ = v.seen.Write(body)
	return answered{response.StatusCode, response.Header, string(body)}
}

// must is a page that is there.
func (v *visitor) must(path string) string {
	v.t.Helper()
	a := v.get(path)
	require.Equal(v.t, http.StatusOK, a.status, "%s: %s", path, a.body)
	return a.body
}

// pointAtSample gives a provider the address of the sample Bitbucket, which no
// form of the pictures shows.
func (h *house) pointAtSample(provider string) {
	h.t.Helper()
	p, err := h.service.Provider(context.Background(), provider)
	require.NoError(h.t, err)
	_, err = h.service.UpdateProvider(context.Background(), h.boss, 0, manage.Provider{Name: p.Name, Workspace: p.Workspace, API: h.upstream.URL()})
	require.NoError(h.t, err)
}
