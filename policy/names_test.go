package policy_test

import (
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/testneeds"
	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

// slugOf returns the slug that a reference is judged as, "" when it has none.
func slugOf(t *testing.T, text string) string {
	t.Helper()
	ref, err := policy.ParseReference(text)
	require.NoError(t, err, "%q", text)
	repos, err := policytest.Call(t).Repositories(ref)
	require.NoError(t, err, "%q", text)
	if len(repos) == 0 {
		return ""
	}
	return repos[0].Slug()
}

func TestReferences(t *testing.T) {
	tests := []struct {
		text          string
		slug          string // "" when the text cannot be one
		mayBeDisplay  bool
		isDisplayOf   []string
		isNoDisplayOf []string
	}{
		{"api", "api", false, nil, list("api", "API")},
		{"acme/api", "api", false, nil, list("api", "acme/api")},
		{"ACME/api", "api", false, nil, list("api")},
		{"my.repo_1-x", "my.repo_1-x", false, nil, list("my.repo_1-x")},
		{".github", ".github", false, nil, nil},
		{"...", "...", false, nil, nil},
		{"-", "-", false, nil, nil},
		{strings.Repeat("a", 128), strings.Repeat("a", 128), false, nil, nil},
		{strings.Repeat("a", 129), "", true, list(strings.Repeat("A", 129)), nil},
		// Display names: what Bitbucket's pages show.
		{"Duplocloud", "duplocloud", true, list("Duplocloud", "duplocloud", "DUPLOCLOUD"), list("Duplocloud 2")},
		{"Foo Bar", "foo-bar", true, list("Foo Bar", "foo bar"), list("foo-bar", "FooBar", "Foo  Bar")},
		{"acme/Foo Bar", "foo-bar", true, list("Foo Bar"), list("acme/Foo Bar")},
		{"Café", "", true, list("café", "CAFÉ"), list("Cafe")},
		{"Foo & Bar", "", true, list("Foo & Bar"), list("Foo Bar")},
		{"Rocket 🚀", "", true, list("rocket 🚀"), nil},
		{`api\..\other`, "", true, nil, list("api")},
		{"api?fields=parent", "", true, nil, nil},
		{"api#x", "", true, nil, nil},
		// U+212A and U+017F fold to "k" and "s". They are no ASCII letters, so
		// that the text is no slug.
		{"\u212Aube", "", true, nil, list("cube")},
		{"web\u017Fhop", "", true, nil, nil},
		{"ａｐｉ", "", true, nil, list("api")},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			assert.Equal(t, tt.slug, slugOf(t, tt.text))
			ref, err := policy.ParseReference(tt.text)
			require.NoError(t, err)
			assert.Equal(t, tt.mayBeDisplay, ref.MayBeDisplayName())
			for _, name := range tt.isDisplayOf {
				assert.True(t, ref.IsDisplayNameOf(name), name)
			}
			for _, name := range tt.isNoDisplayOf {
				assert.False(t, ref.IsDisplayNameOf(name), name)
			}
		})
	}
}

