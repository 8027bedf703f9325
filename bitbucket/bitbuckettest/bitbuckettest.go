// Package bitbuckettest runs a sample Bitbucket for the length of a test.
//
// The server fails the test when it gets a request that it does not serve,
// because a request that nobody expected is a mistake of the code under test:
//
//	s := bitbuckettest.New(t)
//	s.Repository("acme/api", "main", "feature/x")
//	// … point the code under test at s.URL() …
//	require.Equal(t, []string{"GET /2.0/repositories/acme/api"}, s.Requests())
package bitbuckettest

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
)

// Server is a sample.Server that listens until its test ends.
type Server struct {
	*sample.Server
	tb  testing.TB
	url string
}

// New starts a server without data. Each edit may change its options.
func New(t testing.TB, edits ...func(*sample.Options)) *Server {
	t.Helper()
	var o sample.Options
	for _, edit := range edits {
		edit(&o)
	}
	return Serve(t, sample.New(o))
}

// Serve starts a server with the data that s has, such as sample.Demo. It
// takes over s.OnUnknown, and closes s when the test ends; the test fails if a
// credential reached the log store.
func Serve(t testing.TB, s *sample.Server) *Server {
	t.Helper()
	s.OnUnknown(func(r sample.Request) {
		t.Errorf("bitbuckettest: nobody expected the request %s", line(r))
	})
	listener := httptest.NewServer(s)
	t.Cleanup(func() {
		// First what hangs, or the listener would wait for it.
		assert.NoError(t, s.Close())
		listener.Close()
		assertNoCredentialAtLogs(t, s)
	})
	return &Server{Server: s, tb: t, url: listener.URL + "/2.0"}
}

// URL is the base of the API; it ends in /2.0.
func (s *Server) URL() string { return s.url }

// Repository adds a private repository of the full name with the branches, the
// first of which is its default branch. Each of the others has a commit of its
// own on top of the first one's. Without branches the repository is empty.
func (s *Server) Repository(fullName string, branches ...string) {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	s.MustAddRepository(sample.Repository{Workspace: workspace, Slug: slug, Private: true}, branches...)
}

// MustAddRepository is Repository for one with more than a name. Slug must be
// given; DefaultBranch is the first branch unless it is.
func (s *Server) MustAddRepository(r sample.Repository, branches ...string) {
	s.tb.Helper()
	if r.DefaultBranch == "" && len(branches) > 0 {
		r.DefaultBranch = branches[0]
	}
	require.NoError(s.tb, s.AddRepository(r))
	for i, name := range branches {
		if i == 0 {
			s.MustCommit(r.FullName(), name, "Begin "+r.Slug+"\n")
			continue
		}
		s.MustBranch(r.FullName(), name, s.MustHead(r.FullName(), branches[0]))
		s.MustCommit(r.FullName(), name, "Work on "+name+"\n")
	}
}

// MustCommit puts a commit without changes on top of a branch, which begins
// with it if it is new, and returns the hash.
func (s *Server) MustCommit(fullName, branch, message string) string {
	s.tb.Helper()
	return s.MustChange(fullName, branch, message, nil)
}

// MustChange is MustCommit for one that changes files. A new branch begins
// with these files alone; to begin it elsewhere, set it there first.
func (s *Server) MustChange(fullName, branch, message string, files map[string]sample.File) string {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	c := sample.Commit{Message: message, Files: files}
	if head, err := s.Head(workspace, slug, branch); err == nil {
		c.Parents = []string{head}
	}
	hash, err := s.AddCommit(workspace, slug, c)
	require.NoError(s.tb, err)
	s.MustBranch(fullName, branch, hash)
	return hash
}

// MustFork adds a private fork. It has one branch, with a commit of its own on
// top of the parent's default branch, whose hash is returned: the parent
// answers for it, though no branch there reaches it.
func (s *Server) MustFork(fullName, parent, branch string) string {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	from, of := s.split(parent)
	require.NoError(s.tb, s.AddRepository(sample.Repository{
		Workspace: workspace, Slug: slug, Private: true, ParentFullName: parent, DefaultBranch: branch,
	}))
	head, err := s.DefaultHead(from, of)
	require.NoError(s.tb, err)
	s.MustBranch(fullName, branch, head)
	return s.MustCommit(fullName, branch, "Work on "+fullName+"\n")
}

// MustTag adds a tag without a message, or moves it.
func (s *Server) MustTag(fullName, name, hash string) {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	require.NoError(s.tb, s.SetTag(workspace, slug, sample.Tag{Name: name, Hash: hash}))
}

// MustBranch points a branch at a commit and adds it if it is new.
func (s *Server) MustBranch(fullName, branch, hash string) {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	require.NoError(s.tb, s.SetBranch(workspace, slug, branch, hash))
}

// MustHead returns the full hash that a branch points at.
func (s *Server) MustHead(fullName, branch string) string {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	hash, err := s.Head(workspace, slug, branch)
	require.NoError(s.tb, err)
	return hash
}

func (s *Server) split(fullName string) (workspace, slug string) {
	s.tb.Helper()
	workspace, slug, ok := strings.Cut(fullName, "/")
	require.True(s.tb, ok, "%q is no workspace/slug", fullName)
	return workspace, slug
}

// Requests returns what was asked so far as method and path as on the wire,
// such as "GET /2.0/repositories/acme/api". Journal has the rest.
func (s *Server) Requests() []string {
	lines := []string{}
	for _, r := range s.Journal() {
		lines = append(lines, line(r))
	}
	return lines
}

func line(r sample.Request) string { return r.Method + " " + r.Path }

// AssertNothingSent fails the test if there was any request since the start or
// ResetJournal.
func (s *Server) AssertNothingSent(t testing.TB) bool {
	t.Helper()
	return assert.Empty(t, s.Requests(), "requests reached Bitbucket")
}

// AssertNoneNamed fails the test if a request named one of the words anywhere
// in its path or query, in any case, escaped or not.
func (s *Server) AssertNoneNamed(t testing.TB, words ...string) bool {
	t.Helper()
	ok := true
	for _, r := range s.Journal() {
		asked := strings.ToLower(named(r))
		for _, word := range words {
			ok = assert.NotContains(t, asked, strings.ToLower(word), "a request named %q", word) && ok
		}
	}
	return ok
}

// named is the request's line and what it says when it is decoded.
func named(r sample.Request) string {
	path, err := url.PathUnescape(r.Path)
	if err != nil {
		path = ""
	}
	query, err := url.QueryUnescape(r.Query.Encode())
	if err != nil {
		query = ""
	}
	return strings.Join([]string{line(r), path, query}, "\n")
}
