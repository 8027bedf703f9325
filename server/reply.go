package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// patience is how long a client may take to take what is written to it.
const patience = 30 * time.Second

// An eventStream is an answer that goes on: server-sent events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController

	mu     sync.Mutex
	open   bool
	closed bool
}

var errStreamClosed = errors.New("the stream is closed")

// send writes a message as an event. It implements sink.
func (s *eventStream) send(message []byte) error {
	return s.write("event: message\ndata: ", string(bytes.TrimRight(message, "\n")), "\n\n")
}

// comment writes what no client reads, and every proxy takes for life.
func (s *eventStream) comment() error { return s.write(": still here\n\n") }

// write begins the stream if nothing was written yet.
func (s *eventStream) write(parts ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errStreamClosed
	}
	// A client that does not read must not keep a call waiting for ever.
	_ = s.control.SetWriteDeadline(time.Now().Add(patience))
	if !s.open {
		s.open = true
		s.w.Header().Set("Content-Type", "text/event-stream")
		s.w.Header().Set("X-Accel-Buffering", "no")
		s.w.WriteHeader(http.StatusOK)
	}
	for _, part := range parts {
		if _, err := s.w.Write([]byte(part)); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

// close ends all writing: after a handler has returned nobody may write.
func (s *eventStream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	_ = s.control.SetWriteDeadline(time.Now().Add(patience)) // the rest is sent after the handler's return
}

// A reply is the answer to one request: one JSON body, or, from when something
// is to be said before the answer, a stream that the answer ends.
//
// mcp-go would make a stream of it by itself, but loses what is sent right
// before the answer; so it is given a recorder that cannot stream, and what
// comes before the answer is written here.
type reply struct {
	eventStream
	takesStream bool // the client said so
	takesJSON   bool
}

func newReply(w http.ResponseWriter, control *http.ResponseController, r *http.Request) *reply {
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	return &reply{
		eventStream: eventStream{w: w, control: control},
		takesStream: strings.Contains(accept, "text/event-stream"),
		takesJSON:   accept == "" || strings.Contains(accept, "application/") || strings.Contains(accept, "*/*"),
	}
}

// say sends a message ahead of the answer to a client that takes a stream.
func (a *reply) say(message any) {
	if !a.takesStream {
		return
	}
	if encoded, err := json.Marshal(message); err == nil {
		_ = a.send(encoded) // a client that has gone misses nothing
	}
}

// beat keeps a long wait alive.
func (a *reply) beat() {
	if a.takesStream {
		_ = a.comment()
	}
}

// finish sends the answer and ends the reply.
func (a *reply) finish(status int, body []byte) {
	defer a.close()
	a.mu.Lock()
	stream := a.open || a.takesStream && !a.takesJSON && len(body) > 0 && status == http.StatusOK
	a.mu.Unlock()
	if stream {
		if len(body) > 0 {
			_ = a.send(body)
		}
		return
	}
	_ = a.control.SetWriteDeadline(time.Now().Add(patience))
	if len(body) > 0 {
		a.w.Header().Set("Content-Type", "application/json")
	}
	a.w.WriteHeader(status)
	_, _ = a.w.Write(body)
}

// A recorder keeps what mcp-go answers.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// A streaming recorder passes on what mcp-go streams, for the one method that
// is a stream by nature.
type streaming struct {
	*recorder
	to       *reply
	passedOn chan struct{}
	once     sync.Once
}

// Flush implements http.Flusher.
func (s *streaming) Flush() {
	if s.header.Get("Content-Type") != "text/event-stream" || s.body.Len() == 0 {
		return
	}
	_ = s.to.write(s.body.String())
	s.body.Reset()
	s.once.Do(func() { close(s.passedOn) })
}
