package sample

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// many is a server with n repositories, r000 and on, added backwards.
func many(t *testing.T, n int, o Options) *Server {
	t.Helper()
	s := New(o)
	for i := range n {
		require.NoError(t, s.AddRepository(Repository{Workspace: "acme", Slug: fmt.Sprintf("r%03d", n-1-i)}))
	}
	return s
}

func TestPages(t *testing.T) {
	c := serve(t, many(t, 25, Options{}))
	first := c.get("/repositories/acme", "sort", "slug", "q", `slug ~ "r"`)
	assert.Equal(t, []string{"next", "page", "pagelen", "size", "values"}, keys(first.body))
	assert.EqualValues(t, 10, first.body["pagelen"])
	assert.EqualValues(t, 25, first.body["size"])
	assert.EqualValues(t, 1, first.body["page"])
	assert.Equal(t, c.base+"/repositories/acme?page=2&q=slug+~+%22r%22&sort=slug", first.body["next"])

	second := c.follow(first.body["next"].(string))
	assert.EqualValues(t, 2, second.body["page"])
	assert.Equal(t, "r010", second.column("slug")[0])
	last := c.follow(second.body["next"].(string))
	assert.Len(t, last.values(), 5)
	assert.NotContains(t, last.body, "next")

	beyond := c.get("/repositories/acme", "page", "9")
	assert.Equal(t, http.StatusOK, beyond.status)
	assert.Empty(t, beyond.values())
}

func TestPageParameters(t *testing.T) {
	c := serve(t, many(t, 3, Options{}))
	tests := []struct{ name, value, message string }{
		{"pagelen", "1", ""},
		{"pagelen", "100", ""},
		{"pagelen", "101", "Invalid pagelen"},
		{"pagelen", "0", "Invalid pagelen"},
		{"pagelen", "-1", "Invalid pagelen"},
		{"pagelen", "ten", "Invalid pagelen"},
		{"pagelen", "", "Invalid pagelen"},
		{"page", "0", "Invalid page"},
		{"page", "8xhd", "Invalid page"},
		{"page", "99999999999999999999", "Invalid page"},
		{"sort", "-updated_on", ""},
		{"sort", "colour", `Field "colour" does not support sorting`},
		{"role", "member", ""},
		{"role", "king", "Invalid role"},
	}
	for _, test := range tests {
		answer := c.get("/repositories/acme", test.name, test.value)
		assert.Equal(t, test.message, answer.message(), "%s=%s", test.name, test.value)
		assert.Equal(t, test.message != "", answer.status == http.StatusBadRequest)
	}
}

func TestOpaqueNext(t *testing.T) {
	c := serve(t, many(t, 25, Options{OpaqueNext: true}))
	first := c.get("/repositories/acme", "pagelen", "10", "sort", "slug")
	assert.Equal(t, []string{"next", "pagelen", "values"}, keys(first.body))
	slugs := first.column("slug")
	for next := first.body["next"]; next != nil; {
		page := c.follow(next.(string))
		slugs = append(slugs, page.column("slug")...)
		next = page.body["next"]
	}
	assert.Len(t, slugs, 25)
	assert.IsIncreasing(t, slugs)

	next, err := url.Parse(first.body["next"].(string))
	require.NoError(t, err)
	cursor := next.Query().Get("page")
	for what, pairs := range map[string][]string{
		"a number":         {"page", "2", "pagelen", "10", "sort", "slug"},
		"of another query": {"page", cursor, "pagelen", "10", "sort", "-slug"},
		"made up":          {"page", "8xhd", "pagelen", "10", "sort", "slug"},
	} {
		answer := c.get("/repositories/acme", pairs...)
		assert.Equal(t, "Invalid page", answer.message(), what)
	}
}

func TestSort(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	for sort, want := range map[string]string{
		"":            "web api docs",
		"slug":        "api docs web",
		"-slug":       "web docs api",
		"is_private":  "web api docs",
		"-is_private": "api docs web",
		"project.key": "web docs api",
		"-created_on": "docs api web",
	} {
		answer := c.get("/repositories/acme", "sort", sort)
		assert.Equal(t, want, strings.Join(answer.column("slug"), " "), sort)
	}
	branches := c.get("/repositories/acme/api/refs/branches", "sort", "-target.date")
	assert.Equal(t, []string{"feature/x", "main"}, branches.column("name"))
}
