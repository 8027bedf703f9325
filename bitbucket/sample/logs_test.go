package sample

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func logPath(s *Server, number int) string {
	p := s.Pipelines("acme", "api")[number-1]
	return pipelinesOfAPI + "/" + url.PathEscape(p.UUID) + "/steps/" + url.PathEscape(p.Steps[0].UUID) + "/log"
}

func TestLogOfARunningStep(t *testing.T) {
	s := piped(t, Options{})
	c := serve(t, s)
	c.headers.Set("Accept-Encoding", "gzip") // offsets would not be those of the log
	path := logPath(s, 5)
	whole := strings.Repeat("abcdefghij", 100)
	tests := []struct {
		asked, text, header string
		status              int
	}{
		{"", whole, "", http.StatusOK},
		{"bytes=0-9", "abcdefghij", "bytes 0-9/1000", http.StatusPartialContent},
		{"bytes=-3", "hij", "bytes 997-999/1000", http.StatusPartialContent},
		{"bytes=995-", "fghij", "bytes 995-999/1000", http.StatusPartialContent},
		{"bytes=990-5000", "abcdefghij", "bytes 990-999/1000", http.StatusPartialContent},
		{"bytes=1000-", "", "bytes */1000", http.StatusRequestedRangeNotSatisfiable},
		{"lines=1-2", "", "", http.StatusRequestedRangeNotSatisfiable},
	}
	for _, test := range tests {
		c.headers.Del("Range")
		if test.asked != "" {
			c.headers.Set("Range", test.asked)
		}
		answer := c.get(path)
		assert.Equal(t, test.status, answer.status, test.asked)
		assert.Equal(t, test.header, answer.header.Get("Content-Range"), test.asked)
		if test.status == http.StatusRequestedRangeNotSatisfiable {
			assert.Equal(t, "The requested range does not exist", answer.message())
			continue
		}
		assert.Equal(t, test.text, answer.text, test.asked)
		assert.Equal(t, "application/octet-stream", answer.header.Get("Content-Type"))
		assert.Equal(t, "bytes", answer.header.Get("Accept-Ranges"))
	}
	c.headers.Del("Range")
	c.headers.Set("If-None-Match", c.get(path).header.Get("ETag"))
	assert.Equal(t, http.StatusNotModified, c.get(path).status)
	assert.Empty(t, s.LogJournal())
}

func TestLogOfAFinishedStep(t *testing.T) {
	s := piped(t, Options{})
	c := serve(t, s)
	answer := c.get(logPath(s, 1))
	assert.Equal(t, http.StatusTemporaryRedirect, answer.status)
	location := answer.header.Get("Location")
	store, err := s.LogStoreURL()
	require.NoError(t, err)
	assert.NotEqual(t, strings.TrimSuffix(c.base, apiPath), store, "another host")
	require.True(t, strings.HasPrefix(location, store+"/"), location)

	assert.Equal(t, "abcdefghij", c.follow(location).text)
	c.headers.Set("Range", "bytes=-2")
	assert.Equal(t, "ij", c.follow(location).text)
	c.headers.Del("Range")
	unsigned, _, _ := strings.Cut(location, "?")
	assert.Equal(t, http.StatusForbidden, c.follow(unsigned).status)
	assert.Equal(t, http.StatusForbidden, c.follow(location+"0").status)
	for _, r := range s.LogJournal() {
		assert.Empty(t, r.Scheme)
	}

	c.headers.Set("Authorization", "Bearer t1")
	brought := c.follow(location)
	assert.Equal(t, http.StatusBadRequest, brought.status, "a credential does not belong here")
	assert.Contains(t, brought.text, "Only one auth mechanism allowed")
	journal := s.LogJournal()
	assert.Equal(t, "Bearer", journal[len(journal)-1].Scheme)
	assert.Equal(t, http.StatusBadRequest, journal[len(journal)-1].Status)
}

func TestLogsInline(t *testing.T) {
	s := piped(t, Options{InlineLogs: true})
	c := serve(t, s)
	assert.Equal(t, "abcdefghij", c.get(logPath(s, 1)).text)
	assert.Empty(t, s.LogJournal())
}

func TestLogMissing(t *testing.T) {
	s := piped(t, Options{})
	c := serve(t, s)
	skipped := s.Pipelines("acme", "api")[0].Steps[1]
	assert.Equal(t, http.StatusNotFound, c.get(pipelinesOfAPI+"/1/steps/"+url.PathEscape(skipped.UUID)+"/log").status)
	assert.Equal(t, http.StatusNotFound, c.get(pipelinesOfAPI+"/1/steps/none/log").status)
}

func TestLogMovesWhenTheStepIsDone(t *testing.T) {
	s := piped(t, Options{})
	c := serve(t, s)
	path := logPath(s, 5)
	require.Equal(t, http.StatusOK, c.get(path).status)
	require.NoError(t, s.EditPipeline("acme", "api", 5, func(p *Pipeline) {
		p.State, p.Result, p.Number = "COMPLETED", "FAILED", 99
		p.Steps[0].State, p.Steps[0].Result = "COMPLETED", "FAILED"
		p.Steps[1].State, p.Steps[1].Result = "COMPLETED", "NOT_RUN"
	}))
	assert.Equal(t, http.StatusTemporaryRedirect, c.get(path).status)
	assert.Equal(t, "2", numbers(c.get(pipelinesOfAPI, "status", "FAILED"))[:1])
	assert.Equal(t, 5, s.Pipelines("acme", "api")[4].Number)
	require.Error(t, s.EditPipeline("acme", "api", 9, func(*Pipeline) {}))
	require.Error(t, s.EditPipeline("acme", "api", 5, func(p *Pipeline) { p.State = "DONE" }))
}

// A test may serve the store as it likes, and make it fail.
func TestLogStoreOverTLS(t *testing.T) {
	s := piped(t, Options{})
	store := httptest.NewTLSServer(s.LogStore())
	defer store.Close()
	s.SetLogStoreURL(store.URL)
	c := serve(t, s)
	location := c.get(logPath(s, 1)).header.Get("Location")
	assert.True(t, strings.HasPrefix(location, "https://"))
	got, err := store.Client().Get(location)
	require.NoError(t, err)
	got.Body.Close()
	assert.Equal(t, http.StatusOK, got.StatusCode)

	s.FailLogs(RedirectTo(http.StatusFound, c.base).First(1))
	again, err := store.Client().Transport.RoundTrip(got.Request)
	require.NoError(t, err)
	again.Body.Close()
	assert.Equal(t, http.StatusFound, again.StatusCode)
}

func TestLogStoreEndsWithTheServer(t *testing.T) {
	s := piped(t, Options{})
	store, err := s.LogStoreURL()
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = http.Get(store)
	require.Error(t, err)
	closed := New(Options{})
	require.NoError(t, closed.Close())
	_, err = closed.LogStoreURL()
	require.Error(t, err)
}
