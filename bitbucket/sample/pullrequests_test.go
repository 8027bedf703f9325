package sample

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const pullRequestsOfAPI = "/repositories/acme/api/pullrequests"

// reviewed is the small server with a fork and these pull requests of api:
//
//	1 feature/x into main, open             4 feature/x into main, merged
//	2 fix of mallory/api into main, open    5 feature/x into main, declined
//	3 main into feature/x, open, a draft    6 feature/x into main, superseded
func reviewed(t *testing.T, o Options) *Server {
	t.Helper()
	s := small(t, o)
	require.NoError(t, s.AddRepository(Repository{Workspace: "mallory", Slug: "api", ParentFullName: "acme/api"}))
	first, err := s.AddCommit("mallory", "api", Commit{Message: "First\n"})
	require.NoError(t, err)
	fix, err := s.AddCommit("mallory", "api", Commit{Message: "Fix\n", Parents: []string{first}})
	require.NoError(t, err)
	require.NoError(t, s.SetBranch("mallory", "api", "fix", fix))
	for i, p := range []PullRequest{
		{SourceBranch: "feature/x", Title: "Add x", Author: "Ada Example", Participants: []Participant{
			{Name: "Ben Example", Reviewer: true, State: "approved"}, {Name: "Chris Example"},
		}},
		{SourceRepository: "mallory/api", SourceBranch: "fix", Title: "Fix y", Author: "Mallory Example"},
		{SourceBranch: "main", DestinationBranch: "feature/x", Title: "Sync", Draft: true},
		{SourceBranch: "feature/x", State: Merged, ClosedBy: "Ben Example"},
		{SourceBranch: "feature/x", State: Declined, Reason: "no"},
		{SourceBranch: "feature/x", State: Superseded},
	} {
		id, err := s.AddPullRequest("acme", "api", p)
		require.NoError(t, err)
		require.Equal(t, i+1, id)
	}
	return s
}

func ids(r response) string {
	var ids []string
	for _, row := range r.values() {
		ids = append(ids, strconv.Itoa(int(row.(map[string]any)["id"].(float64))))
	}
	return strings.Join(ids, " ")
}

func TestPullRequests(t *testing.T) {
	c := serve(t, reviewed(t, Options{}))
	ada := uuid("user", "Ada Example")
	tests := []struct {
		name  string
		pairs []string
		want  string
	}{
		{"open ones, the newest first", nil, "3 2 1"},
		{"one state", []string{"state", "MERGED"}, "4"},
		{"several states", []string{"state", "MERGED", "state", "DECLINED", "state", "OPEN"}, "5 4 3 2 1"},
		{"sorted", []string{"sort", "id"}, "1 2 3"},
		{"sorted by time", []string{"sort", "-created_on"}, "3 2 1"},
		{"sorted by change", []string{"sort", "-updated_on"}, "3 2 1"},
		{"by the query's state", []string{"q", `state = "MERGED" OR state = "SUPERSEDED"`}, "6 4"},
		{"by both", []string{"q", `id > 3`, "state", "DECLINED"}, "5"},
		{"open, where the query names no state", []string{"q", `title ~ "sync"`}, "3"},
		{"a state in a text is no state", []string{"q", `title != "state"`}, "3 2 1"},
		{"by source", []string{"q", `source.branch.name = "feature/x" AND state != "OPEN"`}, "6 5 4"},
		{"by destination", []string{"q", `destination.branch.name = "feature/x"`}, "3"},
		{"by source repository", []string{"q", `source.repository.full_name = "mallory/api"`}, "2"},
		{"by nickname", []string{"q", `author.nickname = "ada-example"`}, "1"},
		{"by display name", []string{"q", `author.display_name ~ "mallory"`}, "2"},
		{"by author's uuid", []string{"q", `author.uuid = "` + ada + `"`}, "1"},
		{"by number", []string{"q", `id = 2 OR id >= 3 AND draft = true`}, "3 2"},
		{"by time", []string{"q", `created_on < 2021-04-03T08:00:00+00:00`}, "1"},
	}
	for _, test := range tests {
		answer := c.get(pullRequestsOfAPI, test.pairs...)
		require.Equal(t, http.StatusOK, answer.status, answer.text)
		assert.Equal(t, test.want, ids(answer), test.name)
	}
	for pair, message := range map[[2]string]string{
		{"pagelen", "51"}:      "Invalid pagelen",
		{"state", "open"}:      "Invalid state",
		{"q", `id = "2"`}:      `Invalid query: unexpected "2" at 5`,
		{"q", `id ~ 2`}:        `Invalid query: unexpected "~" at 3`,
		{"q", `reviewers = 2`}: `Field "reviewers" does not support filtering`,
		{"sort", "size"}:       `Field "size" does not support sorting`,
	} {
		answer := c.get(pullRequestsOfAPI, pair[0], pair[1])
		assert.Equal(t, http.StatusBadRequest, answer.status, pair)
		assert.Equal(t, message, answer.message(), pair)
	}
	assert.Equal(t, http.StatusOK, c.get(pullRequestsOfAPI, "pagelen", "50").status)
}

