package agent_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
	"bucketgate/tools"
)

func text(content string) sample.File { return sample.File{Content: []byte(content)} }

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:9f2d1c7b3a5e4f6081726354a9b8c7d6e5f40312233445566778899aabbccdde\nsize 73400320\n"

// A shelf is a repository acme/api with files of each kind on main, one more on
// feature/x, and one that only secret/y has.
type shelf struct {
	*bitbuckettest.Server
	main, feature, secret string
}

func newShelf(t *testing.T) shelf {
	t.Helper()
	up := bitbuckettest.New(t)
	up.Repository("acme/api", "main")
	s := shelf{Server: up}
	s.main = up.MustChange("acme/api", "main", "Begin\n", map[string]sample.File{
		"README.md":            text("# Hello\n\nWorld <&>\n"),
		"docs/guide.md":        text("one\ntwo\nthree"),
		"docs/deep/er/x.txt":   text("x\n"),
		"long.txt":             text(numbered(1000)),
		"empty":                text(""),
		"logo.png":             {Content: []byte("\x89PNG\r\n\x1a\n\x00\x00")},
		"latest":               {Content: []byte("docs/guide.md"), Symlink: true},
		"up":                   {Content: []byte("../../api-secret/README.md"), Symlink: true},
		"vendor/shared":        {Submodule: strings.Repeat("5f", 20)},
		"model.bin":            {Content: []byte(pointer), LFS: true},
		"VERSION":              text("1.2.3"),
		"odd/a b#c?d&e+%41.md": text("odd\n"),
		"listing.json":         text(`{"values": [], "pagelen": 10}`),
		"windows.ini":          text("a=1\r\nb=2\r\n"),
	})
	up.MustBranch("acme/api", "feature/x", s.main)
	s.feature = up.MustChange("acme/api", "feature/x", "Feature\n", map[string]sample.File{"feature.txt": text("feature\n")})
	up.MustBranch("acme/api", "secret/y", s.main)
	s.secret = up.MustChange("acme/api", "secret/y", "Secret\n", map[string]sample.File{"secret.txt": text("CANARY\n"), "README.md": text("CANARY\n")})
	return s
}

func numbered(lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "line %d of a file that is read in parts\n", i+1)
	}
	return b.String()
}

func arguments(pairs ...any) string {
	object := map[string]any{"repository": "api"}
	for i := 0; i < len(pairs); i += 2 {
		object[pairs[i].(string)] = pairs[i+1]
	}
	encoded, _ := json.Marshal(object) // strings and numbers
	return string(encoded)
}

// Reading a file of an allowed branch costs three requests, another path two,
// the same again one: what was asked stays, and the repository is judged anew.
func TestWhatReadingAFileCosts(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{Repositories: []string{"api"}, Branches: []string{"main", "feature/.*"}})
	repository := "GET /2.0/repositories/acme/api"
	costs := func(what string, requests ...string) {
		t.Helper()
		assert.Equal(t, requests, s.Requests(), what)
		s.ResetJournal()
	}
	answer := d.answer("get_file", arguments("path", "README.md", "branch", "main"))
	assert.Equal(t, "# Hello\n\nWorld <&>", answer["content"])
	costs("first", repository, repository+"/refs/branches/main", repository+"/src/"+s.main+"/README.md")
	d.answer("get_file", arguments("path", "docs/guide.md"))
	costs("another path, by the default branch", repository, repository+"/src/"+s.main+"/docs/guide.md")
	d.answer("get_file", arguments("path", "README.md", "branch", "main"))
	costs("repeated", repository)
	d.answer("get_file", arguments("path", "README.md", "start_line", 2))
	costs("another part", repository)
	d.answer("get_file", arguments("path", "README.md", "commit", s.main))
	costs("by its hash", repository)
	d.answer("get_file", arguments("path", "latest"))
	costs("what may be a link", repository, repository+"/src/"+s.main+"/latest", repository+"/src/"+s.main+"/latest")
	d.answer("get_file", arguments("path", "latest"))
	costs("a link again", repository)
}

