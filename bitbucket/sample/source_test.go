package sample

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// every is a tree with a file of each kind.
var every = map[string]File{
	"README.md":             plain("# Hello\n"),
	"a/b/c/deep.txt":        plain("deep\n"),
	"a/b/x.py":              plain("print()\n"),
	"a/sh":                  {Content: []byte("#!/bin/sh\n"), Executable: true},
	"a-b":                   plain(""),
	"link":                  {Content: []byte("a/b/x.py"), Symlink: true},
	"module":                {Submodule: strings.Repeat("a", 40)},
	"bin.png":               {Content: []byte("x\x00y")},
	"big.mp4":               {Content: []byte(lfsPointer), LFS: true},
	"odd/sp ace#1%?.json":   plain("{}"),
	"odd/Übung \"x\"\n.txt": plain("ü"),
}

func TestDirectories(t *testing.T) {
	l := newLibrary(t, Options{})
	hash := l.put(every)
	c := serve(t, l.Server)
	tests := []struct {
		path, depth string
		want        []string
	}{
		{"/", "", []string{"a", "odd", "README.md", "a-b", "big.mp4", "bin.png", "link", "module"}},
		{"/a", "", []string{"a/b", "a/sh"}},
		{"/a/", "", []string{"a/b", "a/sh"}},
		{"/a", "2", []string{"a/b", "a/sh", "a/b/c", "a/b/x.py"}},
		{"/", "99", []string{
			"a", "odd", "README.md", "a-b", "big.mp4", "bin.png", "link", "module",
			"a/b", "a/sh", "odd/sp ace#1%?.json", "odd/Übung \"x\"\n.txt",
			"a/b/c", "a/b/x.py", "a/b/c/deep.txt",
		}},
	}
	for _, test := range tests {
		query := []string{"pagelen", "100"}
		if test.depth != "" {
			query = append(query, "max_depth", test.depth)
		}
		answer := c.get(api+"/src/"+hash+test.path, query...)
		assert.Equal(t, http.StatusOK, answer.status, test.path)
		assert.Equal(t, test.want, answer.column("path"))
	}
	for _, depth := range []string{"0", "-1", "x"} {
		assert.Equal(t, http.StatusBadRequest, c.get(api+"/src/"+hash+"/", "max_depth", depth).status)
	}
	assert.Equal(t, []string{"a", "odd"}, c.get(api+"/src/"+hash+"/", "q", `type = "commit_directory"`).column("path"))
	assert.Equal(t, "odd", c.get(api+"/src/"+hash+"/", "sort", "-path").column("path")[0])
	assert.Equal(t, http.StatusNotFound, c.get(api+"/src/"+hash).status, "the root wants its slash")
}

func TestDepthLimit(t *testing.T) {
	l := newLibrary(t, Options{DepthLimit: 3})
	hash := l.put(every)
	c := serve(t, l.Server)
	assert.Equal(t, http.StatusOK, c.get(api+"/src/"+hash+"/", "max_depth", "3").status)
	assert.Equal(t, 555, c.get(api+"/src/"+hash+"/", "max_depth", "4").status)
}

func TestDirectoryPages(t *testing.T) {
	l := newLibrary(t, Options{})
	hash := l.put(every)
	c := serve(t, l.Server)
	assert.Equal(t, "Invalid page", c.get(api+"/src/"+hash+"/", "page", "2", "pagelen", "3").message())
	answer := c.get(api+"/src/"+hash+"/", "pagelen", "3")
	paths := answer.column("path")
	for answer.body["next"] != nil {
		assert.Regexp(t, `[?&]page=[a-z0-9]+(&|$)`, answer.body["next"])
		assert.Equal(t, []string{"next", "pagelen", "values"}, keys(answer.body))
		answer = c.follow(answer.body["next"].(string))
		paths = append(paths, answer.column("path")...)
	}
	assert.Equal(t, []string{"a", "odd", "README.md", "a-b", "big.mp4", "bin.png", "link", "module"}, paths)
}

