package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

var (
	hashA = strings.Repeat("a", 40)
	hashB = strings.Repeat("b", 40)
)

func TestCommitNamesAreHashesAndNothingElse(t *testing.T) {
	repo := policytest.Repo(t, "api")
	for text, want := range map[string]string{
		"0123456":                "0123456",
		"ABCDEF0":                "abcdef0",
		hashA:                    hashA,
		strings.Repeat("F", 40):  strings.Repeat("f", 40),
		"0123456789abcdef012345": "0123456789abcdef012345",
	} {
		name, err := repo.CommitName(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, name.Hash())
		assert.Equal(t, len(want) == 40, name.IsFull())
	}
	for _, text := range []string{
		"", "abcde", "abcdef", hashA + "a", "main", "HEAD", "deadbeeg", "0123456~1", "0123456^", "0123456..89abcde",
		" 0123456", "0123456\n", "refs/heads/main", "012345\u017F", "{0123456}", "0123456%20", "0123456/..",
	} {
		_, err := repo.CommitName(text)
		var invalid *policy.InvalidName
		require.ErrorAs(t, err, &invalid, "%q", text)
		assert.Equal(t, policy.CommitNameKind, invalid.Kind)
	}
	_, err := policy.Repo{}.CommitName(hashA)
	assert.Error(t, err, "a repository that was not checked has no commits")
}

func TestACommitNeedsAProof(t *testing.T) {
	main := policytest.Scope(t, policy.Definition{Name: "main", Branches: []string{"main"}})
	branch := policytest.Branch(t, "api", "main", main)
	head, ok := branch.PinnedAt(hashA)
	require.True(t, ok)
	assert.Equal(t, []string{"main"}, head.Repo().Scopes())

	_, ok = branch.PinnedAt("abcdef0")
	assert.False(t, ok, "the beginning of a hash is no head")
	_, ok = policy.Branch{}.PinnedAt(hashA)
	assert.False(t, ok, "a branch that was not checked has no head")

	name, err := branch.Repo().CommitName(hashB)
	require.NoError(t, err)
	found, ok := name.ReachedFrom(head, hashB, hashB)
	require.True(t, ok)
	assert.Equal(t, hashB, found.Hash())

	_, ok = name.ReachedFrom(head, hashB, hashA)
	assert.False(t, ok, "the merge base is another commit: the head does not reach this one")
	_, ok = name.ReachedFrom(head, hashA, hashA)
	assert.False(t, ok, "that is not the commit that was named")
	_, ok = name.ReachedFrom(policy.Commit{}, hashB, hashB)
	assert.False(t, ok, "no head, no proof")
	_, ok = name.OnAnyBranch(hashB)
	assert.False(t, ok, "the scope has branch patterns")
	elsewhere, ok := policytest.Branch(t, "web", "main", main).PinnedAt(hashA)
	require.True(t, ok)
	_, ok = name.ReachedFrom(elsewhere, hashB, hashB)
	assert.False(t, ok, "a head of another repository proves nothing")
}

func TestWithoutBranchPatternsThereIsNothingToProve(t *testing.T) {
	open := policytest.Scope(t, policy.Definition{Name: "open"})
	narrow := policytest.Scope(t, policy.Definition{Name: "narrow", Branches: []string{"main"}})
	excluding := policytest.Scope(t, policy.Definition{Name: "excluding", ExcludeBranches: []string{"secret"}})
	name, err := policytest.Repo(t, "api", open, narrow, excluding).CommitName(hashA)
	require.NoError(t, err)
	commit, ok := name.OnAnyBranch(hashA)
	require.True(t, ok)
	assert.Equal(t, []string{"open"}, commit.Repo().Scopes(), "the scopes with branch patterns have not said yes")

	short, err := policytest.Repo(t, "api", open).CommitName("aaaaaaa")
	require.NoError(t, err)
	_, ok = short.OnAnyBranch("aaaaaaa")
	assert.False(t, ok, "only a whole hash is one commit")
	_, ok = short.OnAnyBranch(hashB)
	assert.False(t, ok, "another commit")
}

// Of two scopes one allows main, the other develop: a commit of main and one of
// develop are never allowed together.
func TestTwoCommitsNeedOneScopeThatAllowsBoth(t *testing.T) {
	repo := policytest.Repo(t, "api",
		policytest.Scope(t, policy.Definition{Name: "main", Branches: []string{"main"}}),
		policytest.Scope(t, policy.Definition{Name: "develop", Branches: []string{"develop"}}),
		policytest.Scope(t, policy.Definition{Name: "two", Branches: []string{"main", "release"}}))
	at := func(name, hash string) policy.Commit {
		branch, err := repo.Branch(name)
		require.NoError(t, err)
		commit, ok := branch.PinnedAt(hash)
		require.True(t, ok)
		return commit
	}
	main, develop, release := at("main", hashA), at("develop", hashB), at("release", hashB)
	_, ok := main.With(develop)
	assert.False(t, ok)
	both, ok := main.With(release)
	require.True(t, ok)
	assert.Equal(t, []string{"two"}, both.Repo().Scopes())
	assert.Equal(t, hashA, both.Hash())
}

func TestPaths(t *testing.T) {
	commit, ok := policytest.Branch(t, "api", "main").PinnedAt(hashA)
	require.True(t, ok)
	for text, want := range map[string]string{
		"": "", "README.md": "README.md", "docs/": "docs", "a/b c/d#%.txt": "a/b c/d#%.txt", "größe/ü.md": "größe/ü.md",
		"...": "...", ".github/x": ".github/x", "a..b": "a..b", `back\slash`: `back\slash`, "100%": "100%", "%2": "%2", "a%2Fb": "a%2Fb", "%2efile": "%2efile", "%zz": "%zz", "main:x": "main:x",
	} {
		path, err := commit.Path(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, path.Text())
		assert.Equal(t, hashA, path.Commit().Hash())
	}
	for _, text := range []string{
		"/", "/etc/passwd", "..", "../x", "a/../b", ".", "./a", "a/./b", "a//b", "a//", "//", "a\nb", "a\x00b", "a\rb", "a\u202Eb", "\xff",
		"%2e%2e", "a/%2E./b", "%252e%252e", "%25252e", "..%2fx", `..\x`, `a\..\b`, "..%5cx", `a/.\`,
		strings.Repeat("a", 4097),
	} {
		_, err := commit.Path(text)
		var invalid *policy.InvalidName
		assert.ErrorAs(t, err, &invalid, "%q", text)
		_, ok := commit.Root().Sees(text)
		assert.False(t, ok, "%q", text)
	}
}

func FuzzCommitNamesAndPaths(f *testing.F) {
	f.Add("abcdef0", "a/b")
	f.Add("main", "../x")
	f.Fuzz(func(t *testing.T, hash, path string) {
		name, err := policytest.Repo(t, "api").CommitName(hash)
		if err == nil {
			assert.Regexp(t, `\A[0-9a-f]{7,40}\z`, name.Hash())
		}
		commit, _ := policytest.Branch(t, "api", "main").PinnedAt(hashA)
		p, err := commit.Path(path)
		if err == nil {
			assert.NotContains(t, "/"+p.Text()+"/", "/../")
			assert.NotContains(t, "/"+p.Text()+"/", "/./")
			assert.False(t, strings.HasPrefix(p.Text(), "/"))
		}
	})
}
