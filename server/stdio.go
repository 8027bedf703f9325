package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// maxIdle is how many goroutines are kept for the next calls.
const maxIdle = 4

// ServeStdio reads messages from in, one on each line, and writes answers to
// out and nothing else. It returns when in has ended and what was asked has
// been answered, or when ctx ends. A last line without a newline counts.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	talk, end, err := s.converse(ctx, "stdio", lines{out})
	if err != nil {
		return err
	}
	defer end()
	c := &stdioConversation{
		conversation: talk,
		ended:        make(chan error, 1),
		turn:         make(chan struct{}),
		idle:         make(chan struct{}, maxIdle),
	}
	err = c.read(in)
	c.drain(cancel)
	return errors.Join(err, c.writeError())
}

// lines puts each message on a line of its own.
type lines struct{ io.Writer }

func (l lines) send(message []byte) error {
	if _, err := l.Write(append(message, '\n')); err != nil {
		return fmt.Errorf("writing stdout: %w", err)
	}
	return nil
}

// A stdioConversation is the one client on stdin and stdout.
type stdioConversation struct {
	*conversation
	ended chan error    // why the reading ended, nil for the end of stdin
	turn  chan struct{} // the right to read, for one who waits
	idle  chan struct{} // one for each who waits
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

// take judges one line. A tool call is returned, to be run beside the reading.
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
	return c.hear(e)
}
