package server

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

const (
	// farewell is how long answers are awaited after a conversation has ended.
	farewell = 60 * time.Second
	// parting is how long calls that were ended are awaited after that.
	parting = 2 * time.Second
	// maxCalls is how many tool calls of one conversation run at once, and
	// maxWaiting how many may be known and not answered.
	maxCalls   = 64
	maxWaiting = 1024
)

// A sink takes the messages for a client, one at a time.
type sink interface{ send(message []byte) error }

// A conversation is one client on one stream that goes both ways: stdin and
// stdout, or the old SSE transport.
type conversation struct {
	server *Server
	ctx    context.Context
	notes  <-chan mcp.JSONRPCNotification // what mcp-go itself notifies of
	slots  chan struct{}
	done   sync.WaitGroup // of the calls that must be answered

	mu      sync.Mutex
	calls   map[string]*running // by id
	closing bool

	writing sync.Mutex
	out     sink
	failed  error // the first error of writing
}

// converse begins a conversation under a name that no other has.
func (s *Server) converse(ctx context.Context, name string, out sink) (c *conversation, end func(), err error) {
	session := &streamSession{id: name, notifications: make(chan mcp.JSONRPCNotification, 16)}
	if err := s.mcp.RegisterSession(ctx, session); err != nil {
		return nil, nil, fmt.Errorf("registering the session: %w", err)
	}
	c = &conversation{
		server: s,
		ctx:    s.mcp.WithContext(ctx, session),
		notes:  session.notifications,
		out:    out,
		slots:  make(chan struct{}, maxCalls),
		calls:  map[string]*running{},
	}
	return c, func() { s.mcp.UnregisterSession(context.WithoutCancel(ctx), name) }, nil
}

// hear takes one judged message. A tool call is returned, to be run beside the
// hearing; all else is answered in the order in which it came, so that nothing
// overtakes initialize. That holds for subscriptions/listen too, which would
// last: this server has nothing to subscribe to, and mcp-go then ends it at
// once.
func (c *conversation) hear(e *envelope) (run func()) {
	switch {
	case e.cancels():
		c.cancel(e.requestID)
	case e.id != nil && e.method == "tools/call":
		return c.start(e)
	default:
		answer := c.answer(c.ctx, request{envelope: e})
		c.notify() // before the answer that it belongs to
		if answer != nil {
			c.write(answer)
		}
	}
	return nil
}

// start returns a function that runs a call. The call is known by its id
// before the next line is read, so that no cancellation comes too early for it.
func (c *conversation) start(e *envelope) (run func()) {
	ctx, cancel := context.WithCancel(c.ctx)
	running := &running{cancel}
	if words := c.add(e.id, running); words != "" {
		cancel()
		c.write(errorMessage(e.id, codeInvalidRequest, words))
		return nil
	}
	return func() {
		defer c.done.Done()
		defer cancel()
		c.slots <- struct{}{}
		defer func() { <-c.slots }()
		progress := &progressNotifier{send: c.write, token: e.progressToken}
		answer := c.answer(ctx, request{envelope: e, progress: progress.report})
		progress.end()
		if c.remove(e.id, running) && answer != nil {
			c.write(answer) // one who has canceled awaits none
		}
	}
}

// answer keeps a panic, whose text may hold anything, from ending the program
// and from reaching the client.
func (c *conversation) answer(ctx context.Context, r request) (answer any) {
	defer func() {
		if p := recover(); p != nil {
			c.server.config.Log.Error("panic", "method", r.envelope.method, "panic", p)
			answer = errorMessage(r.envelope.id, codeInternal, "internal error")
		}
	}()
	return c.server.handle(ctx, r)
}

// A running request can be canceled by its id.
type running struct{ cancel context.CancelFunc }

// add makes a call known, or says why it is not taken.
func (c *conversation) add(id json.RawMessage, r *running) (refusal string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.calls[string(id)] != nil:
		return "a request with this id is still running"
	case len(c.calls) == maxWaiting || c.closing:
		return "too many requests are running; wait for an answer"
	}
	c.calls[string(id)] = r
	c.done.Add(1)
	return ""
}

// remove forgets a request; false when it was canceled before.
func (c *conversation) remove(id json.RawMessage, r *running) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[string(id)] != r {
		return false
	}
	delete(c.calls, string(id))
	return true
}

// cancel ends a running request, if there is one of that id.
func (c *conversation) cancel(id json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.calls[string(id)]; r != nil {
		r.cancel()
		delete(c.calls, string(id))
	}
}

// drain awaits the calls that run when nothing more is heard, and then ends
// the rest. Those have parting left to write down that they were ended.
func (c *conversation) drain(cancel context.CancelFunc) {
	c.mu.Lock()
	c.closing = true // nothing is added any more, so that done can be awaited
	c.mu.Unlock()
	answered := make(chan struct{})
	go func() {
		c.done.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(farewell):
	case <-c.ctx.Done():
	}
	cancel()
	select {
	case <-answered:
	case <-time.After(parting):
	}
}

// write sends one message.
func (c *conversation) write(message any) {
	encoded, err := json.Marshal(message)
	c.writing.Lock()
	defer c.writing.Unlock()
	if err == nil {
		err = c.out.send(encoded)
	}
	if c.failed == nil {
		c.failed = err
	}
}

// writeError returns the first error of writing.
func (c *conversation) writeError() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.failed
}

// notify passes on what mcp-go has notified of while it made an answer.
func (c *conversation) notify() {
	for {
		select {
		case n := <-c.notes:
			c.write(n)
		default:
			return
		}
	}
}

// A progressNotifier sends notifications/progress for one call, each with more
// progress than the one before, and none after its answer.
type progressNotifier struct {
	send  func(any)
	token json.RawMessage
	mu    sync.Mutex
	last  int
	ended bool
}

func (p *progressNotifier) report(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token == nil || p.ended || done <= p.last {
		return
	}
	p.last = done
	type params struct {
		Token    json.RawMessage `json:"progressToken"`
		Progress int             `json:"progress"`
		Total    int             `json:"total"`
	}
	p.send(struct {
		Version string `json:"jsonrpc"`
		Method  string `json:"method"`
		Params  params `json:"params"`
	}{"2.0", "notifications/progress", params{p.token, done, max(total, done)}})
}

func (p *progressNotifier) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

// streamSession is the session of a conversation.
type streamSession struct {
	id            string
	mu            sync.Mutex
	initialized   bool
	notifications chan mcp.JSONRPCNotification
}

var _ mcpserver.ClientSession = (*streamSession)(nil)

// SessionID implements mcp-go's ClientSession.
func (s *streamSession) SessionID() string { return s.id }

// NotificationChannel implements mcp-go's ClientSession.
func (s *streamSession) NotificationChannel() chan<- mcp.JSONRPCNotification { return s.notifications }

// Initialize implements mcp-go's ClientSession.
func (s *streamSession) Initialize() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.initialized = true
}

// Initialized implements mcp-go's ClientSession.
func (s *streamSession) Initialized() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.initialized
}
