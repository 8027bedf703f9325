package bitbucket

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/internal/secret"
	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

const (
	// canary is the token of every test's credential. It must turn up nowhere.
	canary   = "ATATT3xCANARY0token"
	username = "bot@example.com"
	// upstreamText stands in bodies of Bitbucket's, and must stay there.
	upstreamText = "UPSTREAM-TEXT"
)

// A site is a Bitbucket, its address, and a client of it.
type site struct {
	*sample.Server
	api    string
	client *Client
}

// on returns a site for a server that listens.
func on(t testing.TB, s *bitbuckettest.Server) *site {
	t.Helper()
	c := New(Config{
		Credential:   keyFor(s.URL()),
		AllowAddress: func(hostPort string) bool { return hostPort == HostPort(s.URL()) },
		UserAgent:    "bucketgate/test",
	})
	c.retryDelay = time.Millisecond
	t.Cleanup(c.http.CloseIdleConnections)
	return &site{Server: s.Server, api: s.URL(), client: c}
}

func keyFor(api string) func(context.Context, string) (Credential, error) {
	return func(context.Context, string) (Credential, error) {
		return Credential{API: api, Username: username, APIKey: secret.NewText(canary)}, nil
	}
}

// inMemory returns a site that is reached without a network: real HTTP over
// pipes, so that in a synctest bubble nobody waits for time to pass.
func inMemory(t testing.TB, s *sample.Server) *site {
	t.Helper()
	const api = "http://bitbucket.test/2.0"
	s.OnUnknown(func(r sample.Request) { t.Errorf("nobody expected the request %s %s", r.Method, r.Path) })
	pipes := &pipeListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: s}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(pipes)
	}()
	c := New(Config{Credential: keyFor(api), UserAgent: "bucketgate/test"})
	c.http.Transport.(*http.Transport).DialContext = pipes.dial
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		c.http.CloseIdleConnections()
		assert.NoError(t, server.Close())
		<-done
	})
	return &site{Server: s, api: api, client: c}
}

type pipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.accepted <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// scope compiles a definition for the site.
func (s *site) scope(t testing.TB, d policy.Definition) policy.Scope {
	t.Helper()
	d.API = s.api
	return policytest.Scope(t, d)
}

func (s *site) workspace(t testing.TB, d policy.Definition) policy.Workspace {
	t.Helper()
	return policytest.Workspace(t, s.scope(t, d))
}

func (s *site) repo(t testing.TB, name string, d policy.Definition) policy.Repo {
	t.Helper()
	return policytest.Repo(t, name, s.scope(t, d))
}

// lines returns what was asked, with the decoded parameters in order.
func (s *site) lines() []string {
	lines := []string{}
	for _, r := range s.Journal() {
		lines = append(lines, r.Method+" "+r.Path+"?"+r.Query.Encode())
	}
	return lines
}

// starts returns when each request came in, counted from the first.
func (s *site) starts() []time.Duration {
	starts := []time.Duration{}
	journal := s.Journal()
	for _, r := range journal {
		starts = append(starts, r.Time.Sub(journal[0].Time))
	}
	return starts
}

// one is a repository named api with a branch main, and nothing else.
func one(t testing.TB, o sample.Options) *sample.Server {
	t.Helper()
	s := sample.New(o)
	require.NoError(t, s.AddRepository(sample.Repository{Workspace: "acme", Slug: "api", Private: true, DefaultBranch: "main"}))
	hash, err := s.AddCommit("acme", "api", sample.Commit{Message: "Begin"})
	require.NoError(t, err)
	require.NoError(t, s.SetBranch("acme", "api", "main", hash))
	return s
}

// repositories adds as many repositories as there are slugs.
func repositories(t testing.TB, s *sample.Server, slugs ...string) {
	t.Helper()
	for _, slug := range slugs {
		require.NoError(t, s.AddRepository(sample.Repository{Workspace: "acme", Slug: slug, Private: true}))
	}
}

// numbered returns n slugs that sort in this order.
func numbered(prefix string, n int) []string {
	slugs := make([]string, n)
	for i := range slugs {
		slugs[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	return slugs
}

func slugs(rows []Repository) []string {
	list := []string{}
	for _, r := range rows {
		list = append(list, r.Repo.Slug())
	}
	return list
}

func names(rows []Branch) []string {
	list := []string{}
	for _, b := range rows {
		list = append(list, b.Name)
	}
	return list
}

// assertDiscreet fails the test when an error, or one that it wraps, tells of
// the credential, of an address, or in Bitbucket's words.
func assertDiscreet(t testing.TB, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, format := range []string{"%v", "%+v", "%#v", "%q"} {
			text := strings.ToLower(fmt.Sprintf(format, err))
			for _, word := range []string{
				canary, base64.StdEncoding.EncodeToString([]byte(username + ":" + canary)), username,
				upstreamText, "http://", "https://", "127.0.0.1", "bitbucket.test", "/repositories", "authorization",
			} {
				assert.NotContains(t, text, strings.ToLower(word), "the error tells too much")
			}
		}
	}
}

// budget is what a tool call has.
func budget() *Budget { return NewBudget(50) }
