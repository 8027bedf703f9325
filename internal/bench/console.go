package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"

	"bucketgate/internal/audit"
	"bucketgate/internal/console"
	"bucketgate/internal/manage"
	"bucketgate/internal/store"
)

// maxPage is what a page of the console may take, in milliseconds, with 1,000
// scopes, 10,000 clients and 1,000,000 audit events.
const maxPage = 50.0

// consolePages measures every page of the console over a large database.
func (b *bench) consolePages() (found []finding, err error) {
	scopes, clients, events := 1000, b.rounds(10_000, 1000), b.rounds(1_000_000, 50_000)
	home, err := b.setUp(scopes, clients)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	db, err := openHome(b.ctx, home)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := fillAudit(b.ctx, db, events, scopes, clients); err != nil {
		return nil, err
	}
	v, err := visit(b.ctx, db)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	slowest, page := time.Duration(0), ""
	for _, path := range consolePaths(scopes, clients) {
		var times []time.Duration
		for range b.rounds(9, 3) {
			took, err := v.get(path)
			if err != nil {
				return nil, err
			}
			times = append(times, took)
		}
		if took := median(times); took > slowest {
			slowest, page = took, path
		}
	}
	return []finding{judged(fmt.Sprintf("slowest page of the console with %d scopes, %d clients and %d audit events", scopes, clients, events),
		milliseconds(slowest), maxPage, inMilliseconds, page)}, nil
}

// consolePaths are the pages that a large database could make slow: long lists
// in their middle and at their end, and filters that choose much, little or
// nothing.
func consolePaths(scopes, clients int) []string {
	middle, last := fmt.Sprintf("client-%d", clients/2), "client-9999"
	paths := []string{
		"/admin/", "/admin/providers", "/admin/providers/acme", "/admin/providers/acme/edit", "/admin/providers/acme/delete",
		"/admin/providers/acme/scopes", "/admin/providers/acme/scopes?q=99", "/admin/providers/acme/scopes?after=scope-98",
		"/admin/providers/acme/new-credential", "/admin/providers/acme/credentials/key", "/admin/providers/acme/credentials/key/delete",
		"/admin/providers/acme/new-scope", "/admin/scopes/scope-0", fmt.Sprintf("/admin/scopes/scope-%d/delete", scopes-1),
		"/admin/clients", "/admin/clients?q=nobody", "/admin/clients?q=99", "/admin/clients?revoked=1&after=" + last,
		"/admin/new-client", "/admin/clients/" + middle, "/admin/clients/" + middle + "/revoke", "/admin/try",
	}
	for _, filter := range []string{
		"", "decision=denied", "decision=allowed", "caller=client-7", "caller=client-7&decision=denied", "caller=nobody", "tool=get_repo", "tool=list_repos&decision=denied", "tool=nothing",
		"scope=scope-3", "scope=scope-3&decision=denied", "scope=scope-3&caller=client-3", "scope=scope-3&tool=get_repo", "caller=client-7&tool=get_repo", "caller=client-7&scope=scope-8",
		"since=2025-06-01T00:00", "until=2025-01-01T01:00", "since=2025-01-01T00:00&until=2025-01-01T00:10&decision=denied", "tool=get_repo&until=2025-01-01T02:00",
	} {
		paths = append(paths, "/admin/audit?"+filter)
	}
	return append(paths, "/admin/audit?after="+fmt.Sprintf("%d.%d", firstEvent.Add(time.Hour).UnixMicro(), 1))
}

var firstEvent = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// fillAudit writes events as a year of work leaves them: a second apart, one in
// fifty denied. They are not signed, which no list looks at.
func fillAudit(ctx context.Context, db *store.Store, events, scopes, clients int) error {
	names := []string{"get_repo", "list_repos", "list_branches", "my_access"}
	const atOnce = 5000
	batch := make([]audit.Record, 0, atOnce)
	for i := range events {
		e := audit.Event{
			ID: fmt.Sprintf("EVENT%020d", i), Time: firstEvent.Add(time.Duration(i) * time.Second), Caller: fmt.Sprintf("client-%d", i*7919%clients), Role: "agent", Transport: "http",
			Tool: names[i%len(names)], Scope: fmt.Sprintf("scope-%d", i*31%scopes), Target: "acme/duplocloud-api", Decision: audit.Allowed,
		}
		if i%50 == 0 {
			e.Decision, e.Reason = audit.Denied, "allowed by none of the scopes"
		}
		body, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encoding an event: %w", err)
		}
		batch = append(batch, audit.Record{Writer: "past", Seq: int64(i + 1), Event: e, Body: body, MAC: body[:32]})
		if len(batch) == atOnce || i == events-1 {
			if err := db.AppendAudit(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}

// A visitor is an admin's browser at a console, over real HTTP.
type visitor struct {
	client *http.Client
	server *http.Server
	writer *audit.Writer
	url    string
}

func visit(ctx context.Context, db *store.Store) (*visitor, error) {
	writer, err := audit.NewWriter(ctx, audit.Config{
		Writer: "bench", Key: db.Keyset(), Append: db.AppendAudit,
		Last: func(ctx context.Context) (audit.Head, error) { return db.LastAudit(ctx, "bench") },
	})
	if err != nil {
		return nil, err
	}
	service := manage.New(manage.Config{Store: db, Audit: writer})
	_, key, err := service.CreateClient(ctx, manage.Actor{Name: "bench"}, manage.Client{Name: "admin", Role: "admin"})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	v := &visitor{writer: writer, url: "http://" + listener.Addr().String()}
	pages, err := console.New(console.Config{Service: service, PublicURL: v.url, Try: func(context.Context, string, string, string, json.RawMessage) (json.RawMessage, error) {
		return json.RawMessage(`{}`), nil // the form is measured, and not what a call takes
	}})
	if err != nil {
		return nil, err
	}
	v.server = &http.Server{Handler: pages}
	go func() { _ = v.server.Serve(listener) }()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("making a jar: %w", err)
	}
	v.client = &http.Client{Jar: jar}
	response, err := v.client.PostForm(v.url+"/admin/login", url.Values{"key": {key.Reveal()}})
	if err != nil {
		return nil, fmt.Errorf("logging in: %w", err)
	}
	return v, errors.Join(response.Body.Close(), loggedIn(response))
}

// loggedIn refuses a login that did not lead to the first page.
func loggedIn(response *http.Response) error {
	if response.StatusCode != http.StatusOK || !strings.HasSuffix(response.Request.URL.Path, "/admin/") {
		return fmt.Errorf("logging in: status %d at %s", response.StatusCode, response.Request.URL.Path)
	}
	return nil
}

// get reads a page to its end and returns how long that took.
func (v *visitor) get(path string) (time.Duration, error) {
	began := time.Now()
	response, err := v.client.Get(v.url + path)
	if err != nil {
		return 0, fmt.Errorf("getting %s: %w", path, err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	took := time.Since(began)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return 0, fmt.Errorf("getting %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK || strings.HasSuffix(response.Request.URL.Path, "/login") {
		return 0, fmt.Errorf("getting %s: status %d", path, response.StatusCode)
	}
	return took, nil
}

func (v *visitor) close() error {
	return errors.Join(v.server.Close(), v.writer.Close(context.Background()))
}
