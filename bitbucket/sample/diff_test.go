package sample

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numbered lines, some of them replaced.
func numberedLines(n int, replaced ...int) string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %d\n", i+1)
	}
	for _, i := range replaced {
		lines[i-1] = fmt.Sprintf("new %d\n", i)
	}
	return strings.Join(lines, "")
}

func TestDiffText(t *testing.T) {
	tests := []struct {
		name          string
		before, after map[string]File
		query         []string
		git           string // the same wish in git's words
		want          string
	}{
		{
			name: "a new file", after: map[string]File{"a": plain("x\ny\n")},
			want: "diff --git a/a b/a\nnew file mode 100644\nindex 0000000..b77b4eb\n--- /dev/null\n+++ b/a\n@@ -0,0 +1,2 @@\n+x\n+y\n",
		}, {
			name: "an empty one", after: map[string]File{"a": plain("")},
			want: "diff --git a/a b/a\nnew file mode 100644\nindex 0000000..e69de29\n",
		}, {
			name: "a deleted file", before: map[string]File{"a": plain("x")}, after: map[string]File{"a": gone},
			want: "diff --git a/a b/a\ndeleted file mode 100644\nindex c1b0730..0000000\n--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n",
		}, {
			name: "no newline before", before: map[string]File{"a": plain("x")}, after: map[string]File{"a": plain("x\n")},
			want: "diff --git a/a b/a\nindex c1b0730..587be6b 100644\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n",
		}, {
			name: "two hunks", before: map[string]File{"a": plain(numberedLines(20))}, after: map[string]File{"a": plain(numberedLines(20, 2, 15))},
			want: "diff --git a/a b/a\nindex c4352f8..b1efac8 100644\n--- a/a\n+++ b/a\n" +
				"@@ -1,5 +1,5 @@\n line 1\n-line 2\n+new 2\n line 3\n line 4\n line 5\n" +
				"@@ -12,7 +12,7 @@ line 11\n line 12\n line 13\n line 14\n-line 15\n+new 15\n line 16\n line 17\n line 18\n",
		}, {
			name: "no context", before: map[string]File{"a": plain(numberedLines(9))}, after: map[string]File{"a": plain(numberedLines(9, 5))},
			query: []string{"context", "0"}, git: "--unified=0",
			want: "diff --git a/a b/a\nindex 5578ccb..ddd1cd1 100644\n--- a/a\n+++ b/a\n@@ -5 +5 @@ line 4\n-line 5\n+new 5\n",
		}, {
			name: "a renamed file", before: map[string]File{"a": plain(numberedLines(9))}, after: map[string]File{"a": gone, "b/c": plain(numberedLines(9))},
			want: "diff --git a/a b/b/c\nsimilarity index 100%\nrename from a\nrename to b/c\n",
		}, {
			name: "mode", before: map[string]File{"a": plain("x\n")}, after: map[string]File{"a": {Content: []byte("x\n"), Executable: true}},
			want: "diff --git a/a b/a\nold mode 100644\nnew mode 100755\n",
		}, {
			name: "binary", before: map[string]File{"a": plain("\x00")}, after: map[string]File{"a": plain("\x00\x01"), "b": plain("\x00")},
			want: "diff --git a/a b/a\nindex f76dd23..bdc955b 100644\nBinary files a/a and b/a differ\n" +
				"diff --git a/b b/b\nnew file mode 100644\nindex 0000000..f76dd23\nBinary files /dev/null and b/b differ\n",
		}, {
			name: "binary left out", before: map[string]File{"a": plain("\x00")}, after: map[string]File{"a": plain("\x00\x01")},
			query: []string{"binary", "false"}, git: "no such option",
		}, {
			name: "names", after: map[string]File{"sp ace": plain("x\n"), "ü\t": plain("x\n")},
			want: "diff --git a/sp ace b/sp ace\nnew file mode 100644\nindex 0000000..587be6b\n--- /dev/null\n+++ b/sp ace\t\n@@ -0,0 +1 @@\n+x\n" +
				"diff --git \"a/\\303\\274\\t\" \"b/\\303\\274\\t\"\nnew file mode 100644\nindex 0000000..587be6b\n--- /dev/null\n+++ \"b/\\303\\274\\t\"\n@@ -0,0 +1 @@\n+x\n",
		}, {
			name: "submodule", before: map[string]File{"m": {Submodule: strings.Repeat("a", 40)}}, after: map[string]File{"m": {Submodule: strings.Repeat("b", 40)}},
			want: "diff --git a/m b/m\nindex aaaaaaa..bbbbbbb 160000\n--- a/m\n+++ b/m\n@@ -1 +1 @@\n-Subproject commit " +
				strings.Repeat("a", 40) + "\n+Subproject commit " + strings.Repeat("b", 40) + "\n",
		}, {
			name: "another kind", before: map[string]File{"a": plain("x\n")}, after: map[string]File{"a": {Content: []byte("to"), Symlink: true}},
			want: "diff --git a/a b/a\ndeleted file mode 100644\nindex 587be6b..0000000\n--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n" +
				"diff --git a/a b/a\nnew file mode 120000\nindex 0000000..788636f\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+to\n\\ No newline at end of file\n",
		}, {
			name: "spaces ignored", before: map[string]File{"a": plain("x y\nz\n"), "b": plain("x y\n")}, after: map[string]File{"a": plain("x  y\nZ\n"), "b": plain("xy\n")},
			query: []string{"ignore_whitespace", "true"}, git: "--ignore-all-space",
			want: "diff --git a/a b/a\nindex d2330bb..515ab5f 100644\n--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n x  y\n-z\n+Z\n",
		}, {
			name: "paths", before: map[string]File{"a": plain("x"), "d/e": plain("x"), "d/f": plain("x"), "df": plain("x")},
			after: map[string]File{"a": gone, "d/e": gone, "d/f": gone, "df": gone},
			query: []string{"path", "d/e", "path", "a"}, git: "-- d/e a",
			want: "diff --git a/a b/a\ndeleted file mode 100644\nindex c1b0730..0000000\n--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n" +
				"diff --git a/d/e b/d/e\ndeleted file mode 100644\nindex c1b0730..0000000\n--- a/d/e\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLibrary(t, Options{})
			before := l.put(test.before)
			after := l.put(test.after, before)
			answer := serve(t, l.Server).get(api+"/diff/"+after, test.query...)
			assert.Equal(t, http.StatusOK, answer.status)
			assert.Equal(t, "text/plain", answer.header.Get("Content-Type"))
			assert.Equal(t, test.want, answer.text)
			if test.git == "no such option" {
				return
			}
			g := newRealGit(t)
			args := append([]string{"diff-tree", "-r", "-p", "-M", "--abbrev=7"}, g.storeBoth(l, before, after)...)
			if paths, ok := strings.CutPrefix(test.git, "-- "); ok {
				args = append(append(args, "--"), strings.Fields(paths)...)
			} else if test.git != "" {
				args = append(args[:1:1], append([]string{test.git}, args[1:]...)...)
			}
			assert.Equal(t, g.run("", args...), answer.text, "as git has it")
		})
	}
}