func TestReferencesThatAreRefused(t *testing.T) {
	tests := []struct {
		kind   policy.NameKind
		reason string
		texts  []string
	}{
		{policy.RepositoryName, "it is empty", list("", " ", "   ", "acme/", "acme/ ")},
		{policy.RepositoryName, "it is a dot segment", list(".", "..", "acme/.", "acme/..")},
		{policy.RepositoryName, "it has more than one '/'", list("a/b/c", "../other/secret", "acme/api/", "//", "/acme/api", "acme//api", "acme/../other", "https://bitbucket.org/acme/api")},
		{policy.RepositoryName, "'%' is not taken", list("%2e%2e", "api%2F..%2F..%2Fother", "api%252fsecret", "api%5c..", "100%", "%")},
		{policy.RepositoryName, "a {uuid} is not taken", list("{8f2d1c3e-0000-4000-8000-000000000000}", "acme/{8f2d1c3e}", "{acme}/api", "{}", "api}", "{")},
		{policy.RepositoryName, "it holds a control character", list("api\n", "a\r\nX: y", "api\x00", "a\tb", "api\x7f", "api\u0085", "\x1b[31mapi")},
		{policy.RepositoryName, "it holds an invisible character", list("api\u200b", "a\u202epi", "\u2066api", "\ufeffapi", "a\u00adpi", "api\u2028", "api\u2029", "a\U000e0041pi", "api\ue000", "a\ufdd0", "\u3164", "a\u115fb", "a\u034fb")},
		{policy.RepositoryName, "it holds a character that could not be decoded", list("ap\ufffdi")},
		{policy.RepositoryName, "it is not valid UTF-8", list("ap\xffi", "\xc0\xae\xc0\xae", "\xed\xa0\x80", "api\x80")},
		{policy.RepositoryName, "it is longer than 257 bytes", list(strings.Repeat("a", 258), strings.Repeat("ä", 129))},
		{policy.WorkspaceName, "it is empty", list("/api")},
		{policy.WorkspaceName, "it is a dot segment", list("./api", "../api")},
		{policy.WorkspaceName, "a slug has only letters", list("ac me/api", " /api", `ac\me/api`, "Café/api", "a:b/api", "\u212Aube/api")},
		{policy.WorkspaceName, "it is longer than 128 characters", list(strings.Repeat("a", 129) + "/api")},
	}
	for _, tt := range tests {
		for _, text := range tt.texts {
			ref, err := policy.ParseReference(text)
			var refused *policy.InvalidName
			require.ErrorAs(t, err, &refused, "%q", text)
			assert.Equal(t, tt.kind, refused.Kind, "%q", text)
			assert.Contains(t, refused.Reason, tt.reason, "%q", text)
			assert.Zero(t, ref, "%q", text)
		}
	}
	_, err := policy.ParseReference("..")
	assert.EqualError(t, err, "invalid repository name: it is a dot segment")
}

func TestNoSlugIsReachedThroughARefusedOne(t *testing.T) {
	call := policytest.Call(t, policytest.Scope(t, repositories("foo-bar", "duplocloud")))
	allow(t, call, "Foo Bar", "FOO BAR", "Duplocloud")
	deny(t, call, "Foo  Bar", "Foo Bar ", " Foo Bar", "Foo_Bar", "Foo")
	ref, err := policy.ParseReference("Café")
	require.NoError(t, err)
	repos, err := call.Repositories(ref)
	assert.NoError(t, err)
	assert.Empty(t, repos, "a display name that is no slug is looked up, not refused")
}

func TestTheZeroReferenceNamesNothing(t *testing.T) {
	var ref policy.Reference
	assert.False(t, ref.MayBeDisplayName())
	assert.False(t, ref.IsDisplayNameOf(""))
	repos, err := policytest.Call(t).Repositories(ref)
	assert.NoError(t, err)
	assert.Empty(t, repos)
}

// gitRules is git check-ref-format --branch, written from its manual page as
// one expression and without a look at the code.
var gitRules = regexp.MustCompile(`(^|/)\.|\.lock(/|$)|\.\.|[\x00-\x20\x7f~^:?*\[\\]|^/|/$|//|\.$|@\{|^@$|^-|^HEAD$|^$`)

func gitRefuses(name string) bool { return gitRules.MatchString(name) }

func branchError(t *testing.T, name string) error {
	t.Helper()
	_, err := policytest.Repo(t, "api").Branch(name)
	return err
}

func TestBranchNames(t *testing.T) {
	for _, name := range list(
		"main", "feature/x", "feature/JIRA-1_foo.bar", "a", "release/1.2.3", "a./b", "a-", "a/-b", "a@b", "@a", "a@", "@/b", "HEAD/x", "x/HEAD", "head", "a.lock2", "lock",
		"a.locks/b", "#1", "fix(api)", "a+b", "a=b", "a,b", "a;b", "a'b", `a"b`, "a&b", "a|b", "a<b>", "a!b", "$x", "a%2e", "a%2Fb", "{a}", "a}b", "a]b", "äpfel/größe", "日本語", "🚀",
		"dependabot/npm_and_yarn/x-1.0", "refsx", "a/refs/heads/b", strings.Repeat("a", 1024), "a/b/c/d/e", "l.o.c.k", "A/b",
	) {
		assert.NoError(t, branchError(t, name), "%q", name)
		assert.False(t, gitRefuses(name), "%q", name)
	}
}