func TestPullRequestKeys(t *testing.T) {
	c := serve(t, reviewed(t, Options{}))
	one := c.get(pullRequestsOfAPI + "/1").body
	assert.Equal(t, []string{
		"author", "close_source_branch", "closed_by", "comment_count", "created_on", "description", "destination",
		"draft", "id", "links", "merge_commit", "participants", "queued", "reason", "rendered", "reviewers", "source",
		"state", "summary", "task_count", "title", "type", "updated_on",
	}, keys(one))
	assert.Len(t, one["reviewers"], 1)
	assert.Len(t, one["participants"], 2)
	somebody := one["participants"].([]any)[0].(map[string]any)
	assert.Equal(t, true, somebody["approved"])
	assert.Equal(t, "REVIEWER", somebody["role"])
	assert.Nil(t, one["merge_commit"])
	assert.NotNil(t, c.get(pullRequestsOfAPI + "/4").body["merge_commit"])

	source := one["source"].(map[string]any)
	assert.Equal(t, map[string]any{"name": "feature/x"}, source["branch"])
	assert.Len(t, source["commit"].(map[string]any)["hash"], 12)
	assert.Equal(t, "acme/api", source["repository"].(map[string]any)["full_name"])
	fork := c.get(pullRequestsOfAPI + "/2").body["source"].(map[string]any)
	assert.Equal(t, "mallory/api", fork["repository"].(map[string]any)["full_name"])

	for _, name := range []string{"reviewers", "participants", "rendered"} {
		assert.NotContains(t, c.get(pullRequestsOfAPI).values()[0], name, "a row is shorter")
	}
	row := c.get(pullRequestsOfAPI, "fields", "+values.participants", "q", "id = 1").values()[0].(map[string]any)
	assert.Len(t, row["participants"], 2, "but names people where that is asked")
	assert.NotContains(t, row, "reviewers")
}

func TestPullRequestMissing(t *testing.T) {
	c := serve(t, reviewed(t, Options{}))
	for name, status := range map[string]int{
		"0": http.StatusNotFound, "-1": http.StatusNotFound, "7": http.StatusNotFound, "one": http.StatusNotFound,
		"1.0": http.StatusNotFound, "%2B1": http.StatusNotFound, "01": http.StatusOK,
		"9223372036854775807": http.StatusNotFound, "9223372036854775808": http.StatusBadRequest,
	} {
		for _, below := range []string{"", "/comments", "/tasks", "/commits", "/statuses"} {
			assert.Equal(t, status, c.get(pullRequestsOfAPI+"/"+name+below).status, name+below)
		}
	}
	assert.Equal(t, http.StatusNotFound, c.get("/repositories/acme/none/pullrequests/1").status)
}

func TestPullRequestFollowsItsBranches(t *testing.T) {
	s := reviewed(t, Options{})
	c := serve(t, s)
	hash := func(id int, end string) string {
		o := c.get(pullRequestsOfAPI + "/" + strconv.Itoa(id)).body[end].(map[string]any)
		return o["commit"].(map[string]any)["hash"].(string)
	}
	was, err := s.Head("acme", "api", "feature/x")
	require.NoError(t, err)
	next := commitOn(t, s, "api", "Third\n", was)
	require.NoError(t, s.SetBranch("acme", "api", "feature/x", next))
	assert.Equal(t, next[:12], hash(1, "source"), "an open one")
	assert.Equal(t, next[:12], hash(3, "destination"))
	assert.Equal(t, was[:12], hash(4, "source"), "a merged one does not")

	require.NoError(t, s.EditPullRequest("acme", "api", 1, func(p *PullRequest) { p.State = Declined }))
	require.NoError(t, s.SetBranch("acme", "api", "feature/x", was))
	assert.Equal(t, next[:12], hash(1, "source"), "what it was when it was declined")
	assert.Equal(t, next, s.PullRequests("acme", "api")[0].SourceHash)

	require.NoError(t, s.EditPullRequest("acme", "api", 2, func(p *PullRequest) { p.DestinationBranch = "feature/x" }))
	assert.Equal(t, was[:12], hash(2, "destination"), "led elsewhere")
	require.Error(t, s.EditPullRequest("acme", "api", 2, func(p *PullRequest) { p.DestinationBranch = "none" }))
	require.Error(t, s.EditPullRequest("acme", "api", 7, func(*PullRequest) {}))
	assert.Equal(t, "feature/x", s.PullRequests("acme", "api")[1].DestinationBranch)
}