func (g realGit) storeBoth(l library, hashes ...string) []string {
	g.t.Helper()
	var names []string
	for _, hash := range hashes {
		tree, err := l.Tree("acme", "api", hash)
		require.NoError(g.t, err)
		names = append(names, g.store(tree))
	}
	return names
}

// drawTree makes a tree of a few texts that are like those of another one.
func drawTree(random *rand.Rand) map[string]File {
	files := map[string]File{}
	for _, path := range []string{"a", "b c", "d/e", "d/f/ü", "g#1%", "h\n\"i", "j", "k"} {
		if random.IntN(3) == 0 {
			continue
		}
		lines := make([]string, random.IntN(40))
		for i := range lines {
			lines[i] = fmt.Sprint("line ", i, "\n")
			if random.IntN(6) == 0 {
				lines[i] = fmt.Sprint("other ", random.IntN(5), "\r\n")
			}
		}
		text := strings.Join(lines, "")
		if random.IntN(4) == 0 {
			text += "no end"
		}
		files[path] = File{Content: []byte(text), Executable: random.IntN(5) == 0, Symlink: random.IntN(9) == 0}
	}
	return files
}

// changesBetween is what makes one tree of another.
func changesBetween(before, after map[string]File) map[string]File {
	changes := map[string]File{}
	for path := range before {
		changes[path] = gone
	}
	for path, f := range after {
		changes[path] = f
	}
	return changes
}

