package agent_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
	"bucketgate/tools"
)

var worlds = flag.Int("worlds", 40, "how many random worlds TestNothingGetsOut visits")

const callsPerWorld = 50

// The property that the product is for: whatever a repository holds, whatever
// a scope says and whatever an agent sends, nothing in any answer comes from a
// commit, branch, pull request or pipeline that the scope does not allow. What
// it allows is worked out by [sight] on the sample's own graph.
func TestNothingGetsOut(t *testing.T) {
	for seed := range uint64(*worlds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			visit(t, seed)
		})
	}
}

// FuzzNothingGetsOut is TestNothingGetsOut for as long as one likes:
//
//	go test ./tools/agent -run '^$' -fuzz FuzzNothingGetsOut -fuzztime 10m
func FuzzNothingGetsOut(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(visit)
}

// visit makes the world of a seed, and calls the tools in it.
func visit(t *testing.T, seed uint64) {
	v := newVisit(t, seed)
	for range callsPerWorld {
		v.call()
	}
	for _, s := range v.sights {
		v.finds(s)
	}
	v.findsTogether()
	if t.Failed() {
		t.Logf("seed %d, scopes %s", seed, v.rules())
	}
}

// A visitor is an agent in a random world, with random scopes.
type visitor struct {
	*world
	*desk
	t      *testing.T
	scopes []policy.Definition
	sights []sight
	tools  []string
}

func newVisit(t *testing.T, seed uint64) *visitor {
	w := newWorld(t, rand.New(rand.NewPCG(seed, 5)))
	accounts := []sample.Account{w.account("key1"), w.account("key2")}
	options := sample.Options{Accounts: accounts, OpaqueNext: w.chance(30), ForbidHidden: w.chance(30), InlineLogs: w.chance(50)}
	upstream := bitbuckettest.New(t, func(o *sample.Options) { *o = options })
	w.build(upstream)
	v := &visitor{world: w, t: t, scopes: w.scopes()}
	v.desk = newDesk(t, upstream, v.scopes...)
	for i := range v.scopes {
		scope := definition(upstream.URL(), v.scopes[i])
		credential := slices.IndexFunc(accounts, func(a sample.Account) bool { return a.Name == scope.Credential })
		v.sights = append(v.sights, sight{w, scope, accounts[credential], map[subject]tokenSet{}})
	}
	for _, tool := range v.toolbox.Tools {
		v.tools = append(v.tools, tool.Name)
	}
	return v
}

// account makes up a credential that sees most of the private repositories.
func (w *world) account(name string) sample.Account {
	a := sample.Account{Name: name, Token: "token-of-" + name, Bearer: true, Repositories: []string{"nobody/nothing"}}
	for _, h := range w.homes {
		if w.chance(85) {
			a.Repositories = append(a.Repositories, h.fullName())
		}
	}
	return a
}

var (
	slugPatterns   = []string{`api-.*`, `web-.*`, `(?:ops\.|lib_).*`, `(?i)API-.*`, `.*`, `.*[0-4]x`, `\w+-.*`}
	branchPatterns = []string{`main`, `main-.*`, `feature/.*`, `feature/x/.*`, `(?i)secret/.*`, `SECRET/.*`, `release/.*|hot-.*`, `.*[02468]x`, `[0-9a-f]+`, `.*`}
)

// scopes makes up what the agent holds.
func (w *world) scopes() []policy.Definition {
	some := func(percent int, patterns []string, names ...string) []string {
		var list []string
		for w.chance(percent) && len(list) < 3 {
			if len(names) > 0 && w.chance(20) {
				list = append(list, regexp.QuoteMeta(one(w, names)))
			} else {
				list = append(list, one(w, patterns))
			}
		}
		return list
	}
	var slugs, branches []string
	for _, h := range w.homes {
		slugs, branches = append(slugs, h.slug), append(branches, h.branches...)
	}
	var list []policy.Definition
	for i := range 1 + w.IntN(3) {
		list = append(list, policy.Definition{
			Name: fmt.Sprint("scope", i+1), Workspace: one(w, []string{"acme", "acme", "acme", "beta"}), Credential: one(w, []string{"key1", "key1", "key2"}),
			Repositories: some(50, slugPatterns, slugs...), ExcludeRepositories: some(15, slugPatterns, slugs...),
			Branches: some(75, branchPatterns, branches...), ExcludeBranches: some(20, branchPatterns, branches...),
		})
	}
	return list
}

