package sample

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/internal/testneeds"
)

// realGit is an empty repository of the real git, to hold the sample against.
type realGit struct {
	t      *testing.T
	folder string
}

func newRealGit(t *testing.T) realGit {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		testneeds.Skip(t, "git is not installed")
	}
	g := realGit{t, t.TempDir()}
	g.run("", "init", "--quiet", "--bare")
	return g
}

func (g realGit) run(input string, args ...string) string {
	g.t.Helper()
	command := exec.CommandContext(g.t.Context(), "git", args...)
	command.Dir = g.folder
	command.Stdin = strings.NewReader(input)
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LC_ALL=C")
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.Output()
	require.NoError(g.t, err, "git %v: %s\n%s", args, problems.String(), input)
	return string(out)
}

// store puts a tree into git and returns its name there.
func (g realGit) store(files map[string]File) string {
	g.t.Helper()
	var index strings.Builder
	for path, f := range files {
		blob := f.Submodule
		if blob == "" {
			blob = strings.TrimSpace(g.run(string(f.Content), "hash-object", "-w", "--stdin"))
		}
		require.Equal(g.t, blob, f.blob(), path)
		fmt.Fprintf(&index, "%s %s\t%s\x00", f.mode(), blob, path)
	}
	g.run("", "read-tree", "--empty")
	g.run(index.String(), "update-index", "-z", "--index-info")
	return strings.TrimSpace(g.run("", "write-tree"))
}

// apply applies a diff to a tree and returns the tree that comes of it.
func (g realGit) apply(tree, diff string) string {
	g.t.Helper()
	g.run("", "read-tree", tree)
	if diff != "" {
		g.run(diff, "apply", "--cached", "--unidiff-zero", "--whitespace=nowarn")
	}
	return strings.TrimSpace(g.run("", "write-tree"))
}
