// Package sample is a Bitbucket Cloud in memory, spoken to over real HTTP.
//
// It answers the part of the REST API 2.0 that Bucketgate reads, with the
// shapes, errors, paging and quirks of api.bitbucket.org, from data that the
// caller puts in. The demo command shows it to people; tests and benchmarks
// talk to it in place of the real service. It stands on the far side of the
// wire and therefore imports nothing else of Bucketgate.
//
// All of its data is made-up sample data: no workspace, repository, person or
// commit in it exists.
package sample

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how a Server behaves. The zero value is an open server with
// numbered pages and no limit.
type Options struct {
	// Accounts are the credentials the server knows. With none, every request
	// is let in and sees everything.
	Accounts []Account

	// ForbidHidden answers 403, without a word on privileges, for a private
	// repository that the account may not see. Otherwise it is 404, as for a
	// repository that does not exist.
	ForbidHidden bool

	// OpaqueNext puts a cursor in place of the page number in next links and
	// leaves out size and page. A page number then answers 400.
	OpaqueNext bool

	// DepthLimit is the largest max_depth of a directory listing that is
	// answered in time; a larger one gets 555. Zero means no limit.
	DepthLimit int

	// RateLimit is how many requests below /2.0/repositories an account has in
	// an hour. Zero means no limit and no rate limit headers.
	RateLimit int

	// InlineLogs answers the log of a finished step itself. Otherwise it is a
	// 307 to the log store, as on the real service.
	InlineLogs bool
}

// Server is a Bitbucket in memory. It is an http.Handler whose API begins at
// /2.0, and is safe for concurrent use. Make one with New, Demo or Large.
type Server struct {
	options Options
	journal journal
	faults  faults
	limiter limiter
	latency atomic.Int64
	unknown atomic.Pointer[func(Request)]
	serving serving
	logs    logStore

	// closed ends when Close is called, and every answer under way with it.
	closed context.Context
	close  context.CancelFunc

	mu         sync.RWMutex
	workspaces map[string]*workspace
	added      int // counts what was added, for default dates
}

// New returns a server without data.
func New(o Options) *Server {
	o.Accounts = named(o.Accounts)
	s := &Server{options: o, workspaces: map[string]*workspace{}}
	s.limiter.limit = o.RateLimit
	s.closed, s.close = context.WithCancel(context.Background())
	return s
}

// SetLatency makes every later answer wait for d first. The wait ends early
// when the client goes away or the server is closed.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// OnUnknown calls f for each request of a method or path that the server does
// not serve, unless a fault answers it. The client gets an error either way.
func (s *Server) OnUnknown(f func(Request)) { s.unknown.Store(&f) }

// ServeHTTP answers one request and writes it into the journal.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.closed, cancel)()

	who, scheme := s.identify(r)
	record := s.journal.begin(r, who, scheme, s.options.Accounts)
	defer record.end(r)
	w = &countingWriter{ResponseWriter: w, record: record}
	r = r.WithContext(ctx)

	if !pause(ctx, time.Duration(s.latency.Load())) {
		abort()
	}
	c := &call{Request: r, caller: who}
	c.route, c.vars = match(r)
	c.setScopeHeaders(w.Header())

	fault := s.faults.take(r)
	if fault.Instead != nil {
		fault.Instead(w, r)
		return
	}
	if c.route == nil {
		s.reportUnknown(record)
	}
	answer := s.answer(c)
	answer.limitHeaders(s.limiter.headers(c))
	send(w, r, answer, fault)
}

func (s *Server) reportUnknown(record *record) {
	if f := s.unknown.Load(); f != nil {
		(*f)(record.snapshot())
	}
}

// pause waits for d and says whether the time passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// abort breaks the connection off. A plain return would send an empty 200.
func abort() { panic(http.ErrAbortHandler) }
