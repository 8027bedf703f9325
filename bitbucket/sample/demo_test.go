package sample

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// slugs reads all slugs of acme, page by page.
func (c client) slugs(pairs ...string) []string {
	c.t.Helper()
	page := c.get("/repositories/acme", append(pairs, "pagelen", "100")...)
	slugs := page.column("slug")
	for page.body["next"] != nil {
		page = c.follow(page.body["next"].(string))
		slugs = append(slugs, page.column("slug")...)
	}
	return slugs
}

func TestDemo(t *testing.T) {
	c := serve(t, Demo(Options{}))
	slugs := c.slugs()
	assert.Len(t, slugs, 61)
	prefixed := slices.DeleteFunc(slices.Clone(slugs), func(s string) bool { return !strings.HasPrefix(s, "duplocloud-") })
	assert.Len(t, prefixed, 7)
	assert.Contains(t, slugs, "old-monolith")

	entry := c.get("/repositories/acme/duplocloud").body
	assert.Equal(t, "Duplocloud", entry["name"])
	assert.Equal(t, "main", entry["mainbranch"].(map[string]any)["name"])
	assert.Equal(t, "Platform", entry["project"].(map[string]any)["name"])
	assert.Equal(t, []string{
		"main", "develop", "feature/faster-start", "feature/login-form", "release/2.4", "hotfix/2.4.1",
	}, c.get("/repositories/acme/duplocloud/refs/branches").column("name"))

	visibility, forks := map[any]int{}, 0
	for _, slug := range slugs {
		r := c.get("/repositories/acme/" + slug).body
		assert.Contains(t, r["description"], "(sample data)", slug)
		assert.NotNil(t, r["project"], slug)
		visibility[r["is_private"]]++
		if r["parent"] != nil {
			forks++
		}
	}
	assert.Positive(t, visibility[true])
	assert.Positive(t, visibility[false])
	assert.Equal(t, 2, forks)
}

func TestDemoIsTheSameInEveryRun(t *testing.T) {
	ask := func() string {
		c := serve(t, Demo(Options{}))
		answer := c.get("/repositories/acme/duplocloud/refs/branches").text
		return strings.ReplaceAll(answer, c.base, "")
	}
	assert.Equal(t, ask(), ask())
}

func TestLarge(t *testing.T) {
	c := serve(t, Large(Options{}, 1000))
	slugs := c.slugs("fields", "values.slug,next")
	assert.Len(t, slugs, 1000)
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(slugs))), 1000, "no name twice")
	assert.False(t, slices.IsSorted(slugs))

	prefix := regexp.MustCompile(`^duplocloud-.*`)
	for tenth := range slices.Chunk(slugs, 100) {
		n := len(slices.DeleteFunc(slices.Clone(tenth), func(s string) bool { return !prefix.MatchString(s) }))
		assert.InDelta(t, 5.7, n, 1, "spread evenly")
	}
	assert.Len(t, c.slugs("q", `slug ~ "duplocloud-"`), 57)
	assert.Len(t, c.slugs("q", `slug ~ "duplocloud"`), 57, "nothing else is alike")
}

func TestLargeNamesStartOverWithANumber(t *testing.T) {
	seen := map[string]bool{}
	for i := range 3000 {
		name := largeName(i)
		assert.False(t, seen[name], name)
		seen[name] = true
	}
}