func (v *visitor) rules() string {
	text, err := json.MarshalIndent(v.scopes, "", "  ")
	require.NoError(v.t, err)
	return string(text)
}

// arguments make up a call of each tool. A tool that is not among them is one
// that this test does not know, and fails it.
func (v *visitor) arguments(tool string) map[string]any {
	h := v.home()
	in := map[string]any{}
	maybe := func(percent int, key string, value any) {
		if v.chance(percent) {
			in[key] = value
		}
	}
	if tool != "my_access" && tool != "list_repos" {
		in["repository"] = v.repositoryName(h)
	}
	if tool != "my_access" {
		maybe(25, "scope", fmt.Sprint("scope", 1+v.IntN(4)))
	}
	switch tool {
	case "my_access":
	case "list_repos", "list_branches":
		maybe(30, "query", v.piece(h))
		maybe(50, "limit", 1+v.IntN(3))
		maybe(50, "detail", one(v.world, []string{"names", "concise", "full"}))
	case "get_repo":
		maybe(50, "detail", "full")
	case "list_commits":
		maybe(75, "branch", v.branchName(h))
		maybe(30, "path", v.path(h))
		maybe(50, "limit", 1+v.IntN(3))
		maybe(50, "detail", "full")
	case "get_commit":
		in["commit"] = v.hash(h)
	case "list_files":
		v.place(h, in)
		maybe(50, "path", v.path(h))
		maybe(50, "depth", 1+v.IntN(4))
		maybe(40, "limit", 1+v.IntN(3))
	case "get_file":
		v.place(h, in)
		in["path"] = v.path(h)
		maybe(20, "start_line", 1+v.IntN(3))
		maybe(20, "lines", 1+v.IntN(3))
	case "compare":
		in["from"], in["to"] = v.revision(h), v.revision(h)
		maybe(30, "path", v.path(h))
	case "list_pull_requests":
		maybe(80, "state", one(v.world, []string{"open", "merged", "declined", "superseded", "all", "all"}))
		maybe(30, "branch", v.branchName(h))
		maybe(20, "author", v.piece(h))
		maybe(20, "query", v.piece(h))
		maybe(50, "limit", 1+v.IntN(3))
	case "get_pull_request":
		in["id"] = 1 + v.IntN(10)
		maybe(80, "include", v.some("diffstat", "diff", "comments", "tasks", "statuses", "commits"))
	case "list_pipelines":
		maybe(40, "branch", v.branchName(h))
		maybe(30, "status", one(v.world, []string{"running", "passed", "failed"}))
		maybe(50, "limit", 1+v.IntN(3))
	case "get_pipeline":
		in["number"] = 1 + v.IntN(10)
		maybe(80, "include", v.some("steps", "log"))
		maybe(30, "step", 1+v.IntN(3))
	default:
		require.Fail(v.t, "the property test does not know the tool "+tool)
	}
	return in
}

// home is a repository of the world, mostly one that a scope sees.
func (v *visitor) home() *home {
	if visible := one(v.world, v.sights).visible(); len(visible) > 0 && v.chance(85) {
		return one(v.world, visible)
	}
	return one(v.world, v.homes)
}

func (v *visitor) repositoryName(h *home) string {
	switch v.IntN(10) {
	case 0, 1:
		return h.fullName()
	case 2:
		return h.texts[0] // the display name
	case 3:
		return strings.ToUpper(h.slug)
	case 4:
		return one(v.world, []string{"../" + h.slug, h.fullName() + "/commits", "mallory/" + h.slug, "{" + h.slug + "}"})
	}
	return h.slug
}

// branchName is the name of a branch, there or gone, here or in another
// repository, or what may lead to one.
func (v *visitor) branchName(h *home) string {
	name := one(v.world, h.branches)
	if allowed := slices.Sorted(maps.Keys(one(v.world, v.sights).heads(h))); len(allowed) > 0 && v.chance(40) {
		return one(v.world, allowed)
	}
	switch v.IntN(12) {
	case 0:
		return one(v.world, one(v.world, v.homes).branches)
	case 1:
		return one(v.world, []string{"refs/heads/" + name, name + "~1", name + "^", "HEAD", "@", strings.ToUpper(name), name + "/", "main.." + name})
	case 2:
		tags, err := v.world.upstream.Tags(h.workspace, h.slug)
		require.NoError(v.t, err)
		if len(tags) > 0 {
			return one(v.world, slices.Sorted(maps.Keys(tags)))
		}
	case 3:
		return v.hash(h)
	}
	return name
}

