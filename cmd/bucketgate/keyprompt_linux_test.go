package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"bucketgate/internal/testneeds"
)

// A person sits at a terminal of which the test holds the other end.
type person struct {
	t    *testing.T
	end  *os.File // what the person sees and types
	tty  *os.File
	seen *lockedBuffer
}

func newPerson(t *testing.T) *person {
	t.Helper()
	end, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testneeds.Skip(t, "a terminal: "+err.Error())
	}
	t.Cleanup(func() { end.Close() })
	fd := int(end.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testneeds.Skip(t, "a terminal: "+err.Error())
	}
	t.Cleanup(func() { tty.Close() })
	p := &person{t, end, tty, &lockedBuffer{}}
	go io.Copy(p.seen, end)
	return p
}

func (p *person) echoes() bool {
	state, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	require.NoError(p.t, err)
	return state.Lflag&unix.ECHO != 0
}

// start starts the built program at the terminal.
func (p *person) start(env variables, args ...string) *exec.Cmd {
	p.t.Helper()
	cmd := command(p.t, env, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.tty, p.tty, p.tty
	require.NoError(p.t, cmd.Start())
	p.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

// answer types a line once the terminal has stopped showing what is typed.
func (p *person) answer(line string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return !p.echoes() }, 20*time.Second, time.Millisecond, "it asks: %s", p.seen)
	_, err := p.end.WriteString(line + "\n")
	require.NoError(p.t, err)
}

func TestTheKeyIsAskedForOnATerminal(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	must(t, env, "provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL())
	p := newPerson(t)
	create := p.start(env, "credential", "create", "reader", "--provider", "acme", "--username", testUsername)
	p.answer(testToken)
	require.NoError(t, create.Wait(), p.seen)
	// What it said may still be on its way to the other end.
	require.Eventually(t, func() bool {
		return strings.Contains(p.seen.String(), "API key (it is not shown; nothing leaves it unset): ")
	}, 20*time.Second, time.Millisecond, "%s", p.seen)
	assert.True(t, p.echoes(), "the terminal is as it was")
	must(t, env, "scope", "create", "team", "--provider", "acme", "--credential", "reader")
	must(t, env, "call", "get_repo", "repository=api")

	update := p.start(env, "credential", "update", "reader")
	p.answer("ATATT-the-wrong-one")
	require.NoError(t, update.Wait(), p.seen)
	assert.Equal(t, exitFailed, run(t, env, "", "call", "get_repo", "repository=api").code)
	update = p.start(env, "credential", "update", "reader")
	p.answer(testToken)
	require.NoError(t, update.Wait(), p.seen)
	update = p.start(env, "credential", "update", "reader")
	p.answer("")
	require.NoError(t, update.Wait(), p.seen)
	must(t, env, "call", "get_repo", "repository=api")
	assert.NotContains(t, p.seen.String(), testToken)
	assert.NotContains(t, p.seen.String(), "ATATT-the-wrong-one")
}

func TestWhatIsToldIsNotAskedFor(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	p := newPerson(t)
	for _, args := range [][]string{
		{"credential", "create", "other", "--provider", "acme", "--username", testUsername, "--api-key-env", "KEY"},
		{"credential", "update", "reader", "--field", "note=x"},
		{"credential", "update", "reader", "--api-key-env", "KEY"},
	} {
		require.NoError(t, p.start(env, args...).Wait(), p.seen)
	}
	assert.NotContains(t, p.seen.String(), "API key (")
}

// An interrupt at the prompt ends it, changes nothing, and leaves a terminal
// that shows again what is typed.
func TestAnInterruptAtThePrompt(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	must(t, env, "provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL())
	p := newPerson(t)
	create := p.start(env, "credential", "create", "reader", "--provider", "acme")
	require.Eventually(t, func() bool { return !p.echoes() }, 20*time.Second, time.Millisecond)
	require.NoError(t, create.Process.Signal(os.Interrupt))
	var exit *exec.ExitError
	require.ErrorAs(t, create.Wait(), &exit)
	assert.Equal(t, exitFailed, exit.ExitCode())
	assert.True(t, p.echoes())
	assert.True(t, strings.Contains(must(t, env, "credential", "list", "--output", "json"), "[]"))
}
