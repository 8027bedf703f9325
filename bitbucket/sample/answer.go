package sample

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// gzipFrom is the size from which an answer is compressed.
const gzipFrom = 512

// answer is what a request gets unless a fault steps in.
type answer struct {
	status int
	header http.Header
	body   object
	raw    *raw // in place of body
}

// raw is an answer that is no JSON.
type raw struct {
	status int         // 200 when zero
	header http.Header // with the Content-Type
	text   []byte
}

func newRaw(contentType string, text []byte) *raw {
	return &raw{header: http.Header{"Content-Type": {contentType}}, text: text}
}

// limitHeaders adds the headers of the rate limit.
func (a *answer) limitHeaders(h http.Header) { maps.Copy(a.header, h) }

// failure is an error answer in Bitbucket's envelope.
type failure struct {
	status   int
	message  string
	detail   any
	data     any
	location string
}

// Error is the message that the client gets.
func (f *failure) Error() string { return f.message }

func badRequest(format string, args ...any) error {
	return &failure{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

func (f *failure) answer() answer {
	inner := object{"message": f.message}
	envelope := object{"type": "error", "error": inner}
	if f.detail != nil {
		inner["detail"] = f.detail
	}
	if f.data != nil { // Bitbucket sends it twice
		inner["data"], envelope["data"] = f.data, f.data
	}
	a := answer{status: f.status, header: http.Header{}, body: envelope}
	if f.location != "" {
		a.header.Set("Location", f.location)
	}
	return a
}

// answer checks who is calling, then asks the route.
func (s *Server) answer(c *call) answer {
	body, err := s.body(c)
	var f *failure
	switch {
	case errors.As(err, &f):
		return f.answer()
	case err != nil:
		return (&failure{status: http.StatusInternalServerError, message: err.Error()}).answer()
	}
	if c.raw != nil {
		return answer{status: cmp.Or(c.raw.status, http.StatusOK), header: c.raw.header, raw: c.raw}
	}
	return answer{status: http.StatusOK, header: http.Header{}, body: body}
}

func (s *Server) body(c *call) (object, error) {
	if err := c.caller.check(c.route); err != nil {
		return nil, err
	}
	if err := s.limiter.take(c); err != nil {
		return nil, err
	}
	if c.route == nil {
		return nil, unserved(c.Request)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	body, err := c.route.handle(s, c)
	if err != nil || c.raw != nil {
		return nil, err
	}
	return shape(body, c.URL.Query().Get("fields")), nil
}

// send writes the answer, in the way of the fault if that has one.
func send(w http.ResponseWriter, r *http.Request, a answer, f Fault) {
	body, err := a.bytes(r, f)
	if err != nil { // a fault put something into the body that is no JSON
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Vary", "Authorization, Accept-Encoding")
	if f.Send != nil {
		f.Send(w, r, body)
		return
	}
	// What can be asked for in ranges goes out as it is: the offsets are its own.
	if len(body) >= gzipFrom && acceptsGzip(r) && w.Header().Get("Accept-Ranges") == "" {
		body = compress(body)
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the client may have gone: nothing to be done
}

// bytes is the body before compression. A fault that edits JSON leaves what is
// none alone.
func (a answer) bytes(r *http.Request, f Fault) ([]byte, error) {
	if a.raw != nil {
		return a.raw.text, nil
	}
	if f.Edit != nil {
		f.Edit(r, a.body)
	}
	return encode(a.body)
}

func encode(body object) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// acceptsGzip says whether the client names gzip and does not rule it out.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			_, value, _ := strings.Cut(weight, "=")
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return err != nil || q > 0
		}
	}
	return false
}

// A gzip.Writer is nearly a megabyte: a new one for each answer would be most
// of what a benchmark against this server measures.
var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	z.Reset(&b)
	_, _ = z.Write(body) // into memory: cannot fail
	_ = z.Close()
	return b.Bytes()
}