// hash is a commit's, whole or its beginning.
func (v *visitor) hash(h *home) string {
	all := h.network.commits
	if v.chance(10) {
		all = one(v.world, v.homes).network.commits
	}
	if reached := slices.Sorted(maps.Keys(one(v.world, v.sights).reached(h))); len(reached) > 0 && v.chance(30) {
		all = reached
	}
	hash := one(v.world, all)
	switch v.IntN(8) {
	case 0:
		return hash[:7]
	case 1, 2:
		return hash[:12]
	case 3:
		return strings.ToUpper(hash)
	case 4:
		return one(v.world, []string{hash[:6], hash + "0", hash + "~1", hash[:39], strings.Repeat("0", 40)})
	}
	return hash
}

func (v *visitor) revision(h *home) string {
	if v.chance(50) {
		return v.hash(h)
	}
	return v.branchName(h)
}

func (v *visitor) place(h *home, in map[string]any) {
	switch v.IntN(5) {
	case 0, 1:
		in["branch"] = v.branchName(h)
	case 2, 3:
		in["commit"] = v.hash(h)
	}
}

// path is one of a file or folder that is somewhere in the repository's trees.
func (v *visitor) path(h *home) string {
	tree, err := v.world.upstream.Tree(h.workspace, h.slug, one(v.world, h.network.commits))
	require.NoError(v.t, err)
	if len(tree) == 0 || v.chance(10) {
		return one(v.world, []string{"docs", "docs/", "docs/../docs", "/docs", "nowhere.txt", "docs//deep", "a\nb", "."})
	}
	path := one(v.world, slices.Sorted(maps.Keys(tree)))
	if folder, _, ok := strings.Cut(path, "/"); ok && v.chance(30) {
		return folder
	}
	return path
}

// piece is a part of some name or title.
func (v *visitor) piece(h *home) string {
	return one(v.world, []string{h.slug[:5], h.texts[0], "Title", "mk000", fmt.Sprintf("mk%05dx", v.IntN(v.marks)), "author", "/", `"`, `%`})
}

func (v *visitor) some(words ...string) []string {
	return slices.DeleteFunc(words, func(string) bool { return v.chance(40) })
}

// call makes one call and follows its cursor to the end.
func (v *visitor) call() {
	tool := one(v.world, v.tools)
	if v.chance(15) {
		tool = one(v.world, []string{"compare", "get_pull_request"}) // what shows two ends
	}
	in := v.arguments(tool)
	for range 60 {
		answer := v.once(tool, in)
		next, more := answer["next_cursor"].(string)
		if !more {
			return
		}
		in = maps.Clone(in)
		in["cursor"] = next
	}
	assert.Fail(v.t, "a list without end", "%s %v", tool, in)
}

// once makes one call, and judges its answer and what it asked for.
func (v *visitor) once(tool string, in map[string]any) map[string]any {
	arguments, err := json.Marshal(in)
	require.NoError(v.t, err)
	v.world.upstream.ResetJournal()
	before := len(v.events)
	result := v.run(tool, string(arguments))
	require.Len(v.t, v.events, before+1, "a call leaves one event")
	what := fmt.Sprintf("%s %s\n%s", tool, arguments, result.Text)
	require.NotContains(v.t, string(result.Text), "token-of-", what)
	v.judgeRequests(in, what)
	var answer map[string]any
	require.NoError(v.t, json.Unmarshal(result.Text, &answer))
	if result.IsError() {
		require.NotEqual(v.t, tools.Internal, result.Error.Code, what)
	}
	v.judge(tool, in, answer, result, what)
	return answer
}

// judge fails the test where something in an answer is not allowed by a scope
// that the call could use. What the caller wrote itself may come back, and so
// may its own rules. One scope has to allow each row of a list alone, and all
// of an answer that is about one thing.
func (v *visitor) judge(tool string, in, answer map[string]any, result tools.Result, what string) {
	var usable []sight
	for _, s := range v.sights {
		if name, named := in["scope"]; !named || name == s.scope.Name {
			usable = append(usable, s)
		}
	}
	number, _ := in["id"].(int)
	if tool == "get_pipeline" {
		number = in["number"].(int)
	}
	given := v.given(in)
	var each []tokenSet
	union := tokenSet{}
	for _, s := range usable {
		about := subject{tool: "names"}
		if !result.IsError() {
			about = subject{tool, v.of(answer), number}
		}
		set := maps.Clone(s.allowed(about))
		set.add(given...)
		each = append(each, set)
		maps.Copy(union, set)
	}
	union.add(given...)
	require.Empty(v.t, union.lacks(v.tokensOf(string(result.Text))), "no scope allows this in the answer of %s", what)
	if result.IsError() {
		return
	}
	if aboutOne[tool] {
		v.oneAllows(each, answer, what)
	}
	for _, list := range answer {
		rows, _ := list.([]any)
		for _, row := range rows {
			v.oneAllows(each, row, what)
		}
	}
}

