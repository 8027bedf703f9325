package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

// reposOf returns what each name means within one call.
func reposOf(t *testing.T, call *policy.Call, names ...string) []policy.Repo {
	t.Helper()
	var repos []policy.Repo
	for _, name := range names {
		ref, err := policy.ParseReference(name)
		require.NoError(t, err)
		found, err := call.Repositories(ref)
		require.NoError(t, err)
		repos = append(repos, found...)
	}
	return repos
}

func headOf(t *testing.T, repo policy.Repo, branch, hash string) policy.Commit {
	t.Helper()
	b, err := repo.Branch(branch)
	require.NoError(t, err)
	head, ok := b.PinnedAt(hash)
	require.True(t, ok)
	return head
}

// Commits prove nothing of each other, and are not compared, where they lie in
// two repositories or were asked for with two credentials: though one call, one
// scope even, may see both.
func TestCommitsThatLieApart(t *testing.T) {
	one := policytest.Scope(t, policy.Definition{Name: "one"})
	other := policytest.Scope(t, policy.Definition{Name: "other", Credential: "c2"})
	for name, repos := range map[string][]policy.Repo{
		"two repositories": reposOf(t, policytest.Call(t, one), "api", "web"),
		"two credentials":  reposOf(t, policytest.Call(t, one, other), "api"),
		"two calls":        append(reposOf(t, policytest.Call(t, one), "api"), reposOf(t, policytest.Call(t, one), "api")...),
	} {
		t.Run(name, func(t *testing.T) {
			require.Len(t, repos, 2)
			here, there := headOf(t, repos[0], "main", hashA), headOf(t, repos[1], "main", hashA)
			_, ok := here.With(there)
			assert.False(t, ok)
			_, ok = here.ChangesSince(there)
			assert.False(t, ok)
			commit, err := repos[0].CommitName(hashB)
			require.NoError(t, err)
			_, ok = commit.ReachedFrom(there, hashB, hashB)
			assert.False(t, ok)
			path, err := there.Path("docs")
			require.NoError(t, err)
			_, ok = here.Changes().In(path)
			assert.False(t, ok, "a path that was checked elsewhere")
		})
	}
}

// The scopes that a commit keeps are those of the branch that reaches it.
func TestACommitKeepsTheScopesOfItsBranch(t *testing.T) {
	repo := policytest.Repo(t, "api",
		policytest.Scope(t, policy.Definition{Name: "main", Branches: []string{"main"}}),
		policytest.Scope(t, policy.Definition{Name: "develop", Branches: []string{"develop"}}))
	name, err := repo.CommitName(hashB)
	require.NoError(t, err)
	commit, ok := name.ReachedFrom(headOf(t, repo, "main", hashA), hashB, hashB)
	require.True(t, ok)
	assert.Equal(t, []string{"main"}, commit.Repo().Scopes(), "nobody has shown that develop reaches it")
}

// A path belongs to the commit that it was checked for.
func TestAComparisonIsNarrowedByItsNewSideAlone(t *testing.T) {
	repo := policytest.Repo(t, "api")
	older, newer := headOf(t, repo, "main", hashA), headOf(t, repo, "develop", hashB)
	comparison, ok := newer.ChangesSince(older)
	require.True(t, ok)
	path, err := newer.Path("docs")
	require.NoError(t, err)
	narrowed, ok := comparison.In(path)
	require.True(t, ok)
	assert.Equal(t, "docs", narrowed.Path())
	path, err = older.Path("docs")
	require.NoError(t, err)
	_, ok = comparison.In(path)
	assert.False(t, ok)
	_, ok = comparison.In(policy.Path{})
	assert.False(t, ok)
}

// A hash that Bitbucket returned is nothing that the caller aimed at.
func TestSeesCommitLeavesTheTarget(t *testing.T) {
	call := policytest.Call(t)
	repo := reposOf(t, call, "api")[0]
	name, ok := repo.SeesCommit(hashA[:12])
	require.True(t, ok)
	assert.Equal(t, hashA[:12], name.Hash())
	assert.Equal(t, "api", call.Trail().Target)
	for _, text := range []string{"", "main", "abcdef", hashA + "a"} {
		_, ok := repo.SeesCommit(text)
		assert.False(t, ok, text)
	}
	_, ok = policy.Repo{}.SeesCommit(hashA)
	assert.False(t, ok)
}

// What one scope refused is not what the call came to when another allows it.
func TestUseTakesARefusalBack(t *testing.T) {
	call := policytest.Call(t)
	repo := reposOf(t, call, "api")[0]
	main := policy.End{FullName: "acme/api", Branch: "main"}
	pull, ok := repo.SeesPullRequest(1, main, main)
	require.True(t, ok)
	pipeline, ok := repo.AnyPipeline(1)
	require.True(t, ok)
	for name, use := range map[string]func(){"pull request": pull.Use, "pipeline": pipeline.Use, "commit": headOf(t, repo, "main", hashA).Use} {
		require.Error(t, repo.Refuse("no"))
		require.Equal(t, "no", call.Trail().Refusal)
		use()
		assert.Empty(t, call.Trail().Refusal, name)
		require.Error(t, repo.Refuse("no"))
		policy.PullRequest{}.Use()
		policy.Pipeline{}.Use()
		policy.Commit{}.Use()
		assert.Equal(t, "no", call.Trail().Refusal, "a value that was not checked takes nothing back")
	}
}