func TestBranchNamesThatAreRefused(t *testing.T) {
	tests := []struct {
		reason string
		names  []string
	}{
		{"it is empty", list("")},
		{"it is longer than 1024 bytes", list(strings.Repeat("a", 1025))},
		{"without 'refs/heads/'", list("refs/heads/main", "refs/tags/v9", "refs/x", "refs/")},
		{"it names a revision", list("@", "HEAD")},
		{"begins with '-'", list("-p", "-", "--all")},
		{"it ends with '.'", list("main.", "a/b.", "..")},
		{"'..' is revision syntax", list("secret/y..main", "main...secret/y", "..a", "main/../secret/y", "a..b")},
		{"'@{' is revision syntax", list("main@{1}", "@{-1}", "@{u}")},
		{"cannot be in a branch name", list("main~1", "main^2", "main^{tree}", ":/text", "main:file", "a?b", "a*", "a[b", `a\b`, "main~")},
		{"it holds a space", list("main ", " main", "a b", "a\u00a0b", "a\u3000b", "a\u2003b", "a\u202fb")},
		{"it holds a control character", list("main\nsecret/y", "main\x00", "a\tb", "a\r", "a\x7f", "a\u0085", "a\x1b[0m")},
		{"it holds an invisible character", list("ma\u200bin", "main\u202e", "\u2066main", "main\ufeff", "ma\u00adin", "main\u2028", "main\ue000", "ma\U000e0069n", "main\u3164", "main\ufdd0")},
		{"it is not valid UTF-8", list("ma\xffin", "\x80", "main\xc0\xaf")},
		{"could not be decoded", list("main\ufffd")},
		{"looks like an ASCII letter", list("\u212Aube", "relea\u017Fe", "feature/\u017F")},
		{"empty part", list("/main", "main/", "a//b", "/")},
		{"begins with '.'", list(".main", "a/.b", "a/./b")},
		{"ends with '.lock'", list("main.lock", "a.lock/b", "a/b.lock", "x.lock")},
	}
	for _, tt := range tests {
		for _, name := range tt.names {
			err := branchError(t, name)
			var refused *policy.InvalidName
			require.ErrorAs(t, err, &refused, "%q", name)
			assert.Equal(t, policy.BranchName, refused.Kind, "%q", name)
			assert.Contains(t, refused.Reason, tt.reason, "%q", name)
			_, ok := policytest.Repo(t, "api").Sees(name)
			assert.False(t, ok, "a row %q is left out", name)
		}
	}
}

// beyondGit reports whether name is one of the few that git takes and
// Bucketgate does not.
func beyondGit(name string) bool {
	if name == "@" || strings.HasPrefix(name, "refs/") || len(name) > 1024 || !utf8.ValidString(name) {
		return true
	}
	return strings.ContainsFunc(name, func(r rune) bool {
		return r == '\u017F' || r == '\u212A' || r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r) ||
			unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Noncharacter_Code_Point, unicode.Other_Default_Ignorable_Code_Point)
	})
}

// The real git is asked, so that neither the code nor gitRules is a matter of
// belief.
func TestBranchNamesAsGitJudgesThem(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		testneeds.Skip(t, "git is not installed")
	}
	random := rand.New(rand.NewPCG(1, 2))
	names := list("main", "HEAD", "@", "-a", "a.lock", "a.lock/b", "a./b", "a.", ".a", "refs/heads/main", "a\u00a0b", "\xff", "@{-1}", "a@{", "\u212A", "a/-b", "head", "@/a", "a/@")
	for range 250 {
		names = append(names, randomBranchName(random))
	}
	for _, name := range names {
		command := exec.Command(git, "check-ref-format", "--branch", name)
		command.Dir = t.TempDir()
		command.Env = []string{"GIT_CONFIG_NOSYSTEM=1", "HOME=" + command.Dir, "GIT_CEILING_DIRECTORIES=" + command.Dir}
		gitTakes := command.Run() == nil
		weTake := branchError(t, name) == nil
		assert.Equal(t, gitTakes && !beyondGit(name), weTake, "%q, git takes it: %t", name, gitTakes)
		if name != "@" { // git takes its shorthand for HEAD; the manual page does not
			assert.Equal(t, !gitTakes, gitRefuses(name), "gitRules differ from git on %q", name)
		}
	}
}