// aboutOne are the tools whose whole answer one scope has to allow.
var aboutOne = map[string]bool{
	"list_commits": true, "get_commit": true, "list_files": true, "get_file": true, "compare": true, "get_pull_request": true, "get_pipeline": true,
}

func (v *visitor) oneAllows(each []tokenSet, part any, what string) {
	text, err := json.Marshal(part)
	require.NoError(v.t, err)
	found := v.tokensOf(string(text))
	require.True(v.t, len(found) == 0 || slices.ContainsFunc(each, func(set tokenSet) bool { return len(set.lacks(found)) == 0 }),
		"no scope alone allows %s in the answer of %s", text, what)
}

// given are the tokens that the caller has anyway.
func (v *visitor) given(in map[string]any) []string {
	arguments, err := json.Marshal(in)
	require.NoError(v.t, err)
	return v.tokensOf(string(arguments), v.rules())
}

// of returns the repository that an answer is about.
func (v *visitor) of(answer map[string]any) *home {
	for _, h := range v.homes {
		if h.fullName() == answer["full_name"] {
			return h
		}
	}
	return nil
}

var repositoryPath = regexp.MustCompile(`\A/2\.0/repositories/([^/]+)(?:/([^/]+)(?:/refs/branches/([^/]+))?(?:/.*)?)?\z`)

// judgeRequests fails the test where a request names a repository or a branch
// that no scope of its own credential allows, or holds the caller's text where
// the scopes hide something.
func (v *visitor) judgeRequests(in map[string]any, what string) {
	for _, r := range v.world.upstream.Journal() {
		parts := repositoryPath.FindStringSubmatch(r.Path)
		require.NotNil(v.t, parts, r.Path)
		branch, err := url.PathUnescape(parts[3])
		require.NoError(v.t, err)
		allows := func(s sight) bool {
			return s.scope.Credential == r.Account && (parts[2] == "" && parts[1] == s.scope.Workspace ||
				s.allows(parts[1]+"/"+parts[2]) && (branch == "" || s.allowsBranch(branch)))
		}
		require.True(v.t, slices.ContainsFunc(v.sights, allows), "no scope of %s allows the request %s of %s", r.Account, r.Path, what)
		for _, key := range []string{"query", "author"} {
			text, _ := in[key].(string)
			hidesNothing := func(s sight) bool {
				return allows(s) && s.isOpen() && len(s.scope.Repositories)+len(s.scope.ExcludeRepositories) == 0
			}
			require.True(v.t, text == "" || !strings.Contains(r.Query.Get("q"), `"`+text+`"`) || slices.ContainsFunc(v.sights, hidesNothing),
				"the caller's text is in the request %s?%s of %s", r.Path, r.Query.Encode(), what)
		}
	}
}

// finds fails the test where what a scope plainly allows is not found.
func (v *visitor) finds(s sight) {
	for _, h := range s.visible() {
		heads := s.heads(h)
		about := func(more map[string]any) map[string]any {
			in := map[string]any{"repository": h.fullName(), "scope": s.scope.Name}
			maps.Copy(in, more)
			return in
		}
		v.hasAll(v.all("list_branches", "names", about(map[string]any{"detail": "names"})), slices.Sorted(maps.Keys(heads)), h)
		for name, head := range heads {
			reached, err := v.world.upstream.Reachable(h.workspace, h.slug, name)
			require.NoError(v.t, err)
			rows := v.all("list_commits", "commits", about(map[string]any{"branch": name, "detail": "full", "limit": 3}))
			v.hasAll(column(rows, "commit"), slices.Sorted(maps.Keys(reached)), h)
			v.found("get_commit", about(map[string]any{"commit": head}))
			tree, err := v.world.upstream.Tree(h.workspace, h.slug, head)
			require.NoError(v.t, err)
			for path, f := range tree {
				if slices.Contains(v.tools, "get_file") && f.Submodule == "" && !f.LFS {
					v.found("get_file", about(map[string]any{"branch": name, "path": path}))
					break
				}
			}
		}
		v.findsWork(s, h, about)
	}
}

