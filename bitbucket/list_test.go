package bitbucket

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

// What the patterns demand goes along, so that the 57 of 1,000 repositories
// that match cost one request.
func TestPatternsArePushedDown(t *testing.T) {
	s := inMemory(t, sample.Large(sample.Options{}, 1000))
	page, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{Repositories: []string{"^duplocloud-.*"}}), ListOptions{Limit: 200, Budget: budget()})
	require.NoError(t, err)
	assert.Len(t, page.Rows, 57)
	require.Len(t, s.Journal(), 1)
	assert.Equal(t, `slug ~ "duplocloud-"`, s.Journal()[0].Query.Get("q"))
}

func TestBranchPatternsArePushedDown(t *testing.T) {
	s := on(t, bitbuckettest.NewNeighbours(t).Server)
	page, err := s.client.Branches(t.Context(), s.repo(t, "api", policy.Definition{Branches: []string{"^feature/.*"}}), ListOptions{Limit: 10, Budget: budget()})
	require.NoError(t, err)
	assert.Equal(t, []string{"feature/x"}, names(page.Rows))
	require.Len(t, s.Journal(), 1)
	assert.Equal(t, `name ~ "feature/"`, s.Journal()[0].Query.Get("q"))
}

// The filter narrows what Bitbucket sends and decides nothing: where Bitbucket
// does not heed it, the rows are the same.
func TestFilterDecidesNothing(t *testing.T) {
	s := inMemory(t, sample.Large(sample.Options{}, 300))
	definition := policy.Definition{Repositories: []string{"duplocloud-.*"}}
	o := ListOptions{Limit: 200, Budget: budget()}
	want, err := s.client.Repositories(t.Context(), s.workspace(t, definition), o)
	require.NoError(t, err)
	s.Fail(sample.Fault{Instead: func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		query.Del("q")
		again := r.Clone(r.Context())
		again.URL.RawQuery = query.Encode()
		s.ClearFaults()
		s.ServeHTTP(w, again)
	}}.First(1))
	got, err := s.client.Repositories(t.Context(), s.workspace(t, definition), ListOptions{Limit: 200, Budget: budget()})
	require.NoError(t, err)
	assert.Equal(t, slugs(want.Rows), slugs(got.Rows)[:len(slugs(want.Rows))])
	for _, row := range got.Rows {
		assert.Regexp(t, `^duplocloud-`, row.Repo.Slug())
	}
}

// restricted are scopes that hide something.
var restricted = map[string]policy.Definition{
	"repositories":          {Repositories: []string{"duplocloud-.*"}},
	"no literal":            {Repositories: []string{"[a-m].*"}},
	"excluded repositories": {ExcludeRepositories: []string{"duplocloud-.*"}},
	"branches only":         {Branches: []string{"main"}},
	"excluded branches":     {ExcludeBranches: []string{"secret/.*"}},
	"nothing matches":       {Repositories: []string{"none"}},
}

// In a scope with patterns what a caller looks for does not reach Bitbucket:
// requests, their number and their order are the same whatever it is, and so
// are their times.
func TestRequestsDoNotDependOnTheQuery(t *testing.T) {
	queries := []string{"duplocloud", "É", `" OR slug ~ "`}
	for name, definition := range restricted {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, sample.Large(sample.Options{}, 220))
				s.SetLatency(100 * time.Millisecond)
				workspace := s.workspace(t, definition)
				var want []string
				var wantTimes []time.Duration
				for _, o := range variations(queries) {
					s.ResetJournal()
					_, err := s.client.Repositories(t.Context(), workspace, o)
					require.NoError(t, err)
					if want == nil {
						want, wantTimes = s.lines(), s.starts()
					}
					// Side by side, requests come in in any order.
					require.ElementsMatch(t, want, s.lines(), "%+v", o)
					require.Equal(t, wantTimes, s.starts(), "%+v", o)
				}
			})
		})
	}
}

// The same for the branches of one repository.
func TestBranchRequestsDoNotDependOnTheQuery(t *testing.T) {
	for name, definition := range map[string]policy.Definition{
		"branches":           {Branches: []string{"main", "feature/.*"}},
		"no literal":         {Branches: []string{"[a-r].*"}},
		"excluded branches":  {ExcludeBranches: []string{"secret/.*"}},
		"repositories only":  {Repositories: []string{"api"}},
		"no branch allowed":  {Branches: []string{"none"}},
		"other repositories": {ExcludeRepositories: []string{"web"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := inMemory(t, one(t, sample.Options{}))
			head, err := s.Head("acme", "api", "main")
			require.NoError(t, err)
			for i := range 60 {
				require.NoError(t, s.SetBranch("acme", "api", fmt.Sprintf("feature/%03d", i), head))
				require.NoError(t, s.SetBranch("acme", "api", fmt.Sprintf("secret/%03d", i), head))
			}
			repo := s.repo(t, "api", definition)
			var want []string
			for _, o := range variations([]string{"secret", "feature", `" OR name ~ "`}) {
				s.ResetJournal()
				_, err := s.client.Branches(t.Context(), repo, o)
				require.NoError(t, err)
				if want == nil {
					want = s.lines()
				}
				require.ElementsMatch(t, want, s.lines(), "%+v", o)
			}
		})
	}
}

// variations are all ways to look for the queries.
func variations(queries []string) []ListOptions {
	var all []ListOptions
	for _, query := range queries {
		for _, limit := range []int{1, 1000} {
			for _, visibility := range []Visibility{Private, Public} {
				all = append(all, ListOptions{Query: query, Limit: limit, Visibility: visibility, Budget: budget()})
			}
		}
	}
	return all
}