// TestDiffsApply holds the diffs against the real git: applied to the old tree
// they make the new one, and the other way round for what is given as A..B.
func TestDiffsApply(t *testing.T) {
	g := newRealGit(t)
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 8 {
		l := newLibrary(t, Options{})
		first, second := drawTree(random), drawTree(random)
		before := l.put(first)
		after := l.put(changesBetween(first, second), before)
		c := serve(t, l.Server)
		names := g.storeBoth(l, before, after)
		for _, query := range []string{"", "?renames=false", "?context=0", "?context=10"} {
			diff := c.follow(c.base + api + "/diff/" + after + query).text
			assert.Equal(t, names[1], g.apply(names[0], diff), "round %d %s", round, query)
		}
		two := c.get(api+"/diff/"+before+".."+after, "topic", "false").text
		assert.Equal(t, names[0], g.apply(names[1], two), "the first one named is the new side")
	}
}

// withoutLinks turns links into files: of one that becomes the other git counts
// the lines that both have in common, and shows them all.
func withoutLinks(files map[string]File) map[string]File {
	for path, f := range files {
		f.Symlink = false
		files[path] = f
	}
	return files
}

// TestDiffstatCounts holds the numbers against those of git.
func TestDiffstatCounts(t *testing.T) {
	g := newRealGit(t)
	random := rand.New(rand.NewPCG(7, 8))
	for range 8 {
		l := newLibrary(t, Options{})
		first, second := withoutLinks(drawTree(random)), withoutLinks(drawTree(random))
		before := l.put(first)
		after := l.put(changesBetween(first, second), before)
		names := g.storeBoth(l, before, after)
		counts := map[string]string{}
		for _, value := range serve(t, l.Server).get(api+"/diffstat/"+after, "renames", "false").values() {
			row := value.(map[string]any)
			side, _ := row["new"].(map[string]any)
			if side == nil {
				side = row["old"].(map[string]any)
			}
			counts[side["path"].(string)] = fmt.Sprint(row["lines_added"], row["lines_removed"])
		}
		want := map[string]string{}
		for line := range strings.SplitSeq(strings.TrimSuffix(g.run("", "diff-tree", "-r", "--numstat", "--minimal", "--no-renames", "-z", names[0], names[1]), "\x00"), "\x00") {
			if columns := strings.SplitN(line, "\t", 3); len(columns) == 3 {
				want[columns[2]] = columns[0] + " " + columns[1]
			}
		}
		assert.Equal(t, want, counts)
	}
}

func TestDiffstat(t *testing.T) {
	l := newLibrary(t, Options{})
	before := l.put(map[string]File{
		"gone": plain("1\n2\n"), "kept": plain("x\n"), "edited": plain(numberedLines(5)),
		"old/name": plain(numberedLines(20)), "bin": plain("\x00"),
	})
	after := l.put(map[string]File{
		"gone": gone, "edited": plain(numberedLines(5, 2) + "more\n"), "ü": plain("other\n"),
		"old/name": gone, "new/name": plain(numberedLines(20, 7)), "bin": plain("\x00\x00"),
	}, before)
	c := serve(t, l.Server)
	answer := c.get(api + "/diffstat/" + after)
	assert.Equal(t, []string{"page", "pagelen", "size", "values"}, keys(answer.body))
	assert.EqualValues(t, 500, answer.body["pagelen"])
	var rows []string
	for _, value := range answer.values() {
		row := value.(map[string]any)
		assert.Equal(t, []string{"lines_added", "lines_removed", "new", "old", "status", "type"}, keys(row))
		name := func(side string) any {
			if row[side] == nil {
				return nil
			}
			assert.Equal(t, []string{"escaped_path", "links", "path", "type"}, keys(row[side]))
			return row[side].(map[string]any)["path"]
		}
		rows = append(rows, fmt.Sprint(row["status"], " ", name("old"), " ", name("new"), " ", row["lines_added"], " ", row["lines_removed"]))
	}
	assert.Equal(t, []string{
		"modified bin bin 0 0",
		"modified edited edited 2 1",
		"removed gone <nil> 0 2",
		"renamed old/name new/name 1 1",
		"added <nil> ü 1 0",
	}, rows)
	added := answer.values()[4].(map[string]any)["new"].(map[string]any)
	assert.Equal(t, `"\303\274"`, added["escaped_path"])
	assert.Equal(t, map[string]any{"self": map[string]any{"href": c.base + api + "/src/" + after + "/%C3%BC"}}, added["links"])
	old := answer.values()[1].(map[string]any)["old"].(map[string]any)
	assert.Equal(t, map[string]any{"self": map[string]any{"href": c.base + api + "/src/" + before + "/edited"}}, old["links"])

	assert.Len(t, c.get(api+"/diffstat/"+after, "renames", "false").values(), 6)
	assert.Len(t, c.get(api+"/diffstat/"+after, "path", "new", "path", "gone").values(), 2)
	first := c.get(api+"/diffstat/"+after, "pagelen", "2")
	assert.Len(t, first.values(), 2)
	assert.Equal(t, answer.values()[2:4], c.follow(first.body["next"].(string)).values())
	assert.Equal(t, "Invalid pagelen", c.get(api+"/diffstat/"+after, "pagelen", "5001").message())
	assert.Equal(t, http.StatusOK, c.get(api+"/diffstat/"+after, "pagelen", "5000").status)
}