func TestWhatReadingAFileCostsWithoutBranchPatterns(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{})
	d.answer("get_file", arguments("path", "secret.txt", "commit", s.secret))
	assert.Equal(t, []string{"GET /2.0/repositories/acme/api", "GET /2.0/repositories/acme/api/src/" + s.secret + "/secret.txt"}, s.Requests())
	s.ResetJournal()
	d.answer("list_files", arguments("commit", s.main))
	assert.Equal(t, []string{"GET /2.0/repositories/acme/api", "GET /2.0/repositories/acme/api/src/" + s.main + "/"}, s.Requests())
	s.ResetJournal()
	d.answer("list_files", arguments("branch", "feature/x", "path", "docs"))
	assert.Equal(t, []string{
		"GET /2.0/repositories/acme/api", "GET /2.0/repositories/acme/api/refs/branches/feature%2Fx", "GET /2.0/repositories/acme/api/src/" + s.feature + "/docs/",
	}, s.Requests())
}

// What one scope was told is not remembered for another, nor is it for one
// whose repository Bitbucket does not show any more.
func TestContentIsRememberedForOneScope(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{Name: "one"})
	d.answer("get_file", arguments("path", "README.md"))
	d.grantScopes(policy.Definition{Name: "two", Branches: []string{"main"}})
	s.ResetJournal()
	d.answer("get_file", arguments("path", "README.md"))
	assert.Len(t, s.Requests(), 3)
	s.Fail(sample.Status(404, "no").On("/repositories/acme/api"))
	assert.Equal(t, tools.NotFound, d.refused("get_file", arguments("path", "README.md")).Code)
}

func TestGetFileTellsWhatItIs(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{Branches: []string{"main"}})
	for path, want := range map[string]map[string]any{
		"README.md":     {"type": "file", "size": 19.0, "total_lines": 3.0, "content": "# Hello\n\nWorld <&>"},
		"docs/":         nil,
		"empty":         {"type": "file", "size": 0.0},
		"logo.png":      {"type": "binary", "size": 10.0, "media_type": "image/png"},
		"latest":        {"type": "symlink", "size": 13.0, "target": "docs/guide.md"},
		"up":            {"type": "symlink", "size": 26.0, "target": "../../api-secret/README.md"},
		"vendor/shared": {"type": "submodule", "size": 40.0, "target": strings.Repeat("5f", 20)},
		"model.bin":     {"type": "lfs", "size": float64(len(pointer))},
		"VERSION":       {"type": "file", "size": 5.0, "total_lines": 1.0, "content": "1.2.3"},
		"listing.json":  {"type": "file", "size": 29.0, "total_lines": 1.0, "content": `{"values": [], "pagelen": 10}`},
		"windows.ini":   {"type": "file", "size": 10.0, "total_lines": 2.0, "content": "a=1\nb=2", "notice": "Of the text: lines end in CRLF."},
		"odd/a b#c?d&e+%41.md": {"type": "file", "size": 4.0, "total_lines": 1.0, "content": "odd",
			"url": "https://bitbucket.org/acme/api/src/" + s.main + "/odd/a%20b%23c%3Fd&e+%2541.md"},
	} {
		if want == nil {
			continue
		}
		t.Run(path, func(t *testing.T) {
			answer := d.answer("get_file", arguments("path", path))
			for _, key := range []string{"type", "size", "total_lines", "content", "media_type", "target", "notice", "next_start_line"} {
				assert.Equal(t, want[key], answer[key], key)
			}
			assert.Equal(t, path, answer["path"])
			assert.Equal(t, "main", answer["branch"])
			assert.Equal(t, s.main[:12], answer["commit"])
			assert.Equal(t, "acme/api", answer["full_name"])
			assert.Equal(t, []string{"team"}, texts(answer["scopes"]))
			if url, ok := want["url"]; ok {
				assert.Equal(t, url, answer["url"])
			}
		})
	}
	for _, r := range s.Requests() {
		assert.NotContains(t, r, "api-secret", "no link is followed")
		assert.NotContains(t, r, "media", "nor one to another service")
	}
}

