package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/store"
)

// The test binary runs itself as another process, to be killed or to write at
// the same time.
const (
	helperJob    = "BUCKETGATE_STORE_TEST_JOB"
	helperFolder = "BUCKETGATE_STORE_TEST_FOLDER"
	helperName   = "BUCKETGATE_STORE_TEST_NAME"
	helperCount  = "BUCKETGATE_STORE_TEST_COUNT"
)

// help is the other process.
func help(job string) int {
	count, _ := strconv.Atoi(os.Getenv(helperCount))
	s, err := store.Open(context.Background(), configIn(os.Getenv(helperFolder)))
	if err == nil {
		defer s.Close()
		switch name := os.Getenv(helperName); job {
		case "write":
			err = writeMany(s, name, count)
		case "rotate":
			err = rotateMany(s, count)
		case "open":
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// writeMany acknowledges each write on stdout, after it was committed.
func writeMany(s *store.Store, name string, count int) error {
	for i := range count {
		target := fmt.Sprintf("%s-%05d", name, i)
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			if _, err := tx.CreateProvider(store.Provider{Name: target}); err != nil {
				return err
			}
			return tx.AppendAudit(audit.Record{Writer: name, Seq: int64(i + 1), Event: audit.Event{ID: target, Target: target, Scope: "web", Time: time.Now()}, Body: []byte("{}"), MAC: []byte(target)})
		})
		if err != nil {
			return err
		}
		fmt.Println(target)
	}
	return nil
}

func rotateMany(s *store.Store, count int) error {
	for range count {
		fmt.Println("rotating")
		if err := s.RotateKeys(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

// A process is a helper at work.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *bufio.Scanner
	errors *strings.Builder
}

func startHelper(t *testing.T, job, folder, name string, count int) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0]), errors: &strings.Builder{}}
	p.cmd.Env = append(os.Environ(), helperJob+"="+job, helperFolder+"="+folder, helperName+"="+name, helperCount+"="+strconv.Itoa(count))
	p.cmd.Stderr = p.errors
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	p.out = bufio.NewScanner(out)
	return p
}

// lines reads what is acknowledged until the process ends or, with a number
// above zero, so many lines.
func (p *process) lines(atMost int) []string {
	var lines []string
	for (atMost <= 0 || len(lines) < atMost) && p.out.Scan() {
		lines = append(lines, p.out.Text())
	}
	return lines
}

// kill is kill -9. It returns what was acknowledged and not read yet.
func (p *process) kill() []string {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	rest := p.lines(0)
	err := p.cmd.Wait()
	require.Error(p.t, err, "it had ended before it was killed")
	require.Empty(p.t, p.errors.String())
	return rest
}

// succeed waits for the end, which must be a good one.
func (p *process) succeed() []string {
	p.t.Helper()
	rest := p.lines(0)
	require.NoError(p.t, p.cmd.Wait(), p.errors.String())
	return rest
}
