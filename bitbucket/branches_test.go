package bitbucket

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

func TestBranches(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	s := on(t, upstream.Server)
	page, err := s.client.Branches(t.Context(), s.repo(t, "api", policy.Definition{Branches: []string{"main", "feature/.*"}}), ListOptions{Limit: 10, Detail: Full, Budget: budget()})
	require.NoError(t, err)
	require.Equal(t, []string{"feature/x", "main"}, names(page.Rows))
	assert.Nil(t, page.Next)
	assert.Equal(t, upstream.Feature, page.Rows[0].Commit)
	assert.Equal(t, "Work on feature/x", page.Rows[0].Message)
	assert.False(t, page.Rows[0].UpdatedOn.IsZero())
	assert.Equal(t, "feature/x", page.Rows[0].Branch.Name(), "a row carries the right to its branch")
	assert.True(t, page.Rows[0].Branch.Checked())
	assert.Equal(t, "api", page.Rows[0].Branch.Repo().Slug())
}

func TestBranchDetails(t *testing.T) {
	for detail, fields := range map[Detail]string{
		Names: "values.name,values.target.repository.full_name",
		Rows:  "values.name,values.target.repository.full_name,values.target.hash,values.target.date",
		Full:  "values.name,values.target.repository.full_name,values.target.hash,values.target.date,values.target.message",
	} {
		s := on(t, bitbuckettest.NewNeighbours(t).Server)
		_, err := s.client.Branches(t.Context(), s.repo(t, "api", policy.Definition{}), ListOptions{Limit: 10, Detail: detail, Budget: budget()})
		require.NoError(t, err)
		assert.Equal(t, "next,size,pagelen,"+fields, s.Journal()[0].Query.Get("fields"))
	}
}

// Branch rows are judged by name, and by the repository that their commit lies
// in: after a rename the list may be that of another.
func TestBranchRowsAreJudged(t *testing.T) {
	row := func(name, fullName any) map[string]any {
		return map[string]any{"name": name, "target": map[string]any{"repository": map[string]any{"full_name": fullName}}}
	}
	own := func(name any) map[string]any { return row(name, "acme/api") }
	for name, test := range map[string]struct {
		row   any
		shown bool
	}{
		"allowed":                              {own("main"), true},
		"allowed, the name in another case":    {row("main", "Acme/API"), true},
		"another branch":                       {own("secret/y"), false},
		"holds an allowed name":                {own("not-main"), false},
		"begins with an allowed name":          {own("mainx"), false},
		"another case":                         {own("Main"), false},
		"allowed and a line more":              {own("main\nsecret/y"), false},
		"an invisible letter":                  {own("feature/\u200bx"), false},
		"turned round":                         {own("feature/\u202ex"), false},
		"an escape":                            {own("feature/\x1b[2J"), false},
		"revision syntax":                      {own("feature/x~1"), false},
		"dots":                                 {own("feature/../secret/y"), false},
		"a letter that looks like s":           {own("feature/ſ"), false},
		"a full ref":                           {own("refs/heads/main"), false},
		"no name":                              {own(""), false},
		"null name":                            {own(nil), false},
		"null row":                             {nil, false},
		"commit of another repository":         {row("main", "acme/api-secret"), false},
		"commit of another allowed repository": {row("main", "acme/web"), false},
		"commit of another workspace":          {row("main", "mallory/api"), false},
		"repository unknown":                   {row("main", nil), false},
		"no repository":                        {map[string]any{"name": "main", "target": map[string]any{"repository": nil}}, false},
		"no target":                            {map[string]any{"name": "main", "target": nil}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			s.Fail(returning(map[string]any{"values": []any{test.row}}))
			page, err := s.client.Branches(t.Context(), s.repo(t, "api", policy.Definition{
				Repositories: []string{"api", "web"}, Branches: []string{"main", "feature/.*"},
			}), ListOptions{Limit: 10, Budget: budget()})
			require.NoError(t, err)
			assert.Equal(t, test.shown, len(page.Rows) == 1)
		})
	}
}

func TestBranchFieldsAreCleaned(t *testing.T) {
	for name, test := range map[string]struct {
		target map[string]any
		want   Branch
	}{
		"all":           {map[string]any{"hash": strings.Repeat("a1", 20), "date": "2020-01-02T03:04:05+00:00", "message": "\n First\u202e line \r\nSecond"}, Branch{Commit: strings.Repeat("a1", 20), UpdatedOn: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), Message: "First line"}},
		"none":          {map[string]any{}, Branch{}},
		"no hash":       {map[string]any{"hash": "main; rm -rf /", "date": "soon", "message": "\x00\x1b"}, Branch{}},
		"long message":  {map[string]any{"message": strings.Repeat("x", 300)}, Branch{Message: strings.Repeat("x", maxName-1) + "…"}},
		"hash too long": {map[string]any{"hash": strings.Repeat("a", 41)}, Branch{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := on(t, bitbuckettest.NewNeighbours(t).Server)
			test.target["repository"] = map[string]any{"full_name": "acme/api"}
			s.Fail(returning(map[string]any{"values": []any{map[string]any{"name": "main", "target": test.target}}}))
			page, err := s.client.Branches(t.Context(), s.repo(t, "api", policy.Definition{}), ListOptions{Limit: 10, Budget: budget()})
			require.NoError(t, err)
			require.Len(t, page.Rows, 1)
			got := page.Rows[0]
			got.Branch, test.want.Name = policy.Branch{}, "main"
			assert.Equal(t, test.want, got)
		})
	}
}

// Going on yields every branch once, as it does for repositories.
func TestGoingOnThroughBranches(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		s := inMemory(t, one(t, sample.Options{OpaqueNext: opaque}))
		head, err := s.Head("acme", "api", "main")
		require.NoError(t, err)
		var want []string
		for i := range 230 {
			name := fmt.Sprintf("feature/%03d", i)
			require.NoError(t, s.SetBranch("acme", "api", name, head))
			require.NoError(t, s.SetBranch("acme", "api", fmt.Sprintf("secret/%03d", i), head))
			want = append(want, name)
		}
		repo := s.repo(t, "api", policy.Definition{Branches: []string{".*/.*"}, ExcludeBranches: []string{"secret/.*"}})
		var got []string
		o := ListOptions{Limit: 70}
		for calls := 0; ; calls++ {
			require.Less(t, calls, 10)
			o.Budget = NewBudget(2)
			page, err := s.client.Branches(t.Context(), repo, o)
			require.NoError(t, err)
			got = append(got, names(page.Rows)...)
			if page.Next == nil {
				break
			}
			o.From = *page.Next
		}
		assert.Equal(t, want, got)
	}
}
