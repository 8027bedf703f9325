package sample

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// Each planted repository has a file of every kind, and its branches differ.
func TestDemoFiles(t *testing.T) {
	s := Demo(Options{})
	c := serve(t, s)
	kinds := map[string]bool{}
	answer := c.get("/repositories/acme/duplocloud/src/main/", "max_depth", "9", "pagelen", "100")
	for _, value := range answer.values() {
		row := value.(map[string]any)
		kinds[row["type"].(string)] = true
		attributes, _ := row["attributes"].([]any)
		for _, attribute := range attributes {
			kinds[attribute.(string)] = true
		}
	}
	for _, kind := range []string{"commit_file", "commit_directory", "link", "executable", "subrepository", "binary", "lfs"} {
		assert.True(t, kinds[kind], kind)
	}
	prices := c.get("/repositories/acme/duplocloud/src/main/data/prices.csv").text
	assert.Equal(t, 3001, strings.Count(prices, "\n"))
	for _, path := range []string{"docs/release%20notes.md", "docs/%C3%9Cberblick.md", "docs/issue%20%231.md", "docs/100%25%20coverage.md"} {
		assert.Equal(t, 200, c.get("/repositories/acme/duplocloud/src/main/"+path).status, path)
	}
	assert.Contains(t, c.get("/repositories/acme/duplocloud/src/main/src/config/windows.ini").text, "\r\n")

	heads, err := s.Branches("acme", "duplocloud")
	require.NoError(t, err)
	for _, branch := range []string{"develop", "release/2.4", "hotfix/2.4.1", "feature/login-form"} {
		diff := c.get("/repositories/acme/duplocloud/diff/" + heads[branch] + ".." + heads["main"]).text
		assert.Contains(t, diff, "diff --git ", branch)
	}
	tags, err := s.Tags("acme", "duplocloud")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"v1.0": heads["main"]}, tags)
}

// A fork goes on from what it is a fork of, and has one commit more.
func TestDemoForks(t *testing.T) {
	s := Demo(Options{})
	parent, err := s.Reachable("acme", "checkout-api", "main")
	require.NoError(t, err)
	fork, err := s.Reachable("acme", "checkout-api-sandbox", "main")
	require.NoError(t, err)
	assert.Len(t, fork, len(parent)+1)
	for hash := range parent {
		assert.True(t, fork[hash])
	}
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