func TestGetFileSummaries(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{Branches: []string{"main"}})
	short := s.main[:12]
	for path, summary := range map[string]string{
		"README.md":     "Lines 1-3 of 3 of README.md in acme/api at main (" + short + "), within scope team.",
		"empty":         "empty in acme/api at main (" + short + "), within scope team, is empty.",
		"logo.png":      "logo.png in acme/api at main (" + short + "), within scope team, is no text but image/png of 10 bytes, which is not shown.",
		"latest":        "latest in acme/api at main (" + short + "), within scope team, is a symlink; target is the path that it holds, which was not followed.",
		"vendor/shared": "vendor/shared in acme/api at main (" + short + "), within scope team, is a submodule; target is the commit of the other repository, which was not followed.",
		"model.bin":     "model.bin in acme/api at main (" + short + "), within scope team, is kept in Git LFS; its content is elsewhere and was not fetched.",
	} {
		assert.Equal(t, summary, d.answer("get_file", arguments("path", path))["summary"])
	}
	assert.Equal(t, "Lines 1-3 of 3 of README.md in acme/api at commit "+short+", within scope team.", d.answer("get_file", arguments("path", "README.md", "commit", short))["summary"])
}

// A file is read in parts, each cut at a whole line; put together they are the
// file.
func TestGetFileGoesOn(t *testing.T) {
	s := newShelf(t)
	long := strings.Repeat("<&>\"\\ü\t", 200)
	s.MustChange("acme/api", "main", "Long lines\n", map[string]sample.File{"wide.txt": text(strings.Repeat(long+"\n", 300))})
	d := newDesk(t, s.Server, policy.Definition{Branches: []string{"main"}})
	for _, test := range []struct {
		path  string
		lines int
		parts int
	}{{"long.txt", 0, 8}, {"long.txt", 2000, 2}, {"long.txt", 333, 4}, {"wide.txt", 0, 0}, {"wide.txt", 2000, 0}} {
		var whole []string
		parts, next := 0, 1.0
		for next > 0 {
			pairs := []any{"path", test.path, "start_line", next}
			if test.lines > 0 {
				pairs = append(pairs, "lines", test.lines)
			}
			result := d.run("get_file", arguments(pairs...))
			require.Nil(t, result.Error)
			require.Less(t, len(result.Text), tools.MaxAnswer)
			var answer map[string]any
			require.NoError(t, json.Unmarshal(result.Text, &answer))
			assert.Contains(t, answer["summary"], fmt.Sprintf("Lines %.0f-", next))
			whole = append(whole, answer["content"].(string))
			next, _ = answer["next_start_line"].(float64)
			parts++
		}
		tree, err := s.Tree("acme", "api", s.MustHead("acme/api", "main"))
		require.NoError(t, err)
		assert.Equal(t, string(tree[test.path].Content), strings.Join(whole, "\n")+"\n", test.path)
		if test.parts > 0 {
			assert.Equal(t, test.parts, parts, "%s by %d", test.path, test.lines)
		}
	}
}

