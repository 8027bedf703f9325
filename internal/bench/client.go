package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// A session is a program that speaks MCP on its stdin and stdout, and the
// least that it takes to ask it. It is not for concurrent use.
type session struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  bytes.Buffer
	era     era
	id      int
	started time.Duration // from before its start until it answered the greeting
}

// open starts a program and greets it.
func (b *bench) open(e era, env []string, program string, args ...string) (*session, error) {
	s := &session{command: exec.CommandContext(b.ctx, program, args...), era: e}
	s.command.Env = env
	s.command.Stderr = &s.stderr
	out, err := s.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	if s.in, err = s.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	s.out = bufio.NewReaderSize(out, 128<<10)
	began := time.Now()
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	err = s.greet()
	s.started = time.Since(began)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// gate opens Bucketgate on the upstream, without set-up; "" is no pattern.
func (b *bench) gate(e era, pattern string) (*session, error) {
	return b.open(e, b.upstream.variables(pattern), b.programs.bucketgate, "stdio")
}

func (b *bench) bare(e era) (*session, error) {
	return b.open(e, []string{}, b.programs.bare)
}

// close ends the program by ending its stdin, as a client does.
func (s *session) close() error {
	s.in.Close()
	if err := s.command.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w\n%s", s.command.Path, err, s.stderr.Bytes())
	}
	return nil
}

// exchange sends one line and reads one. Only that is timed: neither encoding
// the question nor reading the answer is the server's work.
func (s *session) exchange(line []byte) (answer []byte, took time.Duration, err error) {
	began := time.Now()
	if err := s.send(line); err != nil {
		return nil, 0, err
	}
	answer, err = s.receive()
	return answer, time.Since(began), err
}

func (s *session) send(line []byte) error {
	if _, err := s.in.Write(line); err != nil {
		return fmt.Errorf("asking: %w\n%s", err, s.stderr.Bytes())
	}
	return nil
}

func (s *session) receive() ([]byte, error) {
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w\n%s", err, s.stderr.Bytes())
	}
	return line, nil
}
