package sample

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// journalLimit is how many requests the journal keeps; a demo may run for days.
const journalLimit = 10_000

// journaled are the request headers the journal keeps: those a test may ask
// for and that never carry a secret.
var journaled = []string{"Accept", "Accept-Encoding", "If-None-Match", "Range", "User-Agent"}

// Request is what the journal knows of one request. It never holds a secret:
// of the Authorization header only the scheme is kept, and the token of an
// account is blotted out of the path and the query.
type Request struct {
	Time    time.Time
	Method  string
	Path    string // escaped, as on the wire
	Query   url.Values
	Header  http.Header // a few harmless ones
	Scheme  string      // of the Authorization header, such as Basic or Bearer
	Account string      // who it was; empty when the server did not know the credential

	Status   int   // 0 as long as nothing was sent
	Bytes    int64 // of the body as sent, after gzip
	Canceled bool  // the client went away before the answer was complete
}

// Journal returns what was asked since the start or ResetJournal, in order of
// arrival, requests under way included. It keeps the last 10,000.
func (s *Server) Journal() []Request { return s.journal.list() }

func (j *journal) list() []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	requests := make([]Request, len(j.records))
	for i, r := range j.records {
		requests[i] = r.copy()
	}
	return requests
}

// ResetJournal forgets the requests so far.
func (s *Server) ResetJournal() {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	s.journal.records = nil
}

type journal struct {
	mu      sync.Mutex
	records []*record
}

// record is one request under way; journal.mu guards it.
type record struct {
	journal *journal
	request Request
	whole   bool // all that Content-Length announced was sent
}

func (j *journal) begin(r *http.Request, who caller, scheme string, accounts []Account) *record {
	blot := blotter(accounts)
	q := Request{
		Time: time.Now(), Method: r.Method, Path: blot.Replace(r.URL.EscapedPath()),
		Query: url.Values{}, Header: http.Header{}, Scheme: scheme, Account: who.name(),
	}
	for key, values := range r.URL.Query() {
		for _, value := range values {
			q.Query.Add(blot.Replace(key), blot.Replace(value))
		}
	}
	for _, name := range journaled {
		if values := r.Header.Values(name); len(values) > 0 {
			q.Header[name] = values
		}
	}
	return j.add(&record{journal: j, request: q})
}

func (j *journal) add(r *record) *record {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.records) == journalLimit {
		j.records = append(j.records[:0], j.records[1:]...)
	}
	j.records = append(j.records, r)
	return r
}

// blotter replaces the tokens of the accounts, plain and as in a URL.
func blotter(accounts []Account) *strings.Replacer {
	var pairs []string
	for _, a := range accounts {
		if a.Token != "" {
			pairs = append(pairs, a.Token, "[secret]",
				url.QueryEscape(a.Token), "[secret]", url.PathEscape(a.Token), "[secret]")
		}
	}
	return strings.NewReplacer(pairs...)
}

func (r *record) end(q *http.Request) {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	// A client may leave between its last byte and the end of the handler.
	r.request.Canceled = q.Context().Err() != nil && !r.whole
}

func (r *record) snapshot() Request {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	return r.copy()
}

func (r *record) copy() Request {
	q := r.request
	q.Query = url.Values(http.Header(q.Query).Clone())
	q.Header = q.Header.Clone()
	return q
}

// countingWriter notes status and bytes in the journal before they leave, so
// that a client that has its answer finds the journal complete.
type countingWriter struct {
	http.ResponseWriter
	record *record
}

// WriteHeader notes the status and sends it.
func (w *countingWriter) WriteHeader(status int) {
	w.record.note(status, 0)
	w.ResponseWriter.WriteHeader(status)
}

// Write notes the bytes and sends them; those that did not leave are taken off.
func (w *countingWriter) Write(p []byte) (int, error) {
	w.record.note(http.StatusOK, len(p))
	n, err := w.ResponseWriter.Write(p)
	w.record.note(http.StatusOK, n-len(p))
	if err == nil {
		w.record.measure(w.Header().Get("Content-Length"))
	}
	return n, err
}

// Unwrap lets http.ResponseController flush the writer below.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// note adds bytes, and keeps the first status.
func (r *record) note(status, bytes int) {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	if r.request.Status == 0 {
		r.request.Status = status
	}
	r.request.Bytes += int64(bytes)
}

func (r *record) measure(announced string) {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	r.whole = announced == strconv.FormatInt(r.request.Bytes, 10)
}
