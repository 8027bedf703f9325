package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/testneeds"
)

// recordedFolder names a folder of answers that Bitbucket once gave: go-scm
// holds one answer in each file, python-api files of answers by query string.
const recordedFolder = "BUCKETGATE_TEST_RECORDED"

// A recording plays recorded answers over HTTP.
type recording struct {
	t      *testing.T
	folder string
	url    string // of the API
	played map[string]func() (code int, body string)
}

// newRecording starts a server without answers.
func newRecording(t *testing.T) *recording {
	t.Helper()
	folder := os.Getenv(recordedFolder)
	if folder == "" {
		t.Skipf("%s does not name a folder of recorded answers", recordedFolder)
	}
	if _, err := os.Stat(folder); err != nil {
		testneeds.Skip(t, fmt.Sprintf("%s: %v", recordedFolder, err))
	}
	r := &recording{t: t, folder: folder, played: map[string]func() (int, string){}}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.url = s.URL + "/2.0"
	return r
}

// ServeHTTP plays what was put at a path, alone or with the part of the query
// that a link of a recorded answer holds.
func (r *recording) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	path := strings.TrimPrefix(req.URL.Path, "/2.0")
	play := r.played[path]
	if after := req.URL.Query().Get("after"); after != "" {
		play = r.played[path+"?after="+after]
	}
	if play == nil {
		r.t.Errorf("a request that nobody expected: %s %s", req.Method, req.URL)
		http.Error(w, "unexpected", http.StatusTeapot)
		return
	}
	code, body := play()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprint(w, body)
}

// put plays a text at a path.
func (r *recording) put(path string, code int, body string) {
	r.played[path] = func() (int, string) { return code, body }
}

// answer reads a file of go-scm.
func (r *recording) answer(name string) string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.folder, "go-scm", name))
	require.NoError(r.t, err)
	return string(content)
}

// linked reads a file of go-scm with one of its links led to a path of this
// server.
func (r *recording) linked(name, from, to string) string {
	r.t.Helper()
	var body map[string]any
	require.NoError(r.t, json.Unmarshal([]byte(r.answer(name)), &body))
	next, _ := body["next"].(string)
	require.Contains(r.t, next, from)
	body["next"] = strings.Replace(next, from, to, 1)
	encoded, err := json.Marshal(body)
	require.NoError(r.t, err)
	return string(encoded)
}

// values reads the answers of a file of python-api.
func (r *recording) values(name string) map[string]json.RawMessage {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.folder, "python-api", name))
	require.NoError(r.t, err)
	var answers map[string]json.RawMessage
	require.NoError(r.t, json.Unmarshal(content, &answers))
	return answers
}

func (r *recording) environment(workspace string) variables {
	return variables{varWorkspace: workspace, varToken: "recorded", varAPI: r.url}
}

// ask calls a tool as an agent would and returns its answer.
func (r *recording) ask(env variables, args ...string) (answer map[string]any, code string) {
	r.t.Helper()
	got := run(r.t, env, "", append([]string{"call"}, args...)...)
	require.NoError(r.t, json.Unmarshal([]byte(got.stdout), &answer), "%s%s", got.stdout, got.stderr)
	if failed, ok := answer["error"].(map[string]any); ok {
		assert.Equal(r.t, exitFailed, got.code)
		return failed, failed["code"].(string)
	}
	assert.Equal(r.t, exitDone, got.code)
	return answer, ""
}

const defaultAPI = "https://api.bitbucket.org/2.0"

func TestRecordedRepository(t *testing.T) {
	r := newRecording(t)
	r.put("/repositories/atlassian/stash-example-plugin", 200, r.answer("repo.json"))
	got, code := r.ask(r.environment("atlassian"), "get_repo", "repository=stash-example-plugin", "detail=full")
	require.Empty(t, code)
	assert.Equal(t, "atlassian/stash-example-plugin", got["full_name"])
	assert.Equal(t, "stash-example-plugin", got["name"])
	assert.Equal(t, "private", got["visibility"])
	assert.Equal(t, "https://bitbucket.org/atlassian/stash-example-plugin", got["url"])
	assert.Equal(t, "2018-04-01T16:36:35Z", got["updated_on"])
	assert.Equal(t, "2013-04-15T03:05:05Z", got["created_on"])
	assert.NotEmpty(t, got["default_branch"])
	assert.NotEmpty(t, got["description"])

	_, code = r.ask(r.environment("atlassian").with(varRepoRegex, "other"), "get_repo", "repository=stash-example-plugin")
	assert.Equal(t, "not_found", code)
}

// A repository that Bitbucket returns in place of another is judged itself.
func TestRecordedRepositoryUnderAnotherName(t *testing.T) {
	r := newRecording(t)
	r.put("/repositories/atlassian/old-name", 200, r.answer("repo.json"))
	_, code := r.ask(r.environment("atlassian").with(varRepoRegex, "old-.*"), "get_repo", "repository=old-name")
	assert.Equal(t, "not_found", code)
}