func TestEntries(t *testing.T) {
	l := newLibrary(t, Options{})
	hash := l.put(every)
	c := serve(t, l.Server)
	tests := []struct {
		path       string
		attributes []any
		size       float64
		mimetype   any
	}{
		{"README.md", []any{}, 8, nil},
		{"a/b/x.py", []any{}, 8, "text/x-python"},
		{"a/sh", []any{"executable"}, 10, nil},
		{"link", []any{"link"}, 8, nil},
		{"module", []any{"subrepository"}, 40, nil},
		{"bin.png", []any{"binary"}, 3, "image/png"},
		{"big.mp4", []any{"lfs"}, float64(len(lfsPointer)), nil},
	}
	for _, test := range tests {
		entry := c.get(api+"/src/"+hash+"/"+test.path, "format", "meta").body
		assert.Equal(t, []string{
			"attributes", "commit", "escaped_path", "links", "mimetype", "path", "size", "type",
		}, keys(entry))
		assert.Equal(t, "commit_file", entry["type"])
		assert.Equal(t, test.path, entry["path"])
		assert.Equal(t, test.attributes, entry["attributes"], test.path)
		assert.Equal(t, test.size, entry["size"], test.path)
		assert.Equal(t, test.mimetype, entry["mimetype"], test.path)
		assert.Equal(t, hash, entry["commit"].(map[string]any)["hash"])
	}
	directory := c.get(api+"/src/"+hash+"/a/b/", "format", "meta").body
	assert.Equal(t, []string{"commit", "links", "path", "type"}, keys(directory))
	assert.Equal(t, "commit_directory", directory["type"])
	assert.Equal(t, "a/b", directory["path"])
	assert.Equal(t, c.base+api+"/src/"+hash+"/a/b/", directory["links"].(map[string]any)["self"].(map[string]any)["href"])
	assert.Equal(t, "", c.get(api+"/src/"+hash+"/", "format", "meta").body["path"])
}

func TestRawFiles(t *testing.T) {
	l := newLibrary(t, Options{})
	hash := l.put(every)
	l.branch("main", hash)
	c := serve(t, l.Server)
	tests := []struct{ path, text, contentType, disposition string }{
		{"README.md", "# Hello\n", "application/octet-stream", `attachment; filename=README.md`},
		{"a/b/x.py", "print()\n", "text/x-python", `attachment; filename=x.py`},
		{"a-b", "", "application/octet-stream", `attachment; filename=a-b`},
		{"link", "a/b/x.py", "application/octet-stream", `attachment; filename=link`},
		{"module", strings.Repeat("a", 40), "application/octet-stream", `attachment; filename=module`},
		{"bin.png", "x\x00y", "image/png", `attachment; filename=bin.png`},
		{"odd/sp%20ace%231%25%3F.json", "{}", "application/json", `attachment; filename="sp ace#1%?.json"`},
		{"odd/%C3%9Cbung%20%22x%22%0A.txt", "ü", "text/plain", `attachment; filename*=utf-8''%C3%9Cbung%20%22x%22%0A.txt`},
	}
	for _, test := range tests {
		for _, revision := range []string{hash, hash[:7], "main"} {
			answer := c.get(api + "/src/" + revision + "/" + test.path)
			require.Equal(t, http.StatusOK, answer.status, test.path)
			assert.Equal(t, test.text, answer.text)
			assert.Equal(t, test.contentType, answer.header.Get("Content-Type"))
			assert.Equal(t, test.disposition, answer.header.Get("Content-Disposition"))
			assert.Regexp(t, `^"[0-9a-f]+"$`, answer.header.Get("ETag"))
		}
	}
	lfs := c.get(api + "/src/" + hash + "/big.mp4")
	assert.Equal(t, http.StatusMovedPermanently, lfs.status)
	assert.Regexp(t, `^https://api\.media\.atlassian\.com/`, lfs.header.Get("Location"))

	again := l.put(map[string]File{"copy.md": every["README.md"]}, hash)
	assert.Equal(t, c.get(api+"/src/"+hash+"/README.md").header.Get("ETag"),
		c.get(api+"/src/"+again+"/copy.md").header.Get("ETag"), "the tag goes by the content")
}

func TestLargeFilesAreCompressedAndWhole(t *testing.T) {
	l := newLibrary(t, Options{})
	text := strings.Repeat("a line\r\n", 10_000)
	hash := l.put(map[string]File{"long.txt": plain(text)})
	c := serve(t, l.Server)
	assert.Equal(t, text, c.get(api+"/src/"+hash+"/long.txt").text)
	assert.Less(t, l.Journal()[0].Bytes, int64(10_000))
	c.headers.Set("Accept-Encoding", "identity")
	assert.Equal(t, text, c.get(api+"/src/"+hash+"/long.txt").text)
	assert.EqualValues(t, len(text), l.Journal()[1].Bytes)

	l.Fail(ShortBody().First(1), TimedOut())
	_, err := c.do(c.base + api + "/src/" + hash + "/long.txt")
	require.NoError(t, err)
	assert.Equal(t, 555, c.get(api+"/src/"+hash+"/long.txt").status)
}