func TestGetFileBadInput(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{Branches: []string{"main"}})
	for name, test := range map[string]struct {
		arguments     string
		code          tools.Code
		message, hint string
	}{
		"no path":            {`{"repository":"api"}`, tools.InvalidArgument, `"path" is missing.`, "It takes: repository, path, scope"},
		"empty path":         {arguments("path", ""), tools.InvalidArgument, "The repository's root is a folder.", "Call list_files"},
		"dot segments":       {arguments("path", "../api-secret/README.md"), tools.InvalidArgument, "The path name cannot be used: it has a dot segment.", "from the repository's root"},
		"escaped dots":       {arguments("path", "%2e%2e/x"), tools.InvalidArgument, "it has a dot segment", ""},
		"absolute":           {arguments("path", "/etc/passwd"), tools.InvalidArgument, "it begins with '/': paths are relative to the repository's root.", ""},
		"newline":            {arguments("path", "a\nb"), tools.InvalidArgument, "it holds a control character", ""},
		"zero byte":          {arguments("path", "a\x00b"), tools.InvalidArgument, "it holds a control character", ""},
		"invisible":          {arguments("path", "a\u202eb"), tools.InvalidArgument, "it holds an invisible character", ""},
		"a folder":           {arguments("path", "docs"), tools.InvalidArgument, `"docs" is a folder.`, "Call list_files for what it holds."},
		"a folder, slash":    {arguments("path", "docs/"), tools.InvalidArgument, `"docs/" is a folder.`, "Call list_files"},
		"the root":           {arguments("path", "/"), tools.InvalidArgument, "it is empty", ""},
		"missing":            {arguments("path", "none.txt"), tools.NotFound, `There is no file "none.txt" within your scope.`, ""},
		"below a file":       {arguments("path", "README.md/x"), tools.NotFound, `There is no file "README.md/x" within your scope.`, ""},
		"both":               {arguments("path", "x", "branch", "main", "commit", s.main), tools.InvalidArgument, "Both branch and commit are given.", ""},
		"start_line 0":       {arguments("path", "x", "start_line", 0), tools.InvalidArgument, `"start_line" must be a whole number from 1`, ""},
		"start_line -1":      {arguments("path", "x", "start_line", -1), tools.InvalidArgument, `"start_line" must be a whole number`, ""},
		"behind the end":     {arguments("path", "docs/guide.md", "start_line", 4), tools.InvalidArgument, "The file has 3 lines; start_line lies behind its end.", "Ask for a line of the file."},
		"lines 0":            {arguments("path", "x", "lines", 0), tools.InvalidArgument, `"lines" must be a whole number from 1 to 2000`, ""},
		"lines 10^30":        {`{"repository":"api","path":"x","lines":1e30}`, tools.InvalidArgument, `"lines" must be a whole number`, ""},
		"five digits":        {arguments("path", "x", "commit", s.main[:5]), tools.InvalidArgument, "a hash has at least 7 hex digits", "7 to 40 digits"},
		"forty-one digits":   {arguments("path", "x", "commit", s.main+"0"), tools.InvalidArgument, "a hash has at most 40 hex digits", ""},
		"a branch as commit": {arguments("path", "x", "commit", "main"), tools.InvalidArgument, "a hash has", ""},
		"rev syntax":         {arguments("path", "x", "branch", "main~1"), tools.InvalidArgument, "The branch name cannot be used", ""},
	} {
		t.Run(name, func(t *testing.T) {
			refused := d.refused("get_file", test.arguments)
			assert.Equal(t, test.code, refused.Code)
			assert.Contains(t, refused.Message, test.message)
			assert.Contains(t, refused.Hint, test.hint)
		})
	}
	for _, path := range []string{"../api-secret/README.md", "%2e%2e/x", "a\nb"} {
		s.ResetJournal()
		d.refused("get_file", arguments("path", path))
		for _, r := range s.Requests() {
			assert.NotContains(t, r, "/src/")
		}
	}
}

// What no allowed branch reaches reads like what is not there.
func TestFilesOutOfScope(t *testing.T) {
	s := newShelf(t)
	s.Repository("acme/api-secret", "main")
	d := newDesk(t, s.Server, policy.Definition{Repositories: []string{"api"}, Branches: []string{"main", "feature/.*"}})
	missing := strings.Repeat("0", 40)
	for _, tool := range []string{"get_file", "list_files"} {
		pairs := []any{}
		if tool == "get_file" {
			pairs = append(pairs, "path", "README.md")
		}
		with := func(more ...any) string { return arguments(append(append([]any{}, pairs...), more...)...) }
		words := func(arguments string, name string) string {
			refused := d.refused(tool, arguments)
			assert.Equal(t, tools.NotFound, refused.Code)
			return strings.ReplaceAll(refused.Message+refused.Hint, name, "NAME")
		}
		assert.Equal(t, words(with("branch", "feature/none"), "feature/none"), words(with("branch", "secret/y"), "secret/y"))
		assert.Equal(t, words(with("commit", missing), missing), words(with("commit", s.secret), s.secret))
		assert.Equal(t, words(with("commit", missing[:9]), missing[:9]), words(with("commit", s.secret[:9]), s.secret[:9]))
		assert.Equal(t, words(with("repository", "api-none"), "api-none"), words(with("repository", "api-secret"), "api-secret"))

		s.ResetJournal()
		d.refused(tool, with("repository", "api-secret"))
		s.AssertNothingSent(t)
		d.refused(tool, with("branch", "secret/y"))
		s.AssertNoneNamed(t, "secret")
		for _, event := range d.events[len(d.events)-2:] {
			assert.Equal(t, "denied", string(event.Decision))
		}
	}
	for _, r := range s.Requests() {
		assert.NotContains(t, r, s.secret+"/")
	}
	assert.Equal(t, "feature", d.answer("get_file", arguments("path", "feature.txt", "commit", s.feature[:9]))["content"])
}

