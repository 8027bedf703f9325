package secretpage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

const key = `ATATT<c4n4ry>"key"&0123456789`

// A desk is the page over a real service, and a link that is open.
type desk struct {
	t       *testing.T
	server  *httptest.Server
	service *manage.Service
	audit   *audit.Writer
	log     shared
	token   string
}

// A shared is a log that the server writes and a test reads.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var boss = manage.Actor{Name: `boss <script>alert(1)</script>`, Transport: "stdio"}

func newDesk(t *testing.T, origins ...string) *desk {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{
		Database:  filepath.Join(t.TempDir(), "bucketgate.db"),
		MasterKey: func() (secret.MasterKey, error) { return secret.NewMasterKey(), nil },
	})
	require.NoError(t, err)
	writer, err := audit.NewWriter(t.Context(), audit.Config{
		Writer: "test", Key: db.Keyset(), Append: db.AppendAudit,
		Last: func(ctx context.Context) (audit.Head, error) { return db.LastAudit(ctx, "test") },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, writer.Close(context.Background()))
		assert.NoError(t, db.Close())
	})
	d := &desk{t: t, service: manage.New(manage.Config{Store: db, Audit: writer}), audit: writer}
	_, err = d.service.CreateProvider(t.Context(), boss, manage.Provider{Name: "acme", Workspace: "acme-workspace"})
	require.NoError(t, err)
	_, link, err := d.service.CreateCredentialWithLink(t.Context(), boss, manage.Credential{Provider: "acme", Name: "reader", Username: "me@example.com"})
	require.NoError(t, err)
	d.token = link.Token.Reveal()
	page, err := New(Config{Links: d.service, Log: slog.New(slog.NewTextHandler(&d.log, nil)), Origins: origins})
	require.NoError(t, err)
	d.server = httptest.NewServer(page)
	t.Cleanup(d.server.Close)
	return d
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (d *desk) send(method, path, body string, header ...string) answer {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+path, strings.NewReader(body))
	require.NoError(d.t, err)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(d.t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	} {
		assert.Equal(d.t, want, response.Header.Get(name), "%s %s", method, path)
	}
	assert.Empty(d.t, response.Header.Get("Set-Cookie"))
	return answer{response.StatusCode, response.Header, string(read)}
}

func (d *desk) page() answer { return d.send(http.MethodGet, Path+d.token, "") }

func (d *desk) typed(text string, header ...string) answer {
	return d.send(http.MethodPost, Path+d.token, url.Values{"api_key": {text}}.Encode(), header...)
}

func (d *desk) keySet() bool {
	d.t.Helper()
	c, err := d.service.Credential(d.t.Context(), "acme", "reader")
	require.NoError(d.t, err)
	return c.KeySet
}

// assertKept holds that no piece of what was typed shows anywhere.
func (d *desk) assertKept(a answer) {
	d.t.Helper()
	events, _, err := d.service.AuditEvents(context.Background(), audit.Filter{}, 100, "")
	require.NoError(d.t, err)
	for _, text := range []string{a.body, fmt.Sprint(a.header), d.log.String(), fmt.Sprint(events)} {
		for i := 0; i+8 <= len(key); i++ {
			assert.NotContains(d.t, text, key[i:i+8])
		}
		assert.NotContains(d.t, text, "c4n4ry")
	}
}

