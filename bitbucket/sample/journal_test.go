package sample

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJournal(t *testing.T) {
	s := small(t, Options{Accounts: []Account{{Name: "Ada", Username: "ada@acme.example", Token: "sesame+1"}}})
	c := serve(t, s).basic("ada@acme.example", "sesame+1")
	c.headers.Set("User-Agent", "probe/1")
	c.headers.Set("X-Token", "sesame+1")
	began := time.Now()
	answer := c.get("/repositories/acme/api/refs/branches/feature%2Fx", "fields", "name", "fields", "type")
	journal := s.Journal()
	require.Len(t, journal, 1)
	r := journal[0]
	assert.Equal(t, http.MethodGet, r.Method)
	assert.Equal(t, "/2.0/repositories/acme/api/refs/branches/feature%2Fx", r.Path)
	assert.Equal(t, url.Values{"fields": {"name", "type"}}, r.Query)
	assert.Equal(t, "Basic", r.Scheme)
	assert.Equal(t, "Ada", r.Account)
	assert.Equal(t, "probe/1", r.Header.Get("User-Agent"))
	assert.Equal(t, http.StatusOK, r.Status)
	assert.EqualValues(t, len(answer.text), r.Bytes)
	assert.WithinRange(t, r.Time, began, time.Now())
	assert.False(t, r.Canceled)

	s.ResetJournal()
	assert.Empty(t, s.Journal())
}

func TestJournalHoldsNoSecret(t *testing.T) {
	const token = "sesame+/1"
	s := small(t, Options{Accounts: []Account{{Username: "u", Token: token}}})
	c := serve(t, s)
	c.basic("u", token).get("/repositories/acme", "access_token", token, token, "x")
	c.bearer(token).get("/repositories/acme/" + url.PathEscape(token))
	c.headers = http.Header{"Authorization": {token}}
	c.get("/repositories/acme/" + url.QueryEscape(token))
	journal := s.Journal()
	assert.NotContains(t, fmt.Sprintf("%+v", journal), "sesame")
	schemes := []string{}
	for _, r := range journal {
		schemes = append(schemes, r.Scheme+" "+r.Account)
	}
	assert.Equal(t, []string{"Basic u", "Bearer ", "other "}, schemes)
	assert.Equal(t, "[secret]", journal[0].Query.Get("access_token"))
}

func TestJournalIsACopy(t *testing.T) {
	s := small(t, Options{})
	serve(t, s).get("/repositories/acme", "q", "")
	s.Journal()[0].Query.Set("q", "changed")
	s.Journal()[0].Header.Set("User-Agent", "changed")
	assert.Empty(t, s.Journal()[0].Query.Get("q"))
	assert.NotEqual(t, "changed", s.Journal()[0].Header.Get("User-Agent"))
}

func TestJournalForgetsTheOldest(t *testing.T) {
	s := New(Options{})
	for i := range journalLimit + 5 {
		s.journal.add(&record{journal: &s.journal, request: Request{Path: fmt.Sprint(i)}})
	}
	journal := s.Journal()
	assert.Len(t, journal, journalLimit)
	assert.Equal(t, "5", journal[0].Path)
}

func TestGzip(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	plain := c.get("/repositories/acme")
	for encoding, want := range map[string]string{
		"gzip": "gzip", "br, GZIP;q=0.5": "gzip",
		"identity": "", "br": "", "gzip;q=0": "", "gzip; q=0.0, br": "",
	} {
		s.ResetJournal()
		c.headers = http.Header{"Accept-Encoding": {encoding}}
		answer := c.get("/repositories/acme")
		assert.Equal(t, want, answer.header.Get("Content-Encoding"), encoding)
		assert.EqualValues(t, len(answer.text), s.Journal()[0].Bytes, "as on the wire")
		if want == "" {
			assert.Equal(t, plain.text, answer.text)
			continue
		}
		assert.Less(t, len(answer.text), len(plain.text)/3)
		unpacked, err := gzip.NewReader(bytes.NewReader([]byte(answer.text)))
		require.NoError(t, err)
		text, err := io.ReadAll(unpacked)
		require.NoError(t, err)
		assert.Equal(t, plain.text, string(text))
	}
	c.headers = http.Header{"Accept-Encoding": {"gzip"}}
	assert.Empty(t, c.get("/repositories/acme/none").header.Get("Content-Encoding"), "too small to gain")
}

func TestLatencyEndsWithTheClient(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	s.SetLatency(20 * time.Millisecond)
	began := time.Now()
	c.get("/user")
	assert.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)

	s.SetLatency(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/user", nil)
	require.NoError(t, err)
	_, err = transport.Do(request)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Eventually(t, func() bool { return s.Journal()[1].Canceled }, 5*time.Second, time.Millisecond)
	assert.Zero(t, s.Journal()[1].Status)

	s.SetLatency(0)
	assert.Equal(t, http.StatusOK, c.get("/user").status)
}

func TestConcurrentUse(t *testing.T) {
	s := small(t, Options{RateLimit: 10_000})
	c := serve(t, s)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			slug := fmt.Sprintf("r%d", i)
			for range 10 {
				assert.NoError(t, s.AddRepository(Repository{Workspace: "acme", Slug: slug}))
				hash, err := s.AddCommit("acme", slug, Commit{Message: slug})
				assert.NoError(t, err)
				assert.NoError(t, s.SetBranch("acme", slug, "main", hash))
				s.Fail(Edited(func(map[string]any) {}).First(1))
				r, err := c.do(c.base + "/repositories/acme/" + slug + "/refs/branches")
				if assert.NoError(t, err) {
					_, _ = io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
				s.Journal()
				assert.NoError(t, s.DeleteRepository("acme", slug))
			}
		})
	}
	group.Wait()
	assert.Len(t, s.Journal(), 80)
}