func TestTheAuditLogNamesTheFile(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{})
	d.answer("get_file", arguments("path", "docs/guide.md"))
	assert.Equal(t, "acme/api@"+s.main+":docs/guide.md", d.events[0].Target)
	d.answer("list_files", arguments("path", "docs"))
	assert.Equal(t, "acme/api@"+s.main+":docs", d.events[1].Target)
}

func TestWhatBitbucketRefuses(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{Branches: []string{"main"}})
	src := "/repositories/acme/api/src/"
	for name, test := range map[string]struct {
		fault   sample.Fault
		tool    string
		code    tools.Code
		message string
	}{
		"out of time":      {sample.TimedOut().On(src), "list_files", tools.UpstreamUnavailable, "Bitbucket gave no usable answer: it ran out of time over the answer (555); ask for less at once."},
		"file out of time": {sample.TimedOut().On(src), "get_file", tools.UpstreamUnavailable, "it ran out of time"},
		"hidden":           {sample.Status(403, "no").On(src), "get_file", tools.NotFound, "There is no file"},
		"renamed":          {sample.RedirectTo(301, "/2.0/repositories/acme/api-secret/src/x").On(src), "get_file", tools.NotFound, "There is no file"},
		"renamed, folder":  {sample.RedirectTo(301, "/2.0/repositories/acme/api-secret/src/x/").On(src), "list_files", tools.NotFound, "There is no folder"},
		"a page":           {sample.HTML(200, "<html>").On(src), "list_files", tools.UpstreamUnavailable, "it answered something that is no"},
	} {
		t.Run(name, func(t *testing.T) {
			s.Fail(test.fault)
			defer s.ClearFaults()
			path := "docs"
			if test.tool == "get_file" {
				path = "README.md"
			}
			refused := d.refused(test.tool, arguments("path", path))
			assert.Equal(t, test.code, refused.Code)
			assert.Contains(t, refused.Message, test.message)
			s.AssertNoneNamed(t, "api-secret")
		})
	}
}

func TestAFileThatIsTooLarge(t *testing.T) {
	s := newShelf(t)
	size := 8<<20 + 1
	s.MustChange("acme/api", "main", "Big\n", map[string]sample.File{"big.txt": text(strings.Repeat("0123456789abcde\n", size/16) + "x")})
	d := newDesk(t, s.Server, policy.Definition{})
	refused := d.refused("get_file", arguments("path", "big.txt"))
	assert.Equal(t, tools.ResultTooLarge, refused.Code)
	assert.Equal(t, fmt.Sprintf("The file has %d bytes; at most 8 MiB of one are read.", size), refused.Message)
}

func TestListFiles(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{Branches: []string{"main"}})
	answer := d.answer("list_files", arguments())
	assert.Equal(t, "13 entries in the root of acme/api at main ("+s.main[:12]+") within scope team.", answer["summary"])
	assert.Equal(t, "https://bitbucket.org/acme/api/src/"+s.main+"/", answer["url"])
	kinds := map[string]string{}
	for i, path := range column(answer["files"], "path") {
		kinds[path] = column(answer["files"], "type")[i]
	}
	assert.Equal(t, map[string]string{
		"README.md": "file", "VERSION": "file", "docs": "folder", "empty": "file", "latest": "symlink", "listing.json": "file", "logo.png": "file",
		"long.txt": "file", "model.bin": "lfs", "odd": "folder", "up": "symlink", "vendor": "folder", "windows.ini": "file",
	}, kinds)
	assert.NotContains(t, answer, "next_cursor")
	assert.Equal(t, []string{"docs/deep", "docs/guide.md"}, column(d.answer("list_files", arguments("path", "docs"))["files"], "path"))
	assert.Equal(t, []string{"docs/deep", "docs/guide.md"}, column(d.answer("list_files", arguments("path", "docs/"))["files"], "path"))
	assert.Equal(t, []string{"docs/deep", "docs/deep/er", "docs/deep/er/x.txt", "docs/guide.md"}, column(d.answer("list_files", arguments("path", "docs", "depth", 3))["files"], "path"))
	assert.Equal(t, []string{"docs/deep", "docs/deep/er", "docs/guide.md"}, column(d.answer("list_files", arguments("path", "docs", "depth", 2))["files"], "path"))
}