func TestSourceMissing(t *testing.T) {
	l := newLibrary(t, Options{})
	hash := l.put(every)
	l.branch("main", hash)
	l.branch("feature/x", hash)
	c := serve(t, l.Server)
	for path, message := range map[string]string{
		hash + "/none.txt":           "No such file or directory: none.txt",
		hash + "/a/none/":            "No such file or directory: a/none/",
		hash + "/README.md/":         "No such file or directory: README.md/",
		hash + "/README.md/x":        "No such file or directory: README.md/x",
		"main/readme.md":             "No such file or directory: readme.md",
		"none/README.md":             "Commit not found",
		"feature%2Fx/README.md":      "Commit not found",
		"feature/x/README.md":        "Commit not found",
		"0123456789abcdef/README.md": "Commit not found",
	} {
		answer := c.get(api + "/src/" + path)
		assert.Equal(t, http.StatusNotFound, answer.status, path)
		assert.Equal(t, message, answer.message())
	}
	for _, path := range []string{"main/../x", "main/a/./b", "main//a", "main/%2e%2e/x"} {
		assert.Equal(t, "Resource not found", c.get(api+"/src/"+path).message(), "no client has a reason to send %s", path)
	}
}

func TestSourceOfTheMainBranch(t *testing.T) {
	l := newLibrary(t, Options{})
	c := serve(t, l.Server)
	assert.Equal(t, http.StatusNotFound, c.get(api+"/src").status, "an empty repository")
	hash := l.put(every)
	l.branch("main", hash)
	answer := c.get(api+"/src", "format", "meta")
	assert.Equal(t, http.StatusFound, answer.status)
	assert.Equal(t, c.base+api+"/src/"+hash+"/?format=meta", answer.header.Get("Location"))
	assert.Equal(t, http.StatusOK, c.follow(answer.header.Get("Location")).status)
}

func TestTreesInherit(t *testing.T) {
	l := newLibrary(t, Options{})
	one := l.put(map[string]File{"a": plain("1"), "b/c": plain("2")})
	two := l.put(map[string]File{"a": gone, "b/d": plain("3")}, one)
	same := l.put(nil, two)
	// A file becomes a directory, and a directory a file.
	turned := l.put(map[string]File{"b": plain("4"), "b/c": gone, "b/d": gone, "e/f": plain("5")}, same)
	for hash, want := range map[string]map[string]string{
		one:    {"a": "1", "b/c": "2"},
		two:    {"b/c": "2", "b/d": "3"},
		same:   {"b/c": "2", "b/d": "3"},
		turned: {"b": "4", "e/f": "5"},
	} {
		tree, err := l.Tree("acme", "api", hash)
		require.NoError(t, err)
		got := map[string]string{}
		for path, f := range tree {
			got[path] = string(f.Content)
		}
		assert.Equal(t, want, got)
	}
	long := turned
	for range 3 * treeLimit {
		long = l.put(nil, long)
	}
	tree, err := l.Tree("acme", "api", long)
	require.NoError(t, err)
	assert.Len(t, tree, 2)
}

func TestChangesThatMakeNoTree(t *testing.T) {
	l := newLibrary(t, Options{})
	base := l.put(map[string]File{"a/b": plain("1"), "c": plain("2")})
	for name, files := range map[string]map[string]File{
		"empty path":              {"": plain("")},
		"dot segment":             {"a/../x": plain("")},
		"trailing slash":          {"a/": plain("")},
		"zero byte":               {"a\x00b": plain("")},
		"a directory as file":     {"a": plain("")},
		"a file as directory":     {"c/d": plain("")},
		"deleting what is not":    {"none": gone},
		"deleting a directory":    {"a": gone},
		"both in the same commit": {"x": plain(""), "x/y": plain("")},
	} {
		_, err := l.AddCommit("acme", "api", Commit{Parents: []string{base}, Files: files})
		require.Error(t, err, name)
	}
}

func TestHashesCoverTheFiles(t *testing.T) {
	l := newLibrary(t, Options{})
	seen := map[string]string{}
	for name, f := range map[string]File{
		"plain": plain("x"), "other": plain("y"), "executable": {Content: []byte("x"), Executable: true},
		"link": {Content: []byte("x"), Symlink: true}, "lfs": {Content: []byte("x"), LFS: true},
		"module": {Submodule: strings.Repeat("b", 40)},
	} {
		hash := l.put(map[string]File{"f": f})
		assert.NotContains(t, seen, hash, "%s and %s", name, seen[hash])
		seen[hash] = name
		assert.Equal(t, hash, l.put(map[string]File{"f": f}))
	}
	assert.NotContains(t, seen, l.put(map[string]File{"g": plain("x")}))
	content := []byte("mine")
	hash := l.put(map[string]File{"f": {Content: content}})
	content[0] = 'X'
	tree, err := l.Tree("acme", "api", hash)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(tree["f"].Content), "the server has its own copy")
}
