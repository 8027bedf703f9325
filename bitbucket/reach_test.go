package bitbucket

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

func commitName(t *testing.T, repo policy.Repo, hash string) policy.CommitName {
	t.Helper()
	name, err := repo.CommitName(hash)
	require.NoError(t, err)
	return name
}

func branchOf(t *testing.T, repo policy.Repo, name string) policy.Branch {
	t.Helper()
	branch, err := repo.Branch(name)
	require.NoError(t, err)
	return branch
}

func TestHeadIsAskedForByNameAndRemembered(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	s := on(t, upstream.Server)
	branch := branchOf(t, s.repo(t, "api", policy.Definition{Branches: []string{"feature/.*"}}), "feature/x")
	for range 2 {
		head, err := s.client.Head(t.Context(), branch)
		require.NoError(t, err)
		assert.Equal(t, upstream.Feature, head.Hash())
	}
	assert.Equal(t, []string{"GET /2.0/repositories/acme/api/refs/branches/feature%2Fx"}, upstream.Requests())

	other := branchOf(t, s.repo(t, "api", policy.Definition{Name: "other", Branches: []string{"feature/x"}}), "feature/x")
	_, err := s.client.Head(t.Context(), other)
	require.NoError(t, err)
	assert.Len(t, upstream.Requests(), 2, "what another scope was told is not remembered for this one")
}

func TestHeadThatIsNotThere(t *testing.T) {
	s := on(t, bitbuckettest.NewNeighbours(t).Server)
	_, err := s.client.Head(t.Context(), branchOf(t, s.repo(t, "api", policy.Definition{}), "gone"))
	assert.ErrorIs(t, err, ErrNotFound)
	_, err = s.client.Head(t.Context(), policy.Branch{})
	assert.ErrorIs(t, err, ErrUnchecked)
}

// A graph with a commit on each branch, and what each scope may reach of it.
func TestCommitsAreAllowedWhenAnAllowedBranchReachesThem(t *testing.T) {
	upstream := bitbuckettest.New(t)
	upstream.Repository("acme/api", "main", "feature/x", "secret/y")
	begin := upstream.MustHead("acme/api", "main")
	middle := upstream.MustCommit("acme/api", "main", "Second\n")
	last := upstream.MustCommit("acme/api", "main", "Third\n")
	feature, secret := upstream.MustHead("acme/api", "feature/x"), upstream.MustHead("acme/api", "secret/y")
	unborn, err := upstream.AddCommit("acme", "api", sample.Commit{Message: "on no branch", Parents: []string{last}})
	require.NoError(t, err)
	upstream.Repository("acme/web", "main")
	web := upstream.MustCommit("acme/web", "main", "Only in web\n")
	s := on(t, upstream)
	missing := strings.Repeat("0", 40)

	for _, test := range []struct {
		name     string
		branches []string
		exclude  []string
		allow    []string
		deny     []string
	}{
		{"main", []string{"main"}, nil, []string{begin, middle, last, begin[:12], middle[:7]}, []string{feature, secret, secret[:12], unborn, web, missing, missing[:9]}},
		{"feature", []string{"feature/.*"}, nil, []string{begin, feature, feature[:12]}, []string{middle, last, secret, unborn, web, missing}},
		{"both", []string{"main", "feature/x"}, nil, []string{begin, middle, last, feature}, []string{secret, unborn, web}},
		{"all but secret", nil, []string{"secret/.*"}, []string{begin, middle, last, feature}, []string{secret, unborn, web}},
		{"none that exists", []string{"release"}, nil, nil, []string{begin, middle, last, feature, secret, unborn, web, missing}},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo := s.repo(t, "api", policy.Definition{Branches: test.branches, ExcludeBranches: test.exclude})
			for _, hash := range test.allow {
				commit, err := s.client.Commit(t.Context(), commitName(t, repo, hash), nil)
				require.NoError(t, err)
				assert.Equal(t, hash, commit.Hash()[:len(hash)])
			}
			for _, hash := range test.deny {
				_, err := s.client.Commit(t.Context(), commitName(t, repo, hash), nil)
				var denied *policy.Denied
				if !assert.ErrorAs(t, notFoundAsDenied(err), &denied, hash) {
					continue
				}
				assertDiscreet(t, err)
			}
		})
	}
}

func notFoundAsDenied(err error) error {
	if err == ErrNotFound {
		return &policy.Denied{}
	}
	return err
}

