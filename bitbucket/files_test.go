package bitbucket

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

// pathIn returns a path at the head of main of acme/api.
func (s *site) pathIn(t testing.TB, path string, d policy.Definition) policy.Path {
	t.Helper()
	branch, err := s.repo(t, "api", d).Branch("main")
	require.NoError(t, err)
	head, err := s.client.Head(t.Context(), branch)
	require.NoError(t, err)
	checked, err := head.Path(path)
	require.NoError(t, err)
	return checked
}

func withFiles(t testing.TB, files map[string]sample.File) *bitbuckettest.Server {
	t.Helper()
	up := bitbuckettest.New(t)
	up.Repository("acme/api", "main")
	up.MustChange("acme/api", "main", "Files\n", files)
	return up
}

func content(text string) sample.File { return sample.File{Content: []byte(text)} }

// Any path that is allowed reaches exactly one URL, which means that path and
// nothing else, at that commit and in that repository.
func FuzzPathsReachOneURL(f *testing.F) {
	for _, path := range []string{
		"README.md", "a/b c", "a#b?c&d=e;f", "%2e%2e", "100%", "a%2Fb", `back\slash`, "größe/ü", "a..b", "...", "a+b", "main:x", "@", "~", "*", "//", "../x", "a\nb", "a\x00b", "/x",
		"%252e%252e/x", "..%2f..%2fx", `..\x`, "a/", "\xff", "{x}", "{path}", "{workspace}", "src",
	} {
		f.Add(path)
	}
	up := withFiles(f, nil)
	s := on(f, up)
	root := s.pathIn(f, "", policy.Definition{})
	hash := root.Commit().Hash()
	f.Fuzz(func(t *testing.T, text string) {
		path, err := root.Commit().Path(text)
		if err != nil {
			var invalid *policy.InvalidName
			require.ErrorAs(t, err, &invalid)
			return
		}
		for route, end := range map[route]string{routeFile: "", routeFolder: "/"} {
			e, err := at(route, path)
			require.NoError(t, err)
			req, err := s.client.newRequest(t.Context(), e, "")
			require.NoError(t, err)
			want := "/2.0/repositories/acme/api/src/" + hash + "/" + path.Text()
			if path.Text() != "" {
				want += end
			}
			assert.Equal(t, want, req.URL.Path, "what it means")
			assert.Empty(t, req.URL.RawQuery)
			assert.Empty(t, req.URL.Fragment)
			escaped := req.URL.EscapedPath()
			assert.Equal(t, strings.Count(want, "/"), strings.Count(escaped, "/"), "no part is split or joined")
			for part := range strings.SplitSeq(escaped, "/") {
				for range 4 { // however often somebody decodes it
					assert.NotContains(t, strings.FieldsFunc(part, func(r rune) bool { return r == '/' || r == '\\' }), "..")
					if part, err = url.PathUnescape(part); err != nil {
						break
					}
				}
			}
			assert.Equal(t, escaped, req.URL.RequestURI(), "what goes over the wire")
		}
	})
}

// Names that git takes and that mean something in a URL.
func TestOddNamesAreReadAndListed(t *testing.T) {
	names := []string{"a b", "a#b", "a?b=c", "a&b;c", "100%", "%41", "%2Fx", `back\slash`, "größe", "a+b", "a:b@c", "'quotes\"", "...", "~", "*", "{path}", "日本"}
	files := map[string]sample.File{}
	for _, name := range names {
		files["odd/"+name] = content(name + "\n")
		files[name+"/below"] = content("below " + name + "\n")
	}
	s := on(t, withFiles(t, files))
	for _, name := range names {
		file, err := s.client.File(t.Context(), s.pathIn(t, "odd/"+name, policy.Definition{}))
		require.NoError(t, err, name)
		assert.Equal(t, []string{name}, shown(file))
		page, err := s.client.Entries(t.Context(), s.pathIn(t, name, policy.Definition{}), ListOptions{Limit: 10, Budget: budget()})
		require.NoError(t, err, name)
		require.Len(t, page.Rows, 1, name)
		assert.Equal(t, name+"/below", page.Rows[0].Path.Text())
	}
	page, err := s.client.Entries(t.Context(), s.pathIn(t, "odd", policy.Definition{}), ListOptions{Limit: 5, Budget: budget()})
	require.NoError(t, err)
	assert.Len(t, page.Rows, 5)
	rest, err := s.client.Entries(t.Context(), s.pathIn(t, "odd", policy.Definition{}), ListOptions{From: *page.Next, Limit: 100, Budget: budget()})
	require.NoError(t, err)
	assert.Len(t, rest.Rows, len(names)-5)
}

