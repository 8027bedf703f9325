package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
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
	"bucketgate/tools"
	"bucketgate/tools/admin"
)

const (
	testUser = "bot@example.com"
	testKey  = "ATATT-c4n4ry-key-wxyz"

	patience = 20 * time.Second // for what must happen; no measure of speed
	poll     = 5 * time.Millisecond
)

// A desk is the tools of an admin over a real database and a Bitbucket whose
// workspace acme has the repositories api, api-two and hidden.
type desk struct {
	t        *testing.T
	upstream *bitbuckettest.Server
	store    *store.Store
	audit    *audit.Writer
	service  *manage.Service
	toolbox  *tools.Toolbox
	log      bytes.Buffer
	linkErr  error
	caller   tools.Caller
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, caller: tools.Caller{Name: "boss", Role: "admin", Transport: "http"}}
	d.upstream = bitbuckettest.New(t, func(o *sample.Options) {
		o.Accounts = []sample.Account{{Name: "Test Bot", Username: testUser, Token: testKey}}
	})
	d.upstream.Repository("acme/api", "main")
	d.upstream.Repository("acme/api-two", "main")
	d.upstream.Repository("acme/hidden", "main")
	var err error
	d.store, err = store.Open(t.Context(), store.Config{
		Database:  filepath.Join(t.TempDir(), "bucketgate.db"),
		MasterKey: func() (secret.MasterKey, error) { return secret.NewMasterKey(), nil },
	})
	require.NoError(t, err)
	d.audit, err = audit.NewWriter(t.Context(), audit.Config{
		Writer: "test", Key: d.store.Keyset(), Append: d.store.AppendAudit,
		Last: func(ctx context.Context) (audit.Head, error) { return d.store.LastAudit(ctx, "test") },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, d.audit.Close(context.Background()))
		assert.NoError(t, d.store.Close())
	})
	d.service = manage.New(manage.Config{Store: d.store, Audit: d.audit, Client: bitbucket.New(bitbucket.Config{
		Credential: func(ctx context.Context, id string) (bitbucket.Credential, error) {
			return manage.OpenCredential(ctx, d.store, id)
		},
		AllowAddress: func(string) bool { return true },
	})})
	cursors, err := tools.NewCursors([]byte("for the test"))
	require.NoError(t, err)
	d.toolbox = &tools.Toolbox{
		Tools: admin.Tools(admin.Config{Service: d.service, LinkURL: d.link}), Cursors: cursors,
		Log: slog.New(slog.NewTextHandler(&d.log, nil)), Record: func(e audit.Event) error { return d.audit.Record(context.Background(), e) },
	}
	return d
}

func (d *desk) link(token secret.Text, _ time.Time) (string, error) {
	return "http://127.0.0.1:1/admin/secret/" + token.Reveal(), d.linkErr
}

// guide sets up a provider that is the test's Bitbucket, and a credential, a
// scope and a client on it.
func (d *desk) guide() *desk {
	d.t.Helper()
	_, err := d.service.CreateProvider(d.t.Context(), manage.Actor{Name: "cli", AnyAPI: true}, manage.Provider{Name: "acme", Workspace: "acme", API: d.upstream.URL()})
	require.NoError(d.t, err)
	d.answer("create_credential", `{"provider":"acme","name":"reader","username":"`+testUser+`","api_key":"`+testKey+`"}`)
	d.answer("create_scope", `{"name":"team","provider":"acme","credential":"reader","repositories":["api.*"],"branches":["main"]}`)
	d.answer("create_client", `{"name":"bot","scopes":["team"]}`)
	return d
}

func (d *desk) run(ctx context.Context, tool, arguments string) tools.Result {
	d.t.Helper()
	return d.toolbox.Run(ctx, tools.Request{Caller: d.caller, Tool: tool, Arguments: json.RawMessage(arguments)})
}

// answer is the answer of a call that must succeed.
func (d *desk) answer(tool, arguments string) map[string]any {
	d.t.Helper()
	result := d.run(d.t.Context(), tool, arguments)
	require.False(d.t, result.IsError(), "%s %s: %s", tool, arguments, result.Text)
	require.Less(d.t, len(result.Text), tools.MaxAnswer)
	var answer map[string]any
	require.NoError(d.t, json.Unmarshal(result.Text, &answer))
	require.NotEmpty(d.t, answer["summary"])
	return answer
}

// refused is the error of a call that must fail.
func (d *desk) refused(tool, arguments string) *tools.Error {
	d.t.Helper()
	result := d.run(d.t.Context(), tool, arguments)
	require.True(d.t, result.IsError(), "%s %s: %s", tool, arguments, result.Text)
	return result.Error
}

// events are all events that the store holds, the newest first.
func (d *desk) events() []audit.Event {
	d.t.Helper()
	events, _, err := d.service.AuditEvents(context.Background(), audit.Filter{}, 1000, "")
	require.NoError(d.t, err)
	return events
}

// rows are the objects of a list.
func rows(list any) []map[string]any {
	var out []map[string]any
	for _, row := range list.([]any) {
		out = append(out, row.(map[string]any))
	}
	return out
}

func column(list any, name string) []string {
	var out []string
	for _, row := range rows(list) {
		out = append(out, row[name].(string))
	}
	return out
}
