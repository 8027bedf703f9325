package bitbuckettest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
)

// MustPullRequest adds a pull request and returns its ID.
func (s *Server) MustPullRequest(fullName string, p sample.PullRequest) int {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	id, err := s.AddPullRequest(workspace, slug, p)
	require.NoError(s.tb, err)
	return id
}

// MustComment adds a comment to a pull request and returns its ID.
func (s *Server) MustComment(fullName string, pullRequest int, m sample.Comment) int {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	id, err := s.AddComment(workspace, slug, pullRequest, m)
	require.NoError(s.tb, err)
	return id
}

// MustTask adds a task to a pull request and returns its ID.
func (s *Server) MustTask(fullName string, pullRequest int, t sample.Task) int {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	id, err := s.AddTask(workspace, slug, pullRequest, t)
	require.NoError(s.tb, err)
	return id
}

// MustStatus adds a build status to a commit.
func (s *Server) MustStatus(fullName string, status sample.BuildStatus) {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	require.NoError(s.tb, s.AddStatus(workspace, slug, status))
}

// MustPipeline adds a run of a pipeline and returns it complete.
func (s *Server) MustPipeline(fullName string, p sample.Pipeline) sample.Pipeline {
	s.tb.Helper()
	workspace, slug := s.split(fullName)
	added, err := s.AddPipeline(workspace, slug, p)
	require.NoError(s.tb, err)
	return added
}

// MustLogStoreURL is where the logs of finished steps are.
func (s *Server) MustLogStoreURL() string {
	s.tb.Helper()
	url, err := s.LogStoreURL()
	require.NoError(s.tb, err)
	return url
}

// assertNoCredentialAtLogs fails the test if the log store got a credential:
// it is another host, which a client must not trust with one.
func assertNoCredentialAtLogs(t testing.TB, s *sample.Server) {
	t.Helper()
	for _, r := range s.LogJournal() {
		assert.Empty(t, r.Scheme, "a credential reached the log store")
	}
}