func TestRecordedRepositories(t *testing.T) {
	r := newRecording(t)
	const here = "/repositories/atlassian"
	r.put(here, 200, r.linked("repos_filter.json", defaultAPI+"/repositories?", r.url+here+"?"))
	r.put(here+"?after=PLACEHOLDER", 200, r.answer("repos-2.json"))
	got, code := r.ask(r.environment("atlassian"), "list_repos", "detail=full")
	require.Empty(t, code)
	rows := got["repositories"].([]any)
	require.Len(t, rows, 2)
	assert.Equal(t, "atlassian/stash-example-plugin1", rows[0].(map[string]any)["full_name"])
	assert.Equal(t, "atlassian/stash-example-plugin", rows[1].(map[string]any)["full_name"])
	assert.NotContains(t, got, "next_cursor")

	// A page at a time.
	first, code := r.ask(r.environment("atlassian"), "list_repos", "limit=1")
	require.Empty(t, code)
	second, code := r.ask(r.environment("atlassian"), "list_repos", "limit=1", "cursor="+first["next_cursor"].(string))
	require.Empty(t, code)
	assert.Equal(t, "atlassian/stash-example-plugin", second["repositories"].([]any)[0].(map[string]any)["full_name"])
}

// The links as they were recorded name another host, or another path, than
// those that were asked: they are refused in words.
func TestRecordedLinksThatLeadElsewhere(t *testing.T) {
	r := newRecording(t)
	const words = "Bitbucket gave no usable answer: its link to the next page leads somewhere else, and was not followed."
	env := r.environment("atlassian")
	for _, body := range []string{r.answer("repos.json"), r.linked("repos.json", defaultAPI, r.url)} {
		r.put("/repositories/atlassian", 200, body)
		got, code := r.ask(env, "list_repos")
		assert.Equal(t, "upstream_unavailable", code)
		assert.Equal(t, words, got["message"])
	}
	r.put("/repositories/atlassian/stash-example-plugin", 200, r.answer("repo.json"))
	for _, name := range []string{"branches.json", "branches_filter.json"} {
		r.put("/repositories/atlassian/stash-example-plugin/refs/branches", 200, r.answer(name))
		got, code := r.ask(env, "list_branches", "repository=stash-example-plugin")
		assert.Equal(t, "upstream_unavailable", code)
		assert.Equal(t, words, got["message"])
	}
}

func TestRecordedBranches(t *testing.T) {
	r := newRecording(t)
	env := r.environment("atlassian")
	const here = "/repositories/atlassian/stash-example-plugin"
	r.put(here, 200, r.answer("repo.json"))
	r.put(here+"/refs/branches", 200, `{"values":[`+r.answer("branch.json")+`]}`)
	got, code := r.ask(env, "list_branches", "repository=stash-example-plugin", "detail=full")
	require.Empty(t, code)
	row := got["branches"].([]any)[0].(map[string]any)
	assert.Equal(t, "master", row["name"])
	assert.Len(t, row["commit"], 40)
	assert.NotEmpty(t, row["updated_on"])

	for name, want := range map[string][]any{"branches.json": {"master"}, "branches_filter.json": {"master", "master-patch"}} {
		var body map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(r.answer(name)), &body))
		r.put(here+"/refs/branches", 200, `{"values":`+string(body["values"])+`}`)
		got, code := r.ask(env, "list_branches", "repository=stash-example-plugin", "detail=names")
		require.Empty(t, code)
		assert.Equal(t, want, got["names"])
		got, code = r.ask(env.with(varBranchRegex, "master"), "list_branches", "repository=stash-example-plugin")
		require.Empty(t, code)
		require.Len(t, got["branches"], 1)
		assert.Equal(t, "a6e5e7d797ed", got["branches"].([]any)[0].(map[string]any)["commit"])
	}
}

func TestRecordedErrors(t *testing.T) {
	r := newRecording(t)
	for _, name := range []string{"error.json", "content_fail.json"} {
		r.put("/repositories/atlassian/x", 404, r.answer(name))
		r.put("/repositories/atlassian/x/refs/branches", 404, r.answer(name))
		for _, tool := range []string{"get_repo", "list_branches"} {
			got, code := r.ask(r.environment("atlassian"), tool, "repository=x")
			assert.Equal(t, "not_found", code)
			assert.Equal(t, `There is no repository "x" within your scope.`, got["message"])
			assert.NotContains(t, fmt.Sprint(got), "README")
		}
	}
}

// A workspace may be spelt with upper-case letters.
func TestRecordedWorkspaceInCapitals(t *testing.T) {
	r := newRecording(t)
	answers := r.values("repositories_GET.json")
	require.NotEmpty(t, answers)
	pattern := "testrepository[0-9]+"
	for query, body := range answers {
		var listed struct {
			Values []struct {
				FullName string `json:"full_name"`
			}
		}
		require.NoError(t, json.Unmarshal(body, &listed), query)
		if len(listed.Values) == 0 {
			continue
		}
		for _, workspace := range []string{"TestWorkspace1", "testworkspace1"} {
			r.put("/repositories/"+workspace, 200, string(body))
			got, code := r.ask(r.environment(workspace).with(varRepoRegex, pattern), "list_repos")
			require.Empty(t, code, got)
			rows := got["repositories"].([]any)
			require.Len(t, rows, len(listed.Values), query)
			for i, row := range rows {
				assert.Equal(t, listed.Values[i].FullName, row.(map[string]any)["full_name"])
			}

			one := listed.Values[0].FullName
			_, slug, _ := strings.Cut(one, "/")
			var raw struct{ Values []json.RawMessage }
			require.NoError(t, json.Unmarshal(body, &raw))
			r.put("/repositories/"+workspace+"/"+slug, 200, string(raw.Values[0]))
			got, code = r.ask(r.environment(workspace), "get_repo", "repository="+one)
			require.Empty(t, code, got)
			assert.Equal(t, one, got["full_name"])
		}
	}
}
