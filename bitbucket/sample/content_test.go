package sample

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// library is a server with one repository that has files, and what a test needs
// to add more.
type library struct {
	*Server
	t *testing.T
}

func newLibrary(t *testing.T, o Options) library {
	t.Helper()
	s := New(o)
	require.NoError(t, s.AddRepository(Repository{Workspace: "acme", Slug: "api", Private: true, DefaultBranch: "main"}))
	return library{s, t}
}

// put adds a commit with changes.
func (l library) put(files map[string]File, parents ...string) string {
	l.t.Helper()
	return l.putIn("api", files, parents...)
}

func (l library) putIn(slug string, files map[string]File, parents ...string) string {
	l.t.Helper()
	hash, err := l.AddCommit("acme", slug, Commit{Message: "Change\n", Files: files, Parents: parents})
	require.NoError(l.t, err)
	return hash
}

func (l library) branch(name, hash string) {
	l.t.Helper()
	require.NoError(l.t, l.SetBranch("acme", "api", name, hash))
}

func (l library) tag(name, hash string) {
	l.t.Helper()
	require.NoError(l.t, l.SetTag("acme", "api", Tag{Name: name, Hash: hash}))
}

const api = "/repositories/acme/api"

var gone = File{Deleted: true}