func TestNamedBranchIsTriedFirstAndReachabilityAskedOnce(t *testing.T) {
	upstream := bitbuckettest.New(t)
	upstream.Repository("acme/api", "main", "a", "b")
	begin := upstream.MustHead("acme/api", "main")
	upstream.MustCommit("acme/api", "main", "Second\n")
	s := on(t, upstream)
	repo := s.repo(t, "api", policy.Definition{Branches: []string{"main", "a", "b"}})
	for range 3 {
		_, err := s.client.Commit(t.Context(), commitName(t, repo, begin), []policy.Branch{branchOf(t, repo, "main")})
		require.NoError(t, err)
	}
	assert.Equal(t, []string{
		"GET /2.0/repositories/acme/api/refs/branches/main",
		"GET /2.0/repositories/acme/api/merge-base/" + begin + ".." + upstream.MustHead("acme/api", "main"),
	}, upstream.Requests())
}

func TestWithoutBranchPatternsNothingIsAsked(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	s := on(t, upstream.Server)
	repo := s.repo(t, "api", policy.Definition{})
	commit, err := s.client.Commit(t.Context(), commitName(t, repo, upstream.Feature), nil)
	require.NoError(t, err)
	assert.Equal(t, upstream.Feature, commit.Hash())
	upstream.AssertNothingSent(t)

	_, err = s.client.Commit(t.Context(), commitName(t, repo, upstream.Feature[:12]), nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"GET /2.0/repositories/acme/api/commit/" + upstream.Feature[:12]}, upstream.Requests())
}

// Whoever asks for commits that no branch reaches must not be able to make one
// call cost more than a bounded number of requests.
func TestHowManyBranchesAreTriedIsBounded(t *testing.T) {
	upstream := bitbuckettest.New(t)
	var branches []string
	for i := range 60 {
		branches = append(branches, "b"+strconv.Itoa(i))
	}
	upstream.Repository("acme/api", branches...)
	s := on(t, upstream)
	repo := s.repo(t, "api", policy.Definition{Branches: []string{"b.*"}})
	_, err := s.client.Commit(t.Context(), commitName(t, repo, strings.Repeat("0", 40)), nil)
	assert.Error(t, err)
	assert.Len(t, upstream.Requests(), 1+maxBranchesTried)
}

// age makes what a cache holds older.
func age[K comparable, V any](c cache[K, V], by time.Duration) {
	for _, e := range c.entries {
		held := e.Value.(*entry[K, V])
		held.until = held.until.Add(-by)
	}
}

// That Bitbucket does not find a commit is no fact of the graph: it may not
// have heard of it yet. It is remembered briefly; what reaches what for longer.
func TestACommitThatBitbucketFindsLater(t *testing.T) {
	upstream := bitbuckettest.New(t)
	upstream.Repository("acme/api", "main")
	begin := upstream.MustHead("acme/api", "main")
	upstream.MustCommit("acme/api", "main", "Second\n")
	s := on(t, upstream)
	repo := s.repo(t, "api", policy.Definition{Branches: []string{"main"}})
	look := func() error {
		_, err := s.client.Commit(t.Context(), commitName(t, repo, begin), []policy.Branch{branchOf(t, repo, "main")})
		return err
	}
	asked := func() int {
		return len(slices.DeleteFunc(upstream.Requests(), func(r string) bool { return !strings.Contains(r, "/merge-base/") }))
	}
	upstream.Fail(sample.Status(404, "Commit not found").On("/repositories/acme/api/merge-base/").First(1))
	for range 3 {
		assert.Error(t, look())
	}
	assert.Equal(t, 1, asked(), "who asks again at once gets the same answer for nothing")
	age(s.client.baseless, headsFor+time.Second)
	require.NoError(t, look())
	assert.Equal(t, 2, asked())

	age(s.client.heads, headsFor+time.Second)
	age(s.client.bases, basesFor-time.Minute)
	require.NoError(t, look())
	assert.Equal(t, 2, asked(), "what reaches what does not change")
	age(s.client.bases, 2*time.Minute)
	require.NoError(t, look())
	assert.Equal(t, 3, asked())
}

// A branch that is pushed anew does not reach any more what it did, however
// well that is remembered.
func TestABranchThatIsPushedAnew(t *testing.T) {
	upstream := bitbuckettest.New(t)
	upstream.Repository("acme/api", "main", "work")
	begin, lost := upstream.MustHead("acme/api", "main"), upstream.MustHead("acme/api", "work")
	upstream.MustCommit("acme/api", "work", "Second\n")
	s := on(t, upstream)
	repo := s.repo(t, "api", policy.Definition{Branches: []string{"work"}})
	look := func(hash string) error {
		_, err := s.client.Commit(t.Context(), commitName(t, repo, hash), []policy.Branch{branchOf(t, repo, "work")})
		return err
	}
	require.NoError(t, look(lost))
	upstream.MustBranch("acme/api", "work", begin)
	upstream.MustCommit("acme/api", "work", "Again\n")
	age(s.client.heads, headsFor+time.Second)
	assert.Error(t, look(lost))
	require.NoError(t, look(begin))
}