func TestThePageSaysWhoseKeyGoesWhere(t *testing.T) {
	d := newDesk(t)
	a := d.page()
	require.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"))
	for _, words := range []string{
		`<html lang="en">`, "<title>Type the API key of reader · Bucketgate</title>", "boss &lt;script&gt;", "acme-workspace", "<dd>api.bitbucket.org</dd>", "me@example.com", "of provider acme",
		`<form method="post" autocomplete="off">`, `<label for="api_key">`, `type="password"`, `autocomplete="off"`, `aria-describedby="api_key-hint"`, `name="viewport"`,
	} {
		assert.Contains(t, a.body, words)
	}
	for _, words := range []string{"<script", "style=", "<style", "onclick", "http://", "https://", "aria-invalid", d.token} {
		assert.NotContains(t, a.body, words, "nothing that the policy forbids, and no copy of the link")
	}
	for _, id := range regexp.MustCompile(`(?:href="#|aria-describedby="|aria-labelledby="|for=")([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
		for name := range strings.FieldsSeq(id[1]) {
			assert.Equal(t, 1, strings.Count(a.body, `id="`+name+`"`), name)
		}
	}
	style := d.send(http.MethodGet, Path+"style.css", "")
	assert.Equal(t, http.StatusOK, style.status)
	assert.Contains(t, style.header.Get("Content-Type"), "text/css")
}

func TestTheKeyGoesInOnce(t *testing.T) {
	d := newDesk(t)
	for range 2 { // a GET, and a HEAD, use nothing up
		assert.Equal(t, http.StatusOK, d.page().status)
		assert.Equal(t, http.StatusOK, d.send(http.MethodHead, Path+d.token, "").status)
	}
	a := d.typed(" " + key + "\n")
	require.Equal(t, http.StatusOK, a.status, a.body)
	assert.Contains(t, a.body, "<h1>The key is stored</h1>")
	assert.NotContains(t, a.body, "<form")
	assert.True(t, d.keySet())
	d.assertKept(a)
	for _, a := range []answer{d.typed(key), d.page()} {
		assert.Equal(t, http.StatusGone, a.status)
		assert.Contains(t, a.body, "This link is over")
		assert.NotContains(t, a.body, "reader", "it tells nothing any more")
		d.assertKept(a)
	}
}

func TestAKeyThatIsRefused(t *testing.T) {
	d := newDesk(t)
	for words, text := range map[string]string{
		"The API key is an app password": "ATBB" + key, "The API key holds a blank": key + " " + key, "Type the API key.": "   ", "or is longer than 4096 bytes": strings.Repeat(key, 200),
	} {
		a := d.typed(text)
		assert.Equal(t, http.StatusUnprocessableEntity, a.status)
		assert.Contains(t, a.body, words)
		for _, part := range []string{"<title>Error: Type", `role="alert"`, `<a href="#api_key">`, `aria-describedby="api_key-hint api_key-error"`, `aria-invalid="true"`, `id="api_key-error"`} {
			assert.Contains(t, a.body, part)
		}
		assert.NotContains(t, a.body, "value=")
		assert.False(t, d.keySet())
		d.assertKept(a)
	}
	assert.Equal(t, http.StatusOK, d.typed(key).status, "it did not use the link up")
}

// Each of these is refused, stores nothing, and leaves the link as it was.
func TestWhatIsNoPostOfThisForm(t *testing.T) {
	d := newDesk(t)
	form := url.Values{"api_key": {key}}.Encode()
	for name, row := range map[string]struct {
		method, path, body string
		header             []string
		status             int
	}{
		"from another site":          {"POST", Path + d.token, form, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"from a subdomain":           {"POST", Path + d.token, form, []string{"Sec-Fetch-Site", "same-site"}, 403},
		"from another origin":        {"POST", Path + d.token, form, []string{"Origin", "https://evil.example"}, 403},
		"from an origin that is not": {"POST", Path + d.token, form, []string{"Origin", "null"}, 403},
		"JSON":                       {"POST", Path + d.token, `{"api_key":"` + key + `"}`, []string{"Content-Type", "application/json"}, 415},
		"text":                       {"POST", Path + d.token, form, []string{"Content-Type", "text/plain"}, 415},
		"a form with files":          {"POST", Path + d.token, form, []string{"Content-Type", "multipart/form-data; boundary=x"}, 415},
		"no type":                    {"POST", Path + d.token, form, []string{"Content-Type", ""}, 415},
		"a broken form":              {"POST", Path + d.token, "api_key=%zz", nil, 400},
		"the key in the address":     {"POST", Path + d.token + "?" + form, "", nil, 422},
		"a megabyte":                 {"POST", Path + d.token, form + strings.Repeat("x", 1<<20), nil, 413},
		"another method":             {"PUT", Path + d.token, form, nil, 405},
		"the key in a GET":           {"GET", Path + d.token + "?" + form, "", nil, 200},
		"no token":                   {"GET", Path, "", nil, 404},
		"more than a token":          {"GET", Path + d.token + "/x", "", nil, 404},
		"another token":              {"GET", Path + strings.Repeat("A", 43), "", nil, 410},
		"what is no token":           {"GET", Path + "x", "", nil, 410},
		"a POST to another token":    {"POST", Path + strings.Repeat("A", 43), form, nil, 410},
	} {
		a := d.send(row.method, row.path, row.body, row.header...)
		assert.Equal(t, row.status, a.status, name)
		assert.False(t, d.keySet(), name)
		d.assertKept(a)
	}
	assert.Equal(t, http.StatusOK, d.typed(key, "Sec-Fetch-Site", "same-origin", "Origin", "null").status, "as browsers send it under the page's own referrer policy")
}

func TestAPublicOrigin(t *testing.T) {
	d := newDesk(t, "https://bucketgate.example")
	assert.Equal(t, http.StatusForbidden, d.typed(key, "Origin", "https://evil.example").status)
	assert.Equal(t, http.StatusOK, d.typed(key, "Origin", "https://bucketgate.example").status)
	_, err := New(Config{Origins: []string{"no origin"}})
	assert.Error(t, err)
}

func TestWhatCannotBeWrittenDownIsNotStored(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, d.audit.Close(t.Context()))
	a := d.typed(key)
	assert.Equal(t, http.StatusServiceUnavailable, a.status)
	assert.False(t, d.keySet())
	d.assertKept(a)
	assert.NotEmpty(t, d.log.String())
}

// broken fails with text that nobody must see.
type broken struct{}

func (broken) LookAtLink(context.Context, string) (manage.Asked, error) {
	return manage.Asked{}, errors.New("dial tcp 10.0.0.1")
}

func (broken) UseLink(context.Context, string, secret.Text) (manage.Asked, error) {
	return manage.Asked{}, errors.New("dial tcp 10.0.0.1")
}

func TestNoErrorOfOursShows(t *testing.T) {
	d := newDesk(t)
	page, err := New(Config{Links: broken{}, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	d.server.Config.Handler = page
	for _, a := range []answer{d.page(), d.typed(key)} {
		assert.Equal(t, http.StatusServiceUnavailable, a.status)
		assert.NotContains(t, a.body, "10.0.0.1")
	}
}

// Text can be read by people with weak eyes, in both color schemes (WCAG 2.2
// AA: 4.5 to 1, and 3 to 1 for the lines around fields).
func TestContrast(t *testing.T) {
	raw, err := files.ReadFile("style.css")
	require.NoError(t, err)
	light, dark, ok := strings.Cut(string(raw), "@media (prefers-color-scheme: dark)")
	require.True(t, ok)
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		colors := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colors[m[1]] = m[2]
		}
		for _, pair := range []struct {
			on, ink string
			least   float64
		}{
			{"ground", "ink", 4.5}, {"ground", "quiet", 4.5}, {"ground", "wrong", 4.5}, {"wrong-ground", "wrong", 4.5}, {"wrong-ground", "ink", 4.5},
			{"action", "on-action", 4.5}, {"ground", "line", 3}, {"ground", "action", 3},
		} {
			assert.GreaterOrEqual(t, contrast(t, colors[pair.on], colors[pair.ink]), pair.least, "%s: %s on %s", scheme, pair.ink, pair.on)
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, color string) float64 {
	t.Helper()
	require.Len(t, color, 6)
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[2*i:2*i+2], 16, 8)
		require.NoError(t, err)
		c := float64(n) / 255
		if c <= 0.03928 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