// Without patterns there is nothing to hide, so the query goes along, and is
// matched here again.
func TestQueryIsPushedDownWithoutPatterns(t *testing.T) {
	for name, test := range map[string]struct {
		options ListOptions
		q       string
	}{
		"nothing":               {ListOptions{}, ""},
		"text":                  {ListOptions{Query: "Web"}, `(slug ~ "Web" OR name ~ "Web")`},
		"text with spaces":      {ListOptions{Query: "my web"}, `(slug ~ "my web" OR name ~ "my web")`},
		"private":               {ListOptions{Visibility: Private}, `is_private = true`},
		"public":                {ListOptions{Visibility: Public}, `is_private = false`},
		"both":                  {ListOptions{Query: "web", Visibility: Public}, `(slug ~ "web" OR name ~ "web") AND is_private = false`},
		"a quote":               {ListOptions{Query: `x" OR slug ~ "secret`}, ""},
		"a backslash":           {ListOptions{Query: `x\`}, ""},
		"a letter beyond ASCII": {ListOptions{Query: "ü"}, ""},
		"a control character":   {ListOptions{Query: "a\nb"}, ""},
		"an empty kind":         {ListOptions{Visibility: "all"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			test.options.Limit, test.options.Budget = 10, budget()
			page, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), test.options)
			require.NoError(t, err)
			require.Len(t, s.Journal(), 1)
			assert.Equal(t, test.q, s.Journal()[0].Query.Get("q"))
			for _, row := range page.Rows {
				assert.True(t, holds(test.options.Query, row.Repo.Slug(), row.Name))
			}
		})
	}
}

func TestBranchQueryIsPushedDownWithoutPatterns(t *testing.T) {
	s := on(t, bitbuckettest.NewNeighbours(t).Server)
	page, err := s.client.Branches(t.Context(), s.repo(t, "api", policy.Definition{}), ListOptions{Limit: 10, Query: "MAIN", Budget: budget()})
	require.NoError(t, err)
	assert.Equal(t, []string{"main", "not-main"}, names(page.Rows))
	assert.Equal(t, `name ~ "MAIN"`, s.Journal()[0].Query.Get("q"))
}

// A filter that Bitbucket refuses costs one request and changes nothing.
func TestRefusedFilterIsLeftOut(t *testing.T) {
	refuse := sample.Status(400, leak).When(func(r *http.Request) bool { return r.URL.Query().Has("q") })
	for name, definition := range map[string]policy.Definition{"with patterns": {Repositories: []string{"api.*"}}, "without": {}} {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			s.Fail(refuse)
			page, err := s.client.Repositories(t.Context(), s.workspace(t, definition), ListOptions{Limit: 10, Query: "api", Budget: budget()})
			require.NoError(t, err)
			assert.Equal(t, []string{"api", "api-secret"}, slugs(page.Rows))
			require.Len(t, s.Journal(), 2)
			assert.True(t, s.Journal()[0].Query.Has("q"))
			assert.False(t, s.Journal()[1].Query.Has("q"))
		})
	}
	t.Run("a list without a filter is not asked for twice", func(t *testing.T) {
		s := on(t, bitbuckettest.NewNeighbours(t).Server)
		s.Fail(sample.Status(400, leak))
		_, err := s.client.Repositories(t.Context(), s.workspace(t, policy.Definition{}), ListOptions{Limit: 10, Budget: budget()})
		require.ErrorIs(t, err, ErrUnavailable)
		assert.Len(t, s.Journal(), 1)
	})
}

// Where rows are left out here, pages are as long as they may be: a page of
// five rows would take two hundred requests for a thousand.
func TestPageLength(t *testing.T) {
	refuse := sample.Status(400, "").When(func(r *http.Request) bool { return r.URL.Query().Has("q") })
	for name, test := range map[string]struct {
		definition policy.Definition
		options    ListOptions
		faults     []sample.Fault
		want       string
	}{
		"every row counts":              {policy.Definition{}, ListOptions{Limit: 5}, nil, "5"},
		"more than a page":              {policy.Definition{}, ListOptions{Limit: 500}, nil, "100"},
		"Bitbucket filters":             {policy.Definition{}, ListOptions{Limit: 5, Query: "x"}, nil, "5"},
		"text that cannot be sent":      {policy.Definition{}, ListOptions{Limit: 5, Query: "ü"}, nil, "100"},
		"Bitbucket does not filter":     {policy.Definition{}, ListOptions{Limit: 5, Query: "x"}, []sample.Fault{refuse}, "100"},
		"patterns":                      {policy.Definition{Repositories: []string{"x.*"}}, ListOptions{Limit: 5}, nil, "100"},
		"branch patterns hide rows too": {policy.Definition{Branches: []string{"main"}}, ListOptions{Limit: 5}, nil, "100"},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			s.Fail(test.faults...)
			test.options.Budget = budget()
			_, err := s.client.Repositories(t.Context(), s.workspace(t, test.definition), test.options)
			require.NoError(t, err)
			journal := s.Journal()
			assert.Equal(t, test.want, journal[len(journal)-1].Query.Get("pagelen"))
		})
	}
}

// Whatever a caller writes, the expression that is made of it is one string
// after each operator: no text ends the string that it stands in.
func FuzzContains(f *testing.F) {
	for _, text := range []string{"web", `" OR slug ~ "`, `\`, `\"`, "a\x00b", "é", `x" OR (is_private = true`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q := contains(text, "slug", "name")
		if q == "" {
			return
		}
		assert.Equal(t, `(slug ~ "`+text+`" OR name ~ "`+text+`")`, q)
		assert.NotContains(t, text, `"`)
		assert.NotContains(t, text, `\`)
	})
}