func TestListFilesBadInput(t *testing.T) {
	s := newShelf(t)
	d := newDesk(t, s.Server, policy.Definition{Branches: []string{"main"}})
	for path, words := range map[string][2]string{
		"README.md":     {`"README.md" is a file.`, "Call get_file to read it."},
		"README.md/":    {`"README.md/" is a file.`, "Call get_file to read it."},
		"logo.png":      {`"logo.png" is a file.`, ""},
		"latest":        {`"latest" is a symlink.`, ""},
		"vendor/shared": {`"vendor/shared" is a submodule.`, ""},
		"model.bin":     {`"model.bin" is a file in Git LFS.`, ""},
		"docs/../x":     {"it has a dot segment", ""},
	} {
		refused := d.refused("list_files", arguments("path", path))
		assert.Equal(t, tools.InvalidArgument, refused.Code, path)
		assert.Contains(t, refused.Message, words[0])
		assert.Contains(t, refused.Hint, words[1])
	}
	refused := d.refused("list_files", arguments("path", "none"))
	assert.Equal(t, tools.NotFound, refused.Code)
	assert.Equal(t, `There is no folder "none" within your scope.`, refused.Message)
	for _, pairs := range [][]any{{"depth", 0}, {"depth", 11}, {"limit", 0}, {"limit", 501}, {"cursor", "abc"}} {
		assert.Equal(t, tools.InvalidArgument, d.refused("list_files", arguments(pairs...)).Code, pairs)
	}
}

// folder fills a folder of main with files.
func (s shelf) folder(name string, files int) {
	changes := map[string]sample.File{}
	for i := range files {
		changes[fmt.Sprintf("%s/file-%04d.txt", name, i)] = text("x\n")
	}
	s.MustChange("acme/api", "main", "Fill "+name+"\n", changes)
}

// A folder's pages have words for numbers. A list that is read by them has every
// row once, and its cursors stay short.
func TestListFilesGoesOn(t *testing.T) {
	s := newShelf(t)
	s.folder("many & more", 730)
	d := newDesk(t, s.Server, policy.Definition{Branches: []string{"main"}})
	for limit, calls := range map[int]int{0: 15, 7: 105, 100: 8, 250: 3, 500: 2} {
		pairs := []any{"path", "many & more"}
		if limit > 0 {
			pairs = append(pairs, "limit", limit)
		}
		rows, pages := every(d, "list_files", arguments(pairs...), "files")
		require.Len(t, rows, 730, "limit %d", limit)
		assert.Equal(t, calls, pages, "limit %d", limit)
		for i, path := range column(rows, "path") {
			require.Equal(t, fmt.Sprintf("many & more/file-%04d.txt", i), path)
		}
	}
	answer := d.answer("list_files", arguments("path", "many & more"))
	assert.Equal(t, tools.MoreNotice, answer["notice"])
	assert.Less(t, len(answer["next_cursor"].(string)), 120)
}

// The branch moves while its files are listed: the list goes on at the commit
// it began at, which is judged again.
func TestListFilesStaysAtItsCommit(t *testing.T) {
	s := newShelf(t)
	s.folder("many", 120)
	begun := s.MustHead("acme/api", "main")
	scope := policy.Definition{Branches: []string{"main"}}
	list := arguments("path", "many", "limit", 100)
	first := newDesk(t, s.Server, scope)
	cursor := first.answer("list_files", list)["next_cursor"].(string)
	next := arguments("path", "many", "limit", 100, "cursor", cursor)

	s.MustChange("acme/api", "main", "Away\n", map[string]sample.File{"many/file-0000.txt": {Deleted: true}})
	later := newDesk(t, s.Server, scope) // a replica that remembers nothing
	answer := later.answer("list_files", next)
	assert.Len(t, answer["files"], 20)
	assert.Equal(t, begun[:12], answer["commit"])

	s.MustBranch("acme/api", "main", s.main) // forced back: nothing reaches it any more
	refused := newDesk(t, s.Server, scope).refused("list_files", next)
	assert.Equal(t, tools.InvalidArgument, refused.Code)
	assert.Contains(t, refused.Message, "The branch has moved since the cursor was made")
}

