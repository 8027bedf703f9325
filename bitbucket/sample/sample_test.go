package sample

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// client asks one server and does not follow redirects.
type client struct {
	t       *testing.T
	base    string
	headers http.Header
}

func serve(t *testing.T, s *Server) client {
	t.Helper()
	listener := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		listener.Close()
	})
	return client{t: t, base: listener.URL + apiPath, headers: http.Header{}}
}

type response struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

var transport = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// do sends a request for a whole URL.
func (c client) do(address string) (*http.Response, error) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, address, nil)
	require.NoError(c.t, err)
	maps.Copy(request.Header, c.headers)
	return transport.Do(request)
}

func (c client) follow(address string) response {
	c.t.Helper()
	r, err := c.do(address)
	require.NoError(c.t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(c.t, err)
	answer := response{status: r.StatusCode, header: r.Header, text: string(text)}
	if json.Valid(text) {
		require.NoError(c.t, json.Unmarshal(text, &answer.body))
	}
	return answer
}

// get asks for a path below /2.0 with query parameters in pairs.
func (c client) get(path string, pairs ...string) response {
	c.t.Helper()
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.follow(c.base + path)
}

func (r response) values() []any {
	values, _ := r.body["values"].([]any)
	return values
}

// column is one field of all rows.
func (r response) column(name string) []string {
	column := []string{}
	for _, value := range r.values() {
		text, _ := value.(map[string]any)[name].(string)
		column = append(column, text)
	}
	return column
}

func (r response) message() string {
	inner, _ := r.body["error"].(map[string]any)
	message, _ := inner["message"].(string)
	return message
}

func keys(m any) []string { return slices.Sorted(maps.Keys(m.(map[string]any))) }

// small is a server with three repositories of acme, one of them public.
func small(t *testing.T, o Options) *Server {
	t.Helper()
	s := New(o)
	for _, r := range []Repository{
		{Workspace: "acme", Slug: "web", Name: "Web Shop", Language: "typescript"},
		{Workspace: "acme", Slug: "api", Private: true, Language: "go", ProjectKey: "P", DefaultBranch: "main"},
		{Workspace: "acme", Slug: "docs", Private: true, ParentFullName: "acme/api"},
	} {
		require.NoError(t, s.AddRepository(r))
	}
	first := commitOn(t, s, "api", "First\n")
	second := commitOn(t, s, "api", "Second\n", first)
	require.NoError(t, s.SetBranch("acme", "api", "main", first))
	require.NoError(t, s.SetBranch("acme", "api", "feature/x", second))
	return s
}

func commitOn(t *testing.T, s *Server, slug, message string, parents ...string) string {
	t.Helper()
	hash, err := s.AddCommit("acme", slug, Commit{Message: message, Parents: parents})
	require.NoError(t, err)
	return hash
}

func TestUnknownPaths(t *testing.T) {
	s := small(t, Options{})
	var unknown []string
	s.OnUnknown(func(r Request) { unknown = append(unknown, r.Path) })
	c := serve(t, s)
	tests := []struct {
		path   string
		status int
	}{
		{"/repositories", http.StatusGone},
		{"/workspaces/", http.StatusGone},
		{"/repositories/acme/api/issues", http.StatusNotFound},
		{"/repositories/acme/./api", http.StatusNotFound},
		{"/repositories/acme/%2E%2E", http.StatusNotFound},
		{"/repositories//api", http.StatusNotFound},
	}
	for _, test := range tests {
		unknown = nil
		assert.Equal(t, test.status, c.get(test.path).status, test.path)
		assert.Equal(t, []string{apiPath + test.path}, unknown)
	}
	s.Fail(RedirectTo(http.StatusFound, "https://evil.example/"))
	unknown = nil
	assert.Equal(t, http.StatusFound, c.get("/anything").status)
	assert.Empty(t, unknown, "a fault that answers makes the path expected")
}

func TestStartAndClose(t *testing.T) {
	s := small(t, Options{})
	base, err := s.Start("127.0.0.1:0")
	require.NoError(t, err)
	c := client{t: t, base: base}
	assert.Equal(t, http.StatusOK, c.get("/repositories/acme").status)
	_, err = s.Start("127.0.0.1:0")
	require.Error(t, err, "a second time")

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = c.do(base + "/repositories/acme")
	require.Error(t, err)
}

func TestStartRefusesABadAddress(t *testing.T) {
	_, err := New(Options{}).Start("256.0.0.1:0")
	require.Error(t, err)
}