func TestPullRequestOfADeletedFork(t *testing.T) {
	s := reviewed(t, Options{})
	c := serve(t, s)
	assert.Equal(t, "mallory/api", s.PullRequests("acme", "api")[1].SourceRepository)
	require.NoError(t, s.DeleteRepository("mallory", "api"))
	source := c.get(pullRequestsOfAPI + "/2").body["source"].(map[string]any)
	assert.Contains(t, source, "repository")
	assert.Nil(t, source["repository"])
	assert.Equal(t, map[string]any{"name": "fix"}, source["branch"])
	assert.Len(t, source["commit"].(map[string]any)["hash"], 12)
	assert.Empty(t, s.PullRequests("acme", "api")[1].SourceRepository)
	assert.Equal(t, "2", ids(c.get(pullRequestsOfAPI, "q", "source.repository.full_name = null")))
	assert.Contains(t, c.get(pullRequestsOfAPI+"/2/diff").header.Get("Location"), "/diff/acme/api:")
}

func TestPullRequestDiff(t *testing.T) {
	s := reviewed(t, Options{})
	c := serve(t, s)
	all := s.PullRequests("acme", "api")
	for _, kind := range []string{"diff", "diffstat"} {
		answer := c.get(pullRequestsOfAPI + "/2/" + kind)
		assert.Equal(t, http.StatusFound, answer.status)
		assert.Equal(t, c.base+"/repositories/acme/api/"+kind+"/mallory/api:"+all[1].SourceHash[:12]+
			"%0D"+all[1].DestinationHash[:12]+"?from_pullrequest_id=2&topic=true", answer.header.Get("Location"))
	}
	assert.Equal(t, http.StatusNotFound, c.get(pullRequestsOfAPI+"/9/diff").status)
}

func TestPullRequestCommits(t *testing.T) {
	s := reviewed(t, Options{})
	c := serve(t, s)
	head, err := s.Head("acme", "api", "feature/x")
	require.NoError(t, err)
	hashes := []string{head}
	for i := range 4 {
		hashes = append([]string{commitOn(t, s, "api", strconv.Itoa(i), hashes[0])}, hashes...)
	}
	require.NoError(t, s.SetBranch("acme", "api", "feature/x", hashes[0]))

	page := c.get(pullRequestsOfAPI+"/1/commits", "pagelen", "2")
	assert.Equal(t, []string{"next", "pagelen", "values"}, keys(page.body))
	got := page.column("hash")
	for page.body["next"] != nil {
		page = c.follow(page.body["next"].(string))
		got = append(got, page.column("hash")...)
	}
	assert.Equal(t, hashes, got, "the youngest first, without those that main has")
	assert.Empty(t, c.get(pullRequestsOfAPI+"/3/commits").values(), "nothing to merge")
	fork := c.get(pullRequestsOfAPI + "/2/commits").values()
	require.Len(t, fork, 1)
	assert.Equal(t, "Fix\n", fork[0].(map[string]any)["message"])

	for _, number := range []string{"1", "2"} {
		answer := c.get(pullRequestsOfAPI+"/1/commits", "page", number)
		assert.Equal(t, http.StatusBadRequest, answer.status, "pages have no numbers")
		assert.Equal(t, "Invalid page", answer.message())
	}
}

func TestAddPullRequestRefuses(t *testing.T) {
	s := reviewed(t, Options{})
	for name, p := range map[string]PullRequest{
		"no source":             {},
		"no such branch":        {SourceBranch: "none"},
		"no such destination":   {SourceBranch: "main", DestinationBranch: "none"},
		"no such state":         {SourceBranch: "main", State: "DRAFT"},
		"no such fork":          {SourceBranch: "main", SourceRepository: "nobody/api"},
		"branch of the parent":  {SourceBranch: "feature/x", SourceRepository: "mallory/api"},
		"destination elsewhere": {SourceBranch: "main", DestinationBranch: "fix"},
	} {
		_, err := s.AddPullRequest("acme", "api", p)
		require.Error(t, err, name)
	}
	_, err := s.AddPullRequest("acme", "none", PullRequest{SourceBranch: "main"})
	require.Error(t, err)
	assert.Len(t, s.PullRequests("acme", "api"), 6)
	assert.Empty(t, s.PullRequests("acme", "none"))

	id, err := s.AddPullRequest("acme", "api", PullRequest{SourceBranch: "gone", SourceHash: strings.Repeat("ab", 20)})
	require.NoError(t, err, "with a hash the branch may be gone")
	assert.Equal(t, 7, id)
}