// What a file is called is somebody else's text: a name that hides what it is
// is left out, and so are rows of another commit or another folder.
func TestHostileFileNames(t *testing.T) {
	s := newShelf(t)
	s.MustChange("acme/api", "main", "Odd\n", map[string]sample.File{
		"h/plain.txt": text("x"), "h/a\u202eb": text("x"), "h/new\nline": text("x"), "h/%2e%2e": text("x"), `h/..\up`: text("x"), "h/\u200b": text("x"),
	})
	d := newDesk(t, s.Server, policy.Definition{})
	answer := d.answer("list_files", arguments("path", "h"))
	assert.Equal(t, []string{"h/plain.txt"}, column(answer["files"], "path"))
	assert.Contains(t, answer["summary"], "1 entry in h")
	s.MustChange("acme/api", "main", "Odd\n", map[string]sample.File{"a\u202eb": text("x"), "new\nline": text("x"), `..\up`: text("x")})
	assert.Len(t, newDesk(t, s.Server, policy.Definition{}).answer("list_files", arguments())["files"], 14, "and in the root")
}

func TestRowsOfAnotherFolderAreLeftOut(t *testing.T) {
	s := newShelf(t)
	rows := []map[string]any{
		{"path": "docs/x", "type": "commit_file", "commit": map[string]any{"hash": s.main}},
		{"path": "docs/y", "type": "commit_file", "commit": map[string]any{"hash": s.secret}},
		{"path": "docs/z", "type": "commit_file"},
		{"path": "docs/t", "type": "commit_something", "commit": map[string]any{"hash": s.main}},
		{"path": "docs", "type": "commit_directory", "commit": map[string]any{"hash": s.main}},
		{"path": "other/x", "type": "commit_file", "commit": map[string]any{"hash": s.main}},
		{"path": "docs-other/x", "type": "commit_file", "commit": map[string]any{"hash": s.main}},
		{"path": "docs/../x", "type": "commit_file", "commit": map[string]any{"hash": s.main}},
		{"path": "docs/deep/x", "type": "commit_file", "commit": map[string]any{"hash": s.main}},
	}
	s.Fail(sample.Edited(func(body map[string]any) { body["values"] = rows }).On("/repositories/acme/api/src/" + s.main + "/docs/"))
	d := newDesk(t, s.Server, policy.Definition{Branches: []string{"main"}})
	assert.Equal(t, []string{"docs/x"}, column(d.answer("list_files", arguments("path", "docs"))["files"], "path"))
}

func TestTypicalAnswersAreShort(t *testing.T) {
	s := newShelf(t)
	s.folder("many", 300)
	d := newDesk(t, s.Server, policy.Definition{})
	assert.Less(t, len(d.run("list_files", arguments("path", "many")).Text), 4500)
	assert.Less(t, len(d.run("get_file", arguments("path", "long.txt")).Text), 7<<10)
}

// Paths as long as they may be leave room for the rest.
func TestLongPaths(t *testing.T) {
	s := newShelf(t)
	name := strings.TrimSuffix(strings.Repeat(strings.Repeat("<ü\"", 50)+"/", 20), "/")
	require.Less(t, len(name), 4096)
	s.MustChange("acme/api", "main", "Long\n", map[string]sample.File{name: text(numbered(500))})
	d := newDesk(t, s.Server, policy.Definition{})
	assert.NotEmpty(t, d.answer("get_file", arguments("path", name, "lines", 2000))["content"])
	folder := name[:strings.LastIndex(name, "/")]
	assert.Len(t, d.answer("list_files", arguments("path", folder))["files"], 1)
}

// After a rename Bitbucket answers with another repository: one that the scope
// does not allow is not there, and nothing of it is asked.
func TestFilesOfARenamedRepository(t *testing.T) {
	s := newShelf(t)
	s.Fail(sample.Edited(func(body map[string]any) { body["full_name"] = "acme/api-secret" }).On("/repositories/acme/api"))
	d := newDesk(t, s.Server, policy.Definition{Repositories: []string{"api"}})
	for tool, in := range map[string]string{"get_file": arguments("path", "README.md"), "list_files": arguments()} {
		refused := d.refused(tool, in)
		assert.Equal(t, tools.NotFound, refused.Code)
		assert.Equal(t, `There is no repository "api" within your scope.`, refused.Message)
	}
	assert.Equal(t, []string{"GET /2.0/repositories/acme/api", "GET /2.0/repositories/acme/api"}, s.Requests())
}