func randomBranchName(random *rand.Rand) string {
	pieces := list("a", "b", ".", "/", "-", "@", "{", "..", ".lock", "~", "^", ":", "?", "*", "[", `\`, " ", "HEAD", "refs/", "heads/", "\x7f", "\n", "ä", "\u200b", "\u212A", "main", "}", "lock")
	var name strings.Builder
	for range 1 + random.IntN(5) {
		if random.IntN(2) == 0 {
			name.WriteString(pieces[random.IntN(4)])
			continue
		}
		name.WriteString(pieces[random.IntN(len(pieces))])
	}
	return name.String()
}

// Properties: no panic; what git refuses is never taken; what git takes is,
// but for beyondGit; a row and a caller's name are judged alike; the name
// comes through unchanged.
func FuzzBranchName(f *testing.F) {
	for _, name := range list("main", "feature/x", "", "@", "HEAD", "-p", "a..b", "a.lock/b", "@{1}", "refs/heads/main", "a\nb", "\u212A", "\xff", "a//b", ".a", "a~1", "ä", "\u00a0", "a.", strings.Repeat("x", 1025)) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		repo := policytest.Repo(t, "api")
		branch, err := repo.Branch(name)
		row, ok := repo.Sees(name)
		require.Equal(t, err == nil, ok)
		require.Equal(t, !gitRefuses(name) && !beyondGit(name), ok)
		if !ok {
			require.Zero(t, branch)
			require.Zero(t, row)
			return
		}
		require.Equal(t, name, branch.Name())
		require.Equal(t, name, row.Name())
	})
}

var plainSlug = regexp.MustCompile(`^[a-z0-9_.-]{1,128}$`)

// Properties: no panic; what is taken is one slug, or none and a display name;
// a slug is plain and no dot segment, means itself when it is read again, and
// is what the row of that name is judged as.
func FuzzReference(f *testing.F) {
	for _, text := range list("api", "acme/api", "Foo Bar", "Café", "..", "acme/..", "a/b/c", "{uuid}", "%2e", "api\n", "\u212A", "\xff", "acme/", "/", " ", "a\u202eb", "ACME/API", strings.Repeat("a", 129)) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := policy.ParseReference(text)
		if err != nil {
			var refused *policy.InvalidName
			require.ErrorAs(t, err, &refused)
			require.Zero(t, ref)
			return
		}
		require.NotContains(t, text, "%")
		workspace, _, named := strings.Cut(text, "/")
		if !named {
			workspace = "acme"
		}
		call := policytest.Call(t, policytest.Scope(t, policy.Definition{Workspace: workspace}))
		repos, err := call.Repositories(ref)
		require.NoError(t, err)
		if len(repos) == 0 {
			require.True(t, ref.MayBeDisplayName())
			return
		}
		require.Len(t, repos, 1)
		slug := repos[0].Slug()
		require.Regexp(t, plainSlug, slug)
		require.NotContains(t, list(".", ".."), slug)
		require.Equal(t, slug, slugOf(t, slug))
		require.Equal(t, slug, slugOf(t, "acme/"+slug)[:len(slug)])
		row, ok := policytest.Workspace(t, policytest.Scope(t, policy.Definition{Workspace: workspace})).Sees(workspace + "/" + slug)
		require.True(t, ok)
		require.Equal(t, slug, row.Slug())
		require.True(t, repos[0].Is(row.FullName()))
	})
}