// What an answer says of itself is judged: format=meta of another path or of
// another commit, or what is none.
func TestMetaIsJudged(t *testing.T) {
	for name, edit := range map[string]func(map[string]any){
		"another path":   func(b map[string]any) { b["path"] = "other" },
		"another commit": func(b map[string]any) { b["commit"] = map[string]any{"hash": strings.Repeat("0", 40)} },
		"no commit":      func(b map[string]any) { delete(b, "commit") },
		"unknown type":   func(b map[string]any) { b["type"] = "commit_something" },
		"no type":        func(b map[string]any) { delete(b, "type") },
	} {
		t.Run(name, func(t *testing.T) {
			up := withFiles(t, map[string]sample.File{"link": {Content: []byte("target"), Symlink: true}})
			s := on(t, up)
			path := s.pathIn(t, "link", policy.Definition{})
			up.Fail(sample.Edited(edit))
			file, err := s.client.File(t.Context(), path)
			require.Error(t, err)
			assert.True(t, errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnavailable))
			assertDiscreet(t, err)
			assert.Zero(t, file)
		})
	}
}

func TestAttributesAreAListOrAWord(t *testing.T) {
	for attributes, want := range map[string]EntryKind{
		`[]`: PlainFile, `["link"]`: Symlink, `["executable","subrepository"]`: Submodule, `["lfs","binary"]`: LFSPointer,
		`"link"`: Symlink, `"subrepository"`: Submodule, `null`: PlainFile, ``: PlainFile, `{"a":1}`: PlainFile, `7`: PlainFile,
	} {
		assert.Equal(t, want, entryJSON{Type: "commit_file", Attributes: []byte(attributes)}.kind(), attributes)
	}
}

// A link of any kind is asked for by its own path, and by no other.
func TestLinksAreNotFollowed(t *testing.T) {
	up := withFiles(t, map[string]sample.File{
		"link":   {Content: []byte("../../../api-secret/src/main/x"), Symlink: true},
		"module": {Submodule: strings.Repeat("5f", 20)},
		"big":    {Content: []byte(pointerText), LFS: true},
	})
	s := on(t, up)
	for path, kind := range map[string]EntryKind{"link": Symlink, "module": Submodule, "big": LFSPointer} {
		file, err := s.client.File(t.Context(), s.pathIn(t, path, policy.Definition{}))
		require.NoError(t, err)
		assert.Equal(t, kind, file.Kind)
		assert.Empty(t, shown(file))
	}
	for _, r := range up.Journal() {
		assert.Contains(t, r.Path, "/2.0/repositories/acme/api/")
		assert.Regexp(t, `(/refs/branches/main|/link|/module|/big)$`, r.Path)
	}
}

func TestUncheckedPathsSendNothing(t *testing.T) {
	up := withFiles(t, nil)
	s := on(t, up)
	_, err := s.client.File(t.Context(), policy.Path{})
	assert.ErrorIs(t, err, ErrUnchecked)
	_, err = s.client.Entries(t.Context(), policy.Path{}, ListOptions{Limit: 1, Budget: budget()})
	assert.ErrorIs(t, err, ErrUnchecked)
	up.AssertNothingSent(t)
}

// The order is a convenience: where Bitbucket does not take it, the list is
// read without, and goes on so.
func TestEntriesWithoutASort(t *testing.T) {
	files := map[string]sample.File{}
	for _, slug := range numbered("f", 130) {
		files["d/"+slug] = content("x")
	}
	up := withFiles(t, files)
	up.Fail(sample.Status(400, "Invalid sort").When(func(r *http.Request) bool { return r.URL.Query().Has("sort") }))
	s := on(t, up)
	folder := s.pathIn(t, "d", policy.Definition{})
	page, err := s.client.Entries(t.Context(), folder, ListOptions{Limit: 120, Budget: budget()})
	require.NoError(t, err)
	assert.Len(t, page.Rows, 120)
	rest, err := s.client.Entries(t.Context(), folder, ListOptions{From: *page.Next, Limit: 120, Budget: budget()})
	require.NoError(t, err)
	assert.Len(t, rest.Rows, 10)
}