func TestPullRequestLookupIsACopy(t *testing.T) {
	s := reviewed(t, Options{})
	s.PullRequests("acme", "api")[0].Participants[0].Name = "Changed"
	assert.Equal(t, "Ben Example", s.PullRequests("acme", "api")[0].Participants[0].Name)
}

func TestCommentsAndTasks(t *testing.T) {
	s := reviewed(t, Options{})
	c := serve(t, s)
	add := func(m Comment) int {
		id, err := s.AddComment("acme", "api", 1, m)
		require.NoError(t, err)
		return id
	}
	first := add(Comment{Author: "Ben Example", Text: "Why <b>?", Inline: &Inline{
		Path: "a b.go", To: 7, StartTo: 5, Context: "secret line",
	}})
	add(Comment{Text: "Because.", Parent: first})
	add(Comment{Text: "gone for good", Deleted: true})
	add(Comment{Text: "done", ResolvedBy: "Ben Example", Pending: true})
	for i, task := range []Task{{Text: "Do it", Comment: first}, {Text: "Done", ResolvedBy: "Ben Example"}} {
		id, err := s.AddTask("acme", "api", 1, task)
		require.NoError(t, err)
		assert.Equal(t, first+4+i, id)
	}

	answer := c.get(pullRequestsOfAPI + "/1/comments")
	rows := answer.values()
	require.Len(t, rows, 4)
	assert.NotContains(t, answer.text, "gone for good", "a deleted comment has no text")
	row := rows[0].(map[string]any)
	assert.Equal(t, []string{
		"content", "created_on", "deleted", "id", "inline", "links", "pending", "pullrequest", "type", "updated_on", "user",
	}, keys(row))
	assert.Equal(t, map[string]any{
		"path": "a b.go", "from": nil, "to": 7., "start_from": nil, "start_to": 5., "outdated": false, "context_lines": "secret line",
	}, row["inline"])
	assert.Equal(t, "<p>Why &lt;b&gt;?</p>", row["content"].(map[string]any)["html"])
	assert.EqualValues(t, first, rows[1].(map[string]any)["parent"].(map[string]any)["id"])
	assert.Contains(t, rows[3], "resolution")
	assert.Equal(t, true, rows[3].(map[string]any)["pending"])

	for q, want := range map[string]int{
		`deleted = false`: 3, `parent.id = null`: 3, `inline.path ~ "A B"`: 1, `inline.path = null`: 3,
		`pending = true`: 1, `user.display_name = "Ben Example"`: 1, `content.raw ~ "why"`: 1, `id > ` + strconv.Itoa(first): 3,
	} {
		assert.Len(t, c.get(pullRequestsOfAPI+"/1/comments", "q", q).values(), want, q)
	}
	assert.Equal(t, http.StatusBadRequest, c.get(pullRequestsOfAPI+"/1/comments", "pagelen", "101").status)

	tasks := c.get(pullRequestsOfAPI+"/1/tasks", "sort", "-id")
	assert.Equal(t, []string{"RESOLVED", "UNRESOLVED"}, tasks.column("state"))
	assert.Equal(t, []string{
		"comment", "content", "created_on", "creator", "id", "links", "pending", "resolved_by", "resolved_on", "state", "updated_on",
	}, keys(tasks.values()[1]))
	assert.Len(t, c.get(pullRequestsOfAPI+"/1/tasks", "q", `state = "UNRESOLVED"`).values(), 1)

	one := c.get(pullRequestsOfAPI + "/1").body
	assert.EqualValues(t, 3, one["comment_count"])
	assert.EqualValues(t, 1, one["task_count"])
	assert.Empty(t, c.get(pullRequestsOfAPI+"/2/comments").values())

	_, err := s.AddComment("acme", "api", 1, Comment{Parent: 1})
	require.Error(t, err)
	_, err = s.AddComment("acme", "api", 7, Comment{})
	require.Error(t, err)
	_, err = s.AddTask("acme", "api", 1, Task{Comment: 1})
	require.Error(t, err)
	_, err = s.AddTask("acme", "none", 1, Task{})
	require.Error(t, err)
}

