package bitbuckettest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
)

// spy is a test that notes its failures in place of failing.
type spy struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

func (s *spy) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, format)
}

func (s *spy) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.failed)
}

func get(t *testing.T, url string) (status int, body map[string]any) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &body), "%s", text)
	return response.StatusCode, body
}

func TestUnexpectedRequestFailsTheTest(t *testing.T) {
	tests := map[string]struct {
		path string
		fail bool
	}{
		"known":                     {"/repositories/acme/api", false},
		"known and missing":         {"/repositories/acme/none", false},
		"unknown endpoint":          {"/repositories/acme/api/hooks", true},
		"removed list of all":       {"/repositories", true},
		"empty slug":                {"/repositories/acme/", true},
		"dot segments":              {"/repositories/acme/../mallory", true},
		"escaped dot segments":      {"/repositories/acme/%2e%2e", true},
		"slash in a branch, raw":    {"/repositories/acme/api/refs/branches/feature/x", true},
		"slash in a branch, as %2F": {"/repositories/acme/api/refs/branches/feature%2Fx", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			watched := &spy{TB: t}
			s := bitbuckettest.New(watched)
			s.Repository("acme/api", "main", "feature/x")
			get(t, s.URL()+test.path)
			assert.Equal(t, test.fail, watched.count() > 0)
			assert.Equal(t, []string{"GET /2.0" + test.path}, s.Requests())
		})
	}
}

func TestUnexpectedMethodFailsTheTest(t *testing.T) {
	watched := &spy{TB: t}
	s := bitbuckettest.New(watched)
	response, err := http.Post(s.URL()+"/repositories/acme", "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	assert.Equal(t, 1, watched.count())
}

func TestRepository(t *testing.T) {
	s := bitbuckettest.New(t)
	s.Repository("acme/api", "main", "feature/x")

	_, repository := get(t, s.URL()+"/repositories/acme/api")
	assert.Equal(t, "acme/api", repository["full_name"])
	assert.Equal(t, true, repository["is_private"])
	assert.Equal(t, "main", repository["mainbranch"].(map[string]any)["name"])

	_, branch := get(t, s.URL()+"/repositories/acme/api/refs/branches/feature%2Fx")
	target := branch["target"].(map[string]any)
	assert.Equal(t, s.MustHead("acme/api", "feature/x"), target["hash"])
	parent := target["parents"].([]any)[0].(map[string]any)
	assert.Equal(t, s.MustHead("acme/api", "main"), parent["hash"])
}

func TestAssertions(t *testing.T) {
	s := bitbuckettest.New(t)
	s.Repository("acme/api", "main")
	watched := &spy{TB: t}
	require.True(t, s.AssertNothingSent(watched))

	get(t, s.URL()+"/repositories/acme?q=slug+~+%22Hidden%22")
	get(t, s.URL()+"/repositories/acme/api/refs/branches/a%2Fb")
	assert.True(t, s.AssertNoneNamed(watched, "web"))
	assert.Zero(t, watched.count())

	assert.False(t, s.AssertNothingSent(watched))
	assert.False(t, s.AssertNoneNamed(watched, "hidden"), "in the query, in another case")
	assert.False(t, s.AssertNoneNamed(watched, "a/b"), "in the path, escaped")
	assert.Equal(t, 3, watched.count())
}

func TestHangingAnswerEndsWithTheTest(t *testing.T) {
	done := make(chan error, 1)
	t.Run("inner", func(t *testing.T) {
		s := bitbuckettest.New(t)
		s.Fail(sample.Hang())
		go func() {
			response, err := http.Get(s.URL() + "/user")
			if err == nil {
				response.Body.Close()
			}
			done <- err
		}()
		require.Eventually(t, func() bool { return len(s.Requests()) == 1 }, 5*time.Second, time.Millisecond)
	})
	assert.Error(t, <-done)
}

func TestNeighbours(t *testing.T) {
	n := bitbuckettest.NewNeighbours(t)
	reach := func(commit, head string) any {
		_, body := get(t, n.URL()+"/repositories/acme/api/merge-base/"+commit+".."+head)
		return body["hash"]
	}
	assert.Equal(t, n.Main, reach(n.Main, n.Secret))
	for _, branch := range []string{"main", "not-main", "feature/x"} {
		assert.NotEqual(t, n.Secret, reach(n.Secret, n.MustHead("acme/api", branch)), branch)
	}
	assert.Equal(t, n.Secret, reach(n.Secret, n.MustHead("acme/api", "secret/y")))

	_, fork := get(t, n.URL()+"/repositories/mallory/api")
	assert.Equal(t, "acme/api-secret", fork["parent"].(map[string]any)["full_name"])
	_, branches := get(t, n.URL()+"/repositories/acme/api/refs/branches?fields=values.name")
	assert.Equal(t, []any{
		map[string]any{"name": "main"}, map[string]any{"name": "not-main"},
		map[string]any{"name": "feature/x"}, map[string]any{"name": "secret/y"},
	}, branches["values"])
}

func TestContent(t *testing.T) {
	s := bitbuckettest.New(t)
	s.Repository("acme/api", "main")
	hash := s.MustChange("acme/api", "main", "Add\n", map[string]sample.File{"a/b": {Content: []byte("x\n")}})
	fork := s.MustFork("mallory/api", "acme/api", "main")
	s.MustTag("acme/api", "v1", hash)

	for path, want := range map[string]any{
		"/commit/v1": hash, "/commit/" + fork: fork, "/merge-base/" + fork + "..main": hash,
	} {
		_, body := get(t, s.URL()+"/repositories/acme/api"+path)
		assert.Equal(t, want, body["hash"], path)
	}
	tree, err := s.Tree("mallory", "api", fork)
	require.NoError(t, err)
	assert.Equal(t, "x\n", string(tree["a/b"].Content))
	reached, err := s.Reachable("acme", "api", "main")
	require.NoError(t, err)
	assert.True(t, reached[hash])
	assert.False(t, reached[fork], "a commit of the fork alone")
}
