package sample

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFaultAnswers(t *testing.T) {
	tests := map[string]struct {
		fault  Fault
		status int
		text   string
		header string // name: value, one that must be there
	}{
		"status":       {Status(555, "Timed out"), 555, `{"error":{"message":"Timed out"},"type":"error"}`, "Content-Type: application/json; charset=utf-8"},
		"text":         {Text(503, "busy"), 503, "busy", "Content-Type: text/plain; charset=utf-8"},
		"page":         {HTML(502, "<h1>Bad</h1>"), 502, "<h1>Bad</h1>", "Content-Type: text/html; charset=utf-8"},
		"empty":        {Empty(), 200, "", "Content-Length: 0"},
		"retry after":  {RateLimited("2"), 429, `{"error":{"message":"Rate limit for this resource has been exceeded"},"type":"error"}`, "Retry-After: 2"},
		"rate limited": {RateLimited(""), 429, `{"error":{"message":"Rate limit for this resource has been exceeded"},"type":"error"}`, "Retry-After: "},
		"redirect":     {RedirectTo(302, "https://evil.example/x"), 302, "", "Location: https://evil.example/x"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := small(t, Options{})
			s.Fail(test.fault)
			answer := serve(t, s).get("/repositories/acme")
			assert.Equal(t, test.status, answer.status)
			assert.Equal(t, test.text, answer.text)
			key, value, _ := bytes.Cut([]byte(test.header), []byte(": "))
			assert.Equal(t, string(value), answer.header.Get(string(key)))
			assert.Equal(t, test.status, s.Journal()[0].Status)
		})
	}
}

func TestWhichRequestsFail(t *testing.T) {
	down := Text(500, "down")
	tests := []struct {
		name  string
		fault Fault
		want  []int // /repositories/acme, …/acme/api, …/acme/api again
	}{
		{"all", down, []int{500, 500, 500}},
		{"one path", down.On("/repositories/acme/api"), []int{200, 500, 500}},
		{"all below a path", down.On("/repositories/acme/"), []int{200, 500, 500}},
		{"not a mere beginning", down.On("/repositories/acme/ap"), []int{200, 200, 200}},
		{"first", down.First(1), []int{500, 200, 200}},
		{"after", down.After(1), []int{200, 500, 500}},
		{"after, first", down.After(1).First(1), []int{200, 500, 200}},
		{"on, first", down.On("/repositories/acme/api").First(1), []int{200, 500, 200}},
		{"when", down.When(func(r *http.Request) bool { return r.URL.Query().Has("again") }), []int{200, 200, 500}},
	}
	for _, test := range tests {
		s := small(t, Options{})
		s.Fail(test.fault)
		c := serve(t, s)
		got := []int{
			c.get("/repositories/acme").status,
			c.get("/repositories/acme/api").status,
			c.get("/repositories/acme/api", "again", "").status,
		}
		assert.Equal(t, test.want, got, test.name)
		s.ClearFaults()
		assert.Equal(t, http.StatusOK, c.get("/repositories/acme/api").status)
	}
}

func TestFaultsInTurn(t *testing.T) {
	s := small(t, Options{})
	s.Fail(RateLimited("1").First(1), Status(503, "x").First(1))
	c := serve(t, s)
	assert.Equal(t, 429, c.get("/user").status)
	assert.Equal(t, 503, c.get("/user").status)
	assert.Equal(t, 200, c.get("/user").status)
}

func TestBadNextLinks(t *testing.T) {
	for _, test := range []struct {
		fault Fault
		want  string
	}{
		{NextURL("file:///etc/passwd"), "file:///etc/passwd"},
		{NextHost("https://evil.example"), "https://evil.example/2.0/repositories/acme?page=2&pagelen=1"},
		{NextPath("/repositories/other"), "BASE/repositories/other?page=2&pagelen=1"},
		{NextLoop(), "BASE/repositories/acme?pagelen=1"},
	} {
		s := small(t, Options{})
		s.Fail(test.fault)
		c := serve(t, s)
		answer := c.get("/repositories/acme", "pagelen", "1")
		want := string(bytes.ReplaceAll([]byte(test.want), []byte("BASE"), []byte(c.base)))
		assert.Equal(t, want, answer.body["next"])
		assert.Len(t, answer.values(), 1, "the rest is the real answer")
	}
}

func TestEdited(t *testing.T) {
	s := small(t, Options{})
	s.Fail(Edited(func(body map[string]any) { body["full_name"] = "mallory/api" }))
	assert.Equal(t, "mallory/api", serve(t, s).get("/repositories/acme/api").body["full_name"])
}

func TestHalfAnswers(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	whole := c.get("/repositories/acme").text

	s.Fail(CutJSON().First(1), ShortBody().First(1))
	cut := c.get("/repositories/acme")
	assert.Equal(t, whole[:len(whole)/2], cut.text)
	assert.False(t, json.Valid([]byte(cut.text)))

	r, err := c.do(c.base + "/repositories/acme")
	require.NoError(t, err)
	defer r.Body.Close()
	assert.EqualValues(t, len(whole), r.ContentLength)
	text, err := io.ReadAll(r.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, whole[:len(whole)/2], string(text))
}

func TestDrip(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	whole := c.get("/repositories/acme/none")
	s.Fail(Drip(10, time.Millisecond))
	began := time.Now()
	slow := c.get("/repositories/acme/none")
	assert.Equal(t, whole.text, slow.text)
	assert.GreaterOrEqual(t, time.Since(began), 5*time.Millisecond)
}

func TestBigBodies(t *testing.T) {
	s := New(Options{})
	s.Fail(Big(3<<20).First(1), GzipBomb(3<<20).First(1), Endless(1<<20).First(1))
	c := serve(t, s)

	big := c.get("/repositories/acme")
	assert.Greater(t, len(big.text), 3<<20)
	assert.NotEmpty(t, big.values(), "well-formed")

	c.headers.Set("Accept-Encoding", "identity")
	bomb := c.get("/repositories/acme")
	assert.Equal(t, "gzip", bomb.header.Get("Content-Encoding"))
	assert.Less(t, len(bomb.text), 3<<20/100)
	unpacked, err := gzip.NewReader(bytes.NewReader([]byte(bomb.text)))
	require.NoError(t, err)
	text, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	assert.Equal(t, big.text, string(text))

	endless := c.get("/repositories/acme")
	assert.Greater(t, len(endless.text), 1<<20)
	assert.Nil(t, endless.body, "never complete")
	for i, text := range []string{big.text, bomb.text, endless.text} {
		assert.EqualValues(t, len(text), s.Journal()[i].Bytes)
	}
}

func TestWhatEndsWithTheClient(t *testing.T) {
	for name, fault := range map[string]Fault{
		"hang": Hang(), "endless": Endless(0), "drip": Drip(1, time.Hour), "bomb": GzipBomb(1 << 50),
	} {
		t.Run(name, func(t *testing.T) {
			s := small(t, Options{})
			s.Fail(fault)
			c := serve(t, s)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/user", nil)
			require.NoError(t, err)
			short := &http.Client{Timeout: 50 * time.Millisecond}
			if r, err := short.Do(request); err == nil {
				_, err = io.Copy(io.Discard, r.Body)
				assert.Error(t, err)
				r.Body.Close()
			}
			require.Eventually(t, func() bool { return s.Journal()[0].Canceled }, 5*time.Second, time.Millisecond)
		})
	}
}
