package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
)

// The account that the tests' Bitbucket knows.
const (
	testUsername = "bot@example.com"
	testToken    = "ATATT-the-token-of-the-tests"
)

// newBitbucket starts a Bitbucket that lets in nobody but the test's account.
// Its workspace acme has the repositories api, api-two and hidden.
func newBitbucket(t *testing.T) *bitbuckettest.Server {
	t.Helper()
	s := bitbuckettest.New(t, func(o *sample.Options) {
		o.Accounts = []sample.Account{{Name: "Test Bot", Username: testUsername, Token: testToken}}
	})
	s.Repository("acme/api", "main", "feature/x", "secret/y")
	s.Repository("acme/api-two", "main")
	s.Repository("acme/hidden", "main")
	return s
}

// variables are an environment.
type variables map[string]string

// environmentOf is the one that serves the repositories api.* of a Bitbucket.
func environmentOf(s *bitbuckettest.Server) variables {
	return variables{
		varWorkspace: "acme", varUsername: testUsername, varToken: testToken, varAPI: s.URL(),
		varRepoRegex: "api.*", varBranchRegex: "main|feature/.*",
	}
}

// with returns the environment with pairs of name and value set.
func (v variables) with(pairs ...string) variables {
	changed := variables{}
	for name, value := range v {
		changed[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		changed[pairs[i]] = pairs[i+1]
	}
	return changed
}

// without returns the environment with one variable left out.
func (v variables) without(name string) variables {
	changed := v.with()
	delete(changed, name)
	return changed
}

func (v variables) lookup(name string) (string, bool) { value, ok := v[name]; return value, ok }

func (v variables) list() []string {
	var list []string
	for name, value := range v {
		list = append(list, name+"="+value)
	}
	return list
}

// An outcome is what came of a command line.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs a command line as main does.
func run(t *testing.T, env variables, stdin string, args ...string) outcome {
	t.Helper()
	return runUntil(t.Context(), env, stdin, args...)
}

func runUntil(ctx context.Context, env variables, stdin string, args ...string) outcome {
	var stdout, stderr lockedBuffer
	p := program{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, lookupEnv: env.lookup}
	code := p.run(ctx, args)
	return outcome{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The binary is built once, as it is shipped.
var (
	buildOnce   sync.Once
	buildFolder string
	buildOutput []byte
	buildError  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if buildFolder != "" {
		os.RemoveAll(buildFolder)
	}
	os.Exit(code)
}

// binary returns the path of the program.
func binary(t *testing.T) string {
	t.Helper()
	buildOnce.Do(func() {
		if buildFolder, buildError = os.MkdirTemp("", "bucketgate-test-"); buildError != nil {
			return
		}
		build := exec.Command("go", "build", "-o", filepath.Join(buildFolder, "bucketgate"), ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		buildOutput, buildError = build.CombinedOutput()
	})
	require.NoError(t, buildError, "%s", buildOutput)
	return filepath.Join(buildFolder, "bucketgate")
}

// command returns the built program, ready to start, with an environment that
// holds nothing of the machine's.
func command(t *testing.T, env variables, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Env = append([]string{}, env.list()...)
	return cmd
}