func TestStatuses(t *testing.T) {
	s := reviewed(t, Options{})
	c := serve(t, s)
	head, err := s.Head("acme", "api", "feature/x")
	require.NoError(t, err)
	for _, status := range []BuildStatus{
		{Key: "build/1", Name: "Build", State: "INPROGRESS", RefName: "feature/x"},
		{Key: "scan", State: "FAILED"},
		{Key: "build/1", Name: "Build", RefName: "feature/x", UpdatedOn: firstDay.Add(48 * time.Hour)},
	} {
		status.Hash = head
		require.NoError(t, s.AddStatus("acme", "api", status))
	}
	ofCommit := "/repositories/acme/api/commit/" + head + "/statuses"
	for _, path := range []string{ofCommit, pullRequestsOfAPI + "/1/statuses", "/repositories/acme/api/commit/" + head[:9] + "/statuses"} {
		answer := c.get(path)
		assert.Equal(t, []string{"build/1", "scan"}, answer.column("key"), "one for each key")
		assert.Equal(t, []string{"SUCCESSFUL", "FAILED"}, answer.column("state"))
		assert.Equal(t, []string{
			"commit", "created_on", "description", "key", "links", "name", "refname", "repository", "state", "type", "updated_on", "url",
		}, keys(answer.values()[0]))
	}
	assert.Equal(t, []string{"build/1"}, c.get(ofCommit, "refname", "feature/x").column("key"))
	assert.Equal(t, []string{"scan"}, c.get(ofCommit, "q", `state = "FAILED"`).column("key"))
	assert.Equal(t, []string{"scan", "build/1"}, c.get(ofCommit, "sort", "-key").column("key"))
	assert.Equal(t, http.StatusNotFound, c.get("/repositories/acme/api/commit/0000000/statuses").status)

	for _, status := range []BuildStatus{{Key: "a"}, {Hash: head}, {Hash: head, Key: "a", State: "RED"}} {
		require.Error(t, s.AddStatus("acme", "api", status))
	}
	require.Error(t, s.AddStatus("acme", "none", BuildStatus{Hash: head, Key: "a"}))
}

func TestScopesOfPullRequestsAndPipelines(t *testing.T) {
	const statuses = "/repositories/acme/api/commit/main/statuses"
	tests := []struct {
		scope  string
		bearer bool
		lets   []string
	}{
		{"read:pullrequest:bitbucket", false, []string{pullRequestsOfAPI, pullRequestsOfAPI + "/1/statuses"}},
		{"read:pipeline:bitbucket", false, []string{pipelinesOfAPI + "/"}},
		{"write:pullrequest:bitbucket", false, nil},
		{"write:pipeline:bitbucket", false, nil},
		{"read:repository:bitbucket", false, []string{statuses}},
		{"pullrequest", true, []string{pullRequestsOfAPI, pullRequestsOfAPI + "/1/statuses", statuses}},
		{"pullrequest:write", true, []string{pullRequestsOfAPI, pullRequestsOfAPI + "/1/statuses", statuses}},
		{"pipeline", true, []string{pipelinesOfAPI + "/"}},
		{"pipeline:write", true, []string{pipelinesOfAPI + "/"}},
		{"repository", true, []string{statuses}},
	}
	for _, test := range tests {
		c := serve(t, piped(t, Options{Accounts: []Account{
			{Username: "u", Token: "t", Bearer: test.bearer, Scopes: []string{test.scope}},
		}})).basic("u", "t")
		if test.bearer {
			c = c.bearer("t")
		}
		for _, path := range []string{pullRequestsOfAPI, pullRequestsOfAPI + "/1/statuses", pipelinesOfAPI + "/", statuses} {
			lacking := "Your credentials lack one or more required privilege scopes."
			assert.Equal(t, !slices.Contains(test.lets, path), c.get(path).message() == lacking, "%s %s", test.scope, path)
		}
	}
}

func TestHiddenPullRequestsAndPipelines(t *testing.T) {
	c := serve(t, piped(t, Options{Accounts: []Account{{Username: "u", Token: "t", Workspaces: []string{"other"}}}})).basic("u", "t")
	for _, path := range []string{
		pullRequestsOfAPI, pullRequestsOfAPI + "/1", pullRequestsOfAPI + "/1/diff", pullRequestsOfAPI + "/1/comments",
		pipelinesOfAPI, pipelinesOfAPI + "/1", pipelinesOfAPI + "/1/steps",
	} {
		answer := c.get(path)
		assert.Equal(t, http.StatusNotFound, answer.status, path)
		assert.Equal(t, "Repository acme/api not found", answer.message(), path)
	}
}
