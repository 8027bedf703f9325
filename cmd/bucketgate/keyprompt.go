package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// A hiddenPrompt asks a person for a secret and shows nothing of what is typed.
type hiddenPrompt func(ctx context.Context, question string) (string, error)

// hidden returns a prompt on stdin, nil where stdin is no terminal: a program
// that waits for a person who is not there hangs.
func (p program) hidden() hiddenPrompt {
	file, ok := p.stdin.(*os.File)
	if !ok || !isTerminal(file) || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return func(ctx context.Context, question string) (string, error) { return p.askHidden(ctx, file, question) }
}

// askHidden ends with its context too. The terminal is then put back as it was:
// an interrupt in the middle must not leave a shell that shows nothing.
func (p program) askHidden(ctx context.Context, terminal *os.File, question string) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("asking for the API key: %w", err)
	}
	if ctx.Err() != nil {
		return "", errors.New("interrupted") // else the terminal could be put back before it is changed
	}
	fmt.Fprint(p.stderr, question)
	defer fmt.Fprintln(p.stderr)
	type reading struct {
		text []byte
		err  error
	}
	read := make(chan reading, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- reading{text, err}
	}()
	select {
	case r := <-read:
		if r.err != nil {
			return "", fmt.Errorf("reading the API key: %w", r.err)
		}
		return string(r.text), nil
	case <-ctx.Done():
		return "", errors.Join(errors.New("interrupted"), term.Restore(fd, before))
	}
}
