package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

const (
	// farewell is how long answers are awaited after stdin has ended.
	farewell = 60 * time.Second
	// parting is how long calls that were ended are awaited after that.
	parting = 2 * time.Second
	// maxCalls is how many tool calls of one client run at once, and
	// maxWaiting how many may be known and not answered.
	maxCalls   = 64
	maxWaiting = 1024
	// maxIdle is how many goroutines are kept for the next calls.
	maxIdle = 4
)

// ServeStdio reads messages from in, one on each line, and writes answers to
// out and nothing else. It returns when in has ended and what was asked has
// been answered, or when ctx ends. A last line without a newline counts.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	session := &stdioSession{notifications: make(chan mcp.JSONRPCNotification, 16)}
	if err := s.mcp.RegisterSession(ctx, session); err != nil {
		return fmt.Errorf("registering the session: %w", err)
	}
	defer s.mcp.UnregisterSession(ctx, session.SessionID())
	c := &stdioConversation{
		server: s,
		ctx:    s.mcp.WithContext(ctx, session),
		notes:  session.notifications,
		out:    out,
		slots:  make(chan struct{}, maxCalls),
		calls:  map[string]*running{},
		ended:  make(chan error, 1),
		turn:   make(chan struct{}),
		idle:   make(chan struct{}, maxIdle),
	}
	err := c.read(in)
	c.drain(cancel)
	return errors.Join(err, c.writeError())
}

// A stdioConversation is one client on stdin and stdout.
type stdioConversation struct {
	server *Server
	ctx    context.Context
	notes  <-chan mcp.JSONRPCNotification // what mcp-go itself notifies of
	ended  chan error                     // why the reading ended, nil for the end of stdin
	turn   chan struct{}                  // the right to read, for one who waits
	idle   chan struct{}                  // one for each who waits
	slots  chan struct{}
	done   sync.WaitGroup // of the calls that must be answered

	mu      sync.Mutex
	calls   map[string]*running // by id
	closing bool

	writing sync.Mutex
	out     io.Writer
	failed  error // the first error of writing
}

// read takes messages until in ends, or ctx does.
func (c *stdioConversation) read(in io.Reader) error {
	reader := bufio.NewReaderSize(in, 64<<10)
	go c.work(reader)
	select {
	case err := <-c.ended:
		return err
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// work reads lines. When one is a tool call it hands the reading on, runs the
// call itself, and waits for its turn to read again: a call starts without
// anybody being woken for it, and on a stack that has grown before.
func (c *stdioConversation) work(reader *bufio.Reader) {
	for {
		next := readLine(reader)
		run := c.take(next)
		switch {
		case errors.Is(next.err, io.EOF):
			c.ended <- nil
		case next.err != nil:
			c.ended <- fmt.Errorf("reading stdin: %w", next.err)
		case run != nil:
			c.handOn(reader)
		}
		if run != nil {
			run()
		}
		if next.err != nil || run != nil && !c.awaitTurn() {
			return
		}
	}
}

// handOn lets another goroutine read: one that waits, or a new one.
func (c *stdioConversation) handOn(reader *bufio.Reader) {
	select {
	case c.turn <- struct{}{}:
	default:
		go c.work(reader)
	}
}

// awaitTurn waits to read again; false when there are enough who wait, or
// when all is over.
func (c *stdioConversation) awaitTurn() bool {
	select {
	case c.idle <- struct{}{}:
		defer func() { <-c.idle }()
	default:
		return false
	}
	select {
	case <-c.turn:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// A line is one message as it came in; err is what ended the input after it.
type line struct {
	text    []byte
	tooLong bool
	err     error
}

// readLine reads up to a newline or the end, and keeps at most one message's
// worth: a client cannot make the server hold more.
func readLine(reader *bufio.Reader) line {
	var next line
	for {
		part, err := reader.ReadSlice('\n')
		if len(next.text)+len(part) > maxMessage+2 {
			next.text, next.tooLong = nil, true
		}
		if !next.tooLong {
			next.text = append(next.text, part...)
		}
		if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
			next.text, next.err = bytes.TrimSpace(next.text), err
			return next
		}
	}
}

// take judges one line. A tool call is returned, to be run beside the reading;
// all else is answered in the order in which it came, so that nothing overtakes
// initialize. That holds for subscriptions/listen too, which would last: this
// server has nothing to subscribe to, and mcp-go then ends it at once.
func (c *stdioConversation) take(next line) (run func()) {
	if next.tooLong {
		c.write(errorMessage(nil, codeInvalidRequest, fmt.Sprintf("the message is larger than %d bytes", maxMessage)))
		return nil
	}
	if len(next.text) == 0 {
		return nil
	}
	e, refused := parseEnvelope(next.text)
	if refused != nil {
		c.write(errorMessage(refused.id, refused.code, refused.message))
		return nil
	}
	switch {
	case e.method == "notifications/cancelled":
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
func (c *stdioConversation) start(e *envelope) (run func()) {
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
		progress := &progressNotifier{conversation: c, token: e.progressToken}
		answer := c.answer(ctx, request{envelope: e, progress: progress.report})
		progress.end()
		if c.remove(e.id, running) && answer != nil {
			c.write(answer) // one who has canceled awaits none
		}
	}
}

// answer keeps a panic, whose text may hold anything, from ending the program
// and from reaching the client.
func (c *stdioConversation) answer(ctx context.Context, r request) (answer any) {
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
func (c *stdioConversation) add(id json.RawMessage, r *running) (refusal string) {
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
func (c *stdioConversation) remove(id json.RawMessage, r *running) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[string(id)] != r {
		return false
	}
	delete(c.calls, string(id))
	return true
}

// cancel ends a running request, if there is one of that id.
func (c *stdioConversation) cancel(id json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.calls[string(id)]; r != nil {
		r.cancel()
		delete(c.calls, string(id))
	}
}

// drain awaits the calls that run when stdin has ended, and then ends the
// rest. Those have parting left to write down that they were ended.
func (c *stdioConversation) drain(cancel context.CancelFunc) {
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

// write sends one message as one line.
func (c *stdioConversation) write(message any) {
	encoded, err := json.Marshal(message)
	c.writing.Lock()
	defer c.writing.Unlock()
	if err == nil {
		_, err = c.out.Write(append(encoded, '\n'))
	}
	if c.failed == nil {
		c.failed = err
	}
}

func (c *stdioConversation) writeError() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.failed != nil {
		return fmt.Errorf("writing stdout: %w", c.failed)
	}
	return nil
}

// notify passes on what mcp-go has notified of while it made an answer.
func (c *stdioConversation) notify() {
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
	conversation *stdioConversation
	token        json.RawMessage
	mu           sync.Mutex
	last         int
	ended        bool
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
	p.conversation.write(struct {
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

// stdioSession is the one session of a conversation over stdio.
type stdioSession struct {
	mu            sync.Mutex
	initialized   bool
	notifications chan mcp.JSONRPCNotification
}

var _ mcpserver.ClientSession = (*stdioSession)(nil)

// SessionID implements mcp-go's ClientSession.
func (*stdioSession) SessionID() string { return "stdio" }

// NotificationChannel implements mcp-go's ClientSession.
func (s *stdioSession) NotificationChannel() chan<- mcp.JSONRPCNotification { return s.notifications }

// Initialize implements mcp-go's ClientSession.
func (s *stdioSession) Initialize() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.initialized = true
}

// Initialized implements mcp-go's ClientSession.
func (s *stdioSession) Initialized() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.initialized
}
