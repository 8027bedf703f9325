package bitbuckettest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
)

func TestWork(t *testing.T) {
	s := bitbuckettest.New(t)
	s.Repository("acme/api", "main", "feature/x")
	id := s.MustPullRequest("acme/api", sample.PullRequest{SourceBranch: "feature/x"})
	comment := s.MustComment("acme/api", id, sample.Comment{Text: "Why?"})
	s.MustTask("acme/api", id, sample.Task{Text: "Explain", Comment: comment})
	s.MustStatus("acme/api", sample.BuildStatus{Hash: s.MustHead("acme/api", "feature/x"), Key: "build"})
	added := s.MustPipeline("acme/api", sample.Pipeline{Target: sample.Target{PullRequest: id}})
	assert.Equal(t, added, s.Pipelines("acme", "api")[0])

	for _, path := range []string{"", "/comments", "/tasks", "/statuses"} {
		status, _ := get(t, s.URL()+"/repositories/acme/api/pullrequests/1"+path)
		assert.Equal(t, http.StatusOK, status, path)
	}
}

func TestCredentialAtTheLogStoreFailsTheTest(t *testing.T) {
	for _, credential := range []string{"", "Bearer t", "Basic dTp0", "t"} {
		watched := &spy{TB: t}
		t.Run(credential, func(t *testing.T) {
			watched.TB = t
			s := bitbuckettest.New(watched)
			s.Repository("acme/api", "main")
			p := s.MustPipeline("acme/api", sample.Pipeline{
				Target: sample.Target{RefName: "main"}, Steps: []sample.Step{{Log: []byte("line\n")}},
			})
			address := s.URL() + "/repositories/acme/api/pipelines/1/steps/" + url.PathEscape(p.Steps[0].UUID) + "/log"
			sent, err := http.NewRequest(http.MethodGet, address, nil)
			require.NoError(t, err)
			answer, err := http.DefaultTransport.RoundTrip(sent)
			require.NoError(t, err)
			answer.Body.Close()
			require.Equal(t, http.StatusTemporaryRedirect, answer.StatusCode)

			sent, err = http.NewRequest(http.MethodGet, answer.Header.Get("Location"), nil)
			require.NoError(t, err)
			require.Equal(t, s.MustLogStoreURL(), "http://"+sent.URL.Host)
			if credential != "" {
				sent.Header.Set("Authorization", credential)
			}
			answer, err = http.DefaultTransport.RoundTrip(sent)
			require.NoError(t, err)
			answer.Body.Close()
		})
		assert.Equal(t, credential != "", watched.count() > 0, credential)
	}
}
