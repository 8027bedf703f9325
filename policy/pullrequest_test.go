package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/policy"
	"bucketgate/policy/policytest"
)

func TestPullRequestsAreJudgedByBothEnds(t *testing.T) {
	repo := policytest.Repo(t, "api", policytest.Scope(t, policy.Definition{
		Repositories: []string{"api", "web"}, Branches: []string{"main", "feature/.*"},
	}))
	own := func(branch string) policy.End { return policy.End{FullName: "acme/api", Branch: branch} }
	for name, test := range map[string]struct {
		destination, source policy.End
		shown, shownSource  bool
	}{
		"both allowed":                         {own("main"), own("feature/x"), true, true},
		"the source is outside":                {own("main"), own("secret/y"), true, false},
		"the destination is outside":           {own("secret/y"), own("feature/x"), false, false},
		"from an allowed repository beside it": {own("main"), policy.End{FullName: "acme/web", Branch: "main"}, true, true},
		"from a repository that is not":        {own("main"), policy.End{FullName: "acme/api-secret", Branch: "main"}, true, false},
		"from a fork in another workspace":     {own("main"), policy.End{FullName: "mallory/api", Branch: "main"}, true, false},
		"the fork was deleted":                 {own("main"), policy.End{Branch: "main"}, true, false},
		"into another repository":              {policy.End{FullName: "acme/web", Branch: "main"}, own("main"), false, false},
		"the destination has no name":          {policy.End{FullName: "acme/api"}, own("main"), false, false},
		"into a repository without a name":     {policy.End{Branch: "main"}, own("main"), false, false},
		"rev syntax":                           {own("main~1"), own("main"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			pull, ok := repo.SeesPullRequest(7, test.destination, test.source)
			assert.Equal(t, test.shown, ok)
			assert.Equal(t, test.shown, pull.Checked())
			source, ok := pull.Source()
			assert.Equal(t, test.shownSource, ok)
			assert.Equal(t, test.shownSource, source.Checked())
			_, ok = pull.ChangesBetween(hashA, hashB)
			assert.Equal(t, test.shownSource, ok, "what it changes is in the source")
			_, _, ok = pull.EndNames(hashA[:12], hashB[:12])
			assert.Equal(t, test.shownSource, ok, "its commits are in the source")
			_, ok = pull.PipelineOn(1)
			assert.Equal(t, test.shownSource, ok, "what it ran is in the source")
		})
	}
	for _, number := range []int{0, -1} {
		_, ok := repo.SeesPullRequest(number, own("main"), own("main"))
		assert.False(t, ok)
	}
	pull, ok := repo.SeesPullRequest(7, own("main"), own("main"))
	require.True(t, ok)
	for _, hash := range []string{"", "main", "abcde", "../../x", hashA[:12], hashA[:39]} {
		_, ok := pull.ChangesBetween(hash, hashB)
		assert.False(t, ok, hash)
		_, ok = pull.ChangesBetween(hashA, hash)
		assert.False(t, ok, hash)
	}

	// A tag may bear the first digits of a hash. Where every branch is allowed,
	// so is the commit that it means.
	for name, scopes := range map[string][]policy.Definition{
		"open":   {{Name: "narrow", Branches: []string{"main"}}, {Name: "open"}},
		"narrow": {{Name: "narrow", Branches: []string{"main"}}, {Name: "other", ExcludeBranches: []string{"secret"}}},
	} {
		var compiled []policy.Scope
		for _, d := range scopes {
			compiled = append(compiled, policytest.Scope(t, d))
		}
		pull, ok := policytest.Repo(t, "api", compiled...).SeesPullRequest(7, own("main"), own("main"))
		require.True(t, ok)
		changes, ok := pull.ChangesBetween(hashA[:12], hashB[:12])
		require.Equal(t, name == "open", ok)
		if ok {
			assert.Equal(t, []string{"open"}, changes.Repo().Scopes(), "the other scope has not allowed what the tag may mean")
		}
	}
}

// One scope allows the destination, another the source: nobody has said yes to
// what the pull request changes.
func TestTwoScopesDoNotAddUpToADiff(t *testing.T) {
	repo := policytest.Repo(t, "api",
		policytest.Scope(t, policy.Definition{Name: "into", Branches: []string{"main"}}),
		policytest.Scope(t, policy.Definition{Name: "from", Branches: []string{"feature/.*"}}))
	pull, ok := repo.SeesPullRequest(7, policy.End{FullName: "acme/api", Branch: "main"}, policy.End{FullName: "acme/api", Branch: "feature/x"})
	require.True(t, ok)
	assert.Equal(t, []string{"into"}, pull.Repo().Scopes())
	_, ok = pull.Source()
	assert.False(t, ok)
}

func TestPipelinesAreJudgedByWhatTheyRanOn(t *testing.T) {
	narrow := policytest.Scope(t, policy.Definition{Name: "narrow", Branches: []string{"main"}})
	open := policytest.Scope(t, policy.Definition{Name: "open"})
	branch := policytest.Branch(t, "api", "main", narrow, open)
	pipeline, ok := branch.PipelineOn(3)
	require.True(t, ok)
	assert.Equal(t, 3, pipeline.Number())
	assert.Equal(t, []string{"narrow", "open"}, pipeline.Repo().Scopes())

	any, ok := policytest.Repo(t, "api", narrow, open).AnyPipeline(3)
	require.True(t, ok)
	assert.Equal(t, []string{"open"}, any.Repo().Scopes())
	_, ok = policytest.Repo(t, "api", narrow).AnyPipeline(3)
	assert.False(t, ok, "the scope has branch patterns")
	_, ok = branch.PipelineOn(0)
	assert.False(t, ok)
	_, ok = policy.Branch{}.PipelineOn(3)
	assert.False(t, ok)
	_, ok = policy.Commit{}.PipelineOn(3)
	assert.False(t, ok)
}