// Many read two files at once: what they share is not mixed up.
func TestManyReadersOfOneFile(t *testing.T) {
	up := withFiles(t, map[string]sample.File{"a": content("a\n"), "b": content("b\n")})
	s := on(t, up)
	a, b := s.pathIn(t, "a", policy.Definition{}), s.pathIn(t, "b", policy.Definition{})
	var group sync.WaitGroup
	read := func(path policy.Path, want string) {
		file, err := s.client.File(t.Context(), path)
		assert.NoError(t, err)
		assert.Equal(t, []string{want}, shown(file))
	}
	for range 20 {
		group.Go(func() { read(a, "a") })
		group.Go(func() { read(b, "b") })
	}
	group.Wait()
	up.ResetJournal()
	read(a, "a")
	read(b, "b")
	up.AssertNothingSent(t)
}

func TestLargeFilesAreNotKept(t *testing.T) {
	up := withFiles(t, map[string]sample.File{"large": content(strings.Repeat("x\n", maxFileKept/2)), "small": content("x\n")})
	s := on(t, up)
	for path, requests := range map[string]int{"large": 3, "small": 1} {
		checked := s.pathIn(t, path, policy.Definition{})
		up.ResetJournal()
		for range 3 {
			_, err := s.client.File(t.Context(), checked)
			require.NoError(t, err)
		}
		assert.Len(t, up.Requests(), requests, path)
	}
}

// A file that is too large is not read to the cap where its length is told.
func TestFilesThatAreTooLarge(t *testing.T) {
	up := withFiles(t, map[string]sample.File{"large": content(strings.Repeat("x\n", maxBody/2+1))})
	s := on(t, up)
	_, err := s.client.File(t.Context(), s.pathIn(t, "large", policy.Definition{}))
	require.ErrorIs(t, err, ErrTooLarge)
	var large *TooLarge
	require.ErrorAs(t, err, &large)
	assert.Equal(t, int64(maxBody+2), large.Size)
	up.ResetJournal()
	up.Fail(sample.Body(200, "text/plain", strings.Repeat("y", maxBody+1)).First(1))
	_, err = s.client.File(t.Context(), s.pathIn(t, "large", policy.Definition{}))
	require.ErrorIs(t, err, ErrTooLarge)
}

// A long list of a folder is no text either.
func TestAFolderIsNoFile(t *testing.T) {
	files := map[string]sample.File{}
	for _, slug := range numbered("f", 30) {
		files["d/"+slug] = content("x")
	}
	s := on(t, withFiles(t, files))
	for _, path := range []string{"d", ""} {
		_, err := s.client.File(t.Context(), s.pathIn(t, path, policy.Definition{}))
		var wrong *WrongKind
		require.ErrorAs(t, err, &wrong)
		assert.Equal(t, Folder, wrong.Kind)
	}
}

// A folder's next link is followed to its own pages alone.
func TestNextLinksOfAFolder(t *testing.T) {
	files := map[string]sample.File{}
	for _, slug := range numbered("f", 30) {
		files["a b/"+slug], files["other/"+slug] = content("x"), content("x")
	}
	up := withFiles(t, files)
	s := on(t, up)
	folder := s.pathIn(t, "a b", policy.Definition{})
	src := "/repositories/acme/api/src/" + folder.Commit().Hash()
	for path, followed := range map[string]bool{
		src + "/a%20b/": true, src + "/a%20b": true, src + "/%61%20b/": true,
		src + "/other/": false, src + "/": false, src + "/a%20b/f0000": false, src + "/a%2520b/": false, src + "/other/../a%20b/": false,
		"/repositories/acme/api-secret/src/" + folder.Commit().Hash() + "/a%20b/": false,
		"/repositories/acme/api/src/main/a%20b/":                                  false,
		"/repositories/acme/api/commits":                                          false,
	} {
		up.ClearFaults()
		up.ResetJournal()
		up.Fail(sample.NextURL(s.api + path + "?page=word").First(1))
		up.Fail(sample.Body(200, "application/json", `{"values":[]}`).When(func(r *http.Request) bool { return r.URL.Query().Get("page") == "word" }))
		_, err := s.client.Entries(t.Context(), folder, ListOptions{Limit: 100, Budget: budget()})
		if followed {
			require.NoError(t, err, path)
			assert.Equal(t, "GET /2.0"+src+"/a%20b/?page=word", s.lines()[1], "nothing but the query is used")
			continue
		}
		require.ErrorIs(t, err, ErrUnavailable, path)
		assertDiscreet(t, err)
		assert.Len(t, up.Requests(), 1, path)
	}
}
