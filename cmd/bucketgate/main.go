// Command bucketgate is an MCP server for Bitbucket Cloud that keeps AI agents
// inside the limits that an admin sets.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, lookupEnv: os.LookupEnv}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// A program is everything that the commands take from the outside, so that a
// test starts them as main does.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
}

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // refused or failed
	exitUsage  = 2 // wrong usage
)

// errUsage marks an error of the command line itself.
var errUsage = errors.New("wrong usage")

// errAnswered marks a failure that has been told already, such as a tool's
// error on stdout.
var errAnswered = errors.New("answered")

// run runs a command line and returns its exit code.
func (p program) run(ctx context.Context, args []string) int {
	root := p.rootCommand()
	if len(args) == 0 && !isTerminal(p.stdin) {
		args = []string{"stdio"}
	}
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errAnswered):
		return exitFailed
	}
	fmt.Fprintf(p.stderr, "bucketgate: %v\n", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

func isTerminal(stdin io.Reader) bool {
	file, ok := stdin.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null) // it is a character device too
}