// side is the new side of each row, and + or - for what was added or removed.
func (c client) sides(spec string, pairs ...string) string {
	c.t.Helper()
	answer := c.get(api+"/diffstat/"+spec, pairs...)
	require.Equal(c.t, http.StatusOK, answer.status, answer.text)
	var rows []string
	for _, value := range answer.values() {
		row := value.(map[string]any)
		if row["new"] == nil {
			rows = append(rows, "-"+row["old"].(map[string]any)["path"].(string))
		} else {
			rows = append(rows, "+"+row["new"].(map[string]any)["path"].(string))
		}
	}
	return strings.Join(rows, " ")
}

func TestDiffSpecs(t *testing.T) {
	l := newLibrary(t, Options{})
	base := l.put(map[string]File{"base": plain("1")})
	left := l.put(map[string]File{"left": plain("2")}, base)
	right := l.put(map[string]File{"right": plain("3")}, base)
	merge := l.put(map[string]File{"right": plain("3")}, left, right)
	lone := l.put(map[string]File{"lone": plain("4")})
	l.branch("main", left)
	l.branch("feature/x", right)
	require.NoError(t, l.AddRepository(Repository{Workspace: "mallory", Slug: "api", ParentFullName: "acme/api", Private: true}))
	require.NoError(t, l.AddRepository(Repository{Workspace: "acme", Slug: "other"}))
	elsewhere := l.putIn("other", map[string]File{"elsewhere": plain("5")})
	fork, err := l.AddCommit("mallory", "api", Commit{Parents: []string{base}, Files: map[string]File{"fork": plain("6")}})
	require.NoError(t, err)
	require.NoError(t, l.SetBranch("mallory", "api", "evil", fork))
	c := serve(t, l.Server)
	tests := []struct {
		spec  string
		query []string
		want  string
	}{
		{base, nil, "+base"}, // a first commit, against nothing
		{left, nil, "+left"},
		{left[:8], nil, "+left"},
		{"main", nil, "+left"},
		{merge, nil, "+right"}, // against its first parent
		{left + ".." + base, nil, "+left"},
		{base + ".." + left, nil, ""}, // all that base has, left has too
		{base + ".." + left, []string{"topic", "false"}, "-left"},
		{left + ".." + right, nil, "+left"},
		{left + ".." + right, []string{"topic", "true"}, "+left"},
		{left + ".." + right, []string{"topic", "false"}, "+left -right"},
		{left + ".." + right, []string{"merge", "false"}, "+left -right"},
		{"main.." + base, nil, "+left"},
		{lone + ".." + base, []string{"topic", "false"}, "-base +lone"},
		{"acme/api:" + left + "%0D" + right, []string{"from_pullrequest_id", "1", "topic", "true"}, "+left"},
		{"acme%2Fapi%3A" + left + "%0D" + right, nil, "+left"},
		{"mallory/api:" + fork + "%0D" + left, nil, "+fork"},
		{"mallory/api:evil%0Dmain", nil, "+fork"},
		{fork, nil, "+fork"},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, c.sides(test.spec, test.query...), "%s %v", test.spec, test.query)
	}
	for _, spec := range []string{
		"none", "main..none", "none..main", "feature%2Fx", "main..feature%2Fx", "..main", "main..", left + "..." + right,
		lone + ".." + base, // no common ancestor
		"acme/other:" + elsewhere + "%0Dmain", "acme/none:" + left + "%0Dmain", "acme/api:" + left,
		"acme/api:" + left + "%0D", elsewhere,
	} {
		for _, endpoint := range []string{"/diff/", "/diffstat/"} {
			answer := c.get(api + endpoint + spec)
			assert.Equal(t, http.StatusNotFound, answer.status, spec)
			assert.Equal(t, "Commit not found", answer.message())
		}
	}
	for _, query := range []string{"topic=x", "topic=", "renames=2", "binary=no", "ignore_whitespace=x", "context=-1", "context=x", "topic=true&merge=true"} {
		assert.Equal(t, http.StatusBadRequest, c.follow(c.base+api+"/diff/main?"+query).status, query)
	}
}