// findsWork looks for pull requests and pipelines.
func (v *visitor) findsWork(s sight, h *home, about func(map[string]any) map[string]any) {
	listed := column(v.all("list_pull_requests", "pull_requests", about(map[string]any{"state": "all", "limit": 2})), "title")
	for _, p := range v.world.upstream.PullRequests(h.workspace, h.slug) {
		shown, whole := s.pull(p)
		require.Equal(v.t, shown, slices.Contains(listed, p.Title), "pull request %d of %s in the list", p.ID, h.fullName())
		if !shown {
			continue
		}
		answer := v.found("get_pull_request", about(map[string]any{"id": p.ID}))
		_, has := answer["source"]
		require.Equal(v.t, whole, has, "the source of pull request %d of %s", p.ID, h.fullName())
	}
	for _, p := range v.world.upstream.Pipelines(h.workspace, h.slug) {
		if s.runs(h, p) {
			v.found("get_pipeline", about(map[string]any{"number": p.Number}))
		}
	}
}

// findsTogether fails the test where a list that is asked for without a scope
// lacks what one of the scopes shows, or shows something twice.
func (v *visitor) findsTogether() {
	for _, h := range v.homes {
		sees := slices.DeleteFunc(slices.Clone(v.sights), func(s sight) bool { return !s.sees(h) })
		if len(sees) == 0 {
			continue
		}
		about := func() map[string]any { return map[string]any{"repository": h.fullName(), "limit": 1 + v.IntN(3)} }
		branches := map[string]bool{}
		for _, s := range sees {
			for name := range s.heads(h) {
				branches[name] = true
			}
		}
		v.hasAll(column(v.all("list_branches", "branches", about()), "name"), slices.Sorted(maps.Keys(branches)), h)

		var pulls []string
		for _, p := range v.world.upstream.PullRequests(h.workspace, h.slug) {
			if slices.ContainsFunc(sees, func(s sight) bool { shown, _ := s.pull(p); return shown }) {
				pulls = append(pulls, p.Title)
			}
		}
		in := about()
		in["state"] = "all"
		v.hasAll(column(v.all("list_pull_requests", "pull_requests", in), "title"), pulls, h)

		for _, s := range sees {
			if reached := slices.Sorted(maps.Keys(s.reached(h))); len(reached) > 0 {
				in := map[string]any{"repository": h.fullName(), "from": one(v.world, reached), "to": one(v.world, reached), "scope": s.scope.Name}
				if answer := v.once("compare", in); answer["error"] == nil { // two histories may have nothing in common
					delete(in, "scope")
					v.found("compare", in)
				}
			}
		}

		listed := number(v.all("list_pipelines", "pipelines", about()).([]any), "number")
		require.Len(v.t, listed, len(slices.Compact(slices.Sorted(slices.Values(listed)))), "pipelines of %s, each once", h.fullName())
		for _, p := range v.world.upstream.Pipelines(h.workspace, h.slug) {
			if p.Target.PullRequest > 0 || p.Target.RefName != "" && p.Target.RefType == "branch" {
				runs := slices.ContainsFunc(sees, func(s sight) bool { return s.runs(h, p) })
				require.Equal(v.t, runs, slices.Contains(listed, p.Number), "pipeline %d of %s in the list", p.Number, h.fullName())
			}
		}
	}
}

// found is the answer of a call that has to succeed.
func (v *visitor) found(tool string, in map[string]any) map[string]any {
	answer := v.once(tool, in)
	require.NotContains(v.t, answer, "error", "%s %v", tool, in)
	return answer
}

// all are the rows of a list, read to its end.
func (v *visitor) all(tool, rows string, in map[string]any) any {
	found := []any{}
	for {
		answer := v.found(tool, in)
		found = append(found, answer[rows].([]any)...)
		next, more := answer["next_cursor"].(string)
		if !more {
			return found
		}
		in["cursor"] = next
	}
}

func (v *visitor) hasAll(rows any, want []string, h *home) {
	var have []string
	switch list := rows.(type) {
	case []any:
		have = texts(list)
	case []string:
		have = list
	}
	require.ElementsMatch(v.t, want, have, h.fullName())
}