func TestDiffOfAForkNobodyMaySee(t *testing.T) {
	l := newLibrary(t, Options{Accounts: []Account{{Bearer: true, Token: "secret", Repositories: []string{"acme/api"}}}})
	base := l.put(map[string]File{"base": plain("1")})
	require.NoError(t, l.AddRepository(Repository{Workspace: "mallory", Slug: "api", ParentFullName: "acme/api", Private: true}))
	fork, err := l.AddCommit("mallory", "api", Commit{Parents: []string{base}, Files: map[string]File{"fork": plain("6")}})
	require.NoError(t, err)
	c := serve(t, l.Server)
	assert.Equal(t, http.StatusUnauthorized, c.get(api+"/diff/"+fork).status)
	c.headers.Set("Authorization", "Bearer secret")
	assert.Equal(t, http.StatusNotFound, c.get(api+"/diff/mallory/api:"+fork+"%0D"+base).status)
	assert.Equal(t, http.StatusOK, c.get(api+"/diff/"+fork).status, "and yet by the bare hash")
}

func TestDiffsThatGoWrong(t *testing.T) {
	l := newLibrary(t, Options{})
	hash := l.put(map[string]File{"a": plain(numberedLines(500))})
	c := serve(t, l.Server)
	whole := c.get(api + "/diff/" + hash).text
	l.Fail(TimedOut().On(api+"/diff/").First(1), CutJSON().First(1), Edited(func(map[string]any) { t.Error("a diff is no JSON") }))
	timedOut := c.get(api + "/diff/" + hash)
	assert.Equal(t, 555, timedOut.status)
	assert.NotEmpty(t, timedOut.message())
	assert.Equal(t, whole[:len(whole)/2], c.get(api+"/diff/"+hash).text)
	assert.Equal(t, whole, c.get(api+"/diff/"+hash).text)
	assert.Equal(t, apiPath+api+"/diff/"+hash, l.Journal()[3].Path)
}

func TestFileHistory(t *testing.T) {
	l := newLibrary(t, Options{})
	one := l.put(map[string]File{"old": plain(numberedLines(20)), "x": plain("1")})
	two := l.put(map[string]File{"x": plain("2")}, one)
	three := l.put(map[string]File{"old": gone, "dir/new": plain(numberedLines(20, 3))}, two)
	four := l.put(map[string]File{"dir/new": plain(numberedLines(20, 3, 4))}, three)
	five := l.put(map[string]File{"x": plain("3")}, four)
	c := serve(t, l.Server)
	history := func(path string, pairs ...string) (versions []string) {
		for _, value := range c.get(api+"/filehistory/"+five+"/"+path, pairs...).values() {
			row := value.(map[string]any)
			versions = append(versions, row["path"].(string)+" "+row["commit"].(map[string]any)["hash"].(string))
		}
		return versions
	}
	assert.Equal(t, []string{"dir/new " + four, "dir/new " + three, "old " + one}, history("dir/new"))
	assert.Equal(t, []string{"dir/new " + four, "dir/new " + three}, history("dir/new", "renames", "false"))
	assert.Equal(t, []string{"x " + five, "x " + two, "x " + one}, history("x"))
	missing := c.get(api + "/filehistory/" + five + "/old")
	assert.Equal(t, http.StatusNotFound, missing.status)
	assert.Equal(t, "No such file or directory: old", missing.message())
}
