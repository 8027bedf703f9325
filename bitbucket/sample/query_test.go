package sample

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// quote writes a text as the q language has it.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func TestQuery(t *testing.T) {
	s := small(t, Options{})
	c := serve(t, s)
	tests := []struct{ q, want string }{
		{``, "web api docs"},
		{` `, "web api docs"},
		{`slug = "api"`, "api"},
		{`slug="API"`, ""},
		{`slug != "api"`, "web docs"},
		{`slug ~ "A"`, "api"},
		{`name ~ "web SHOP"`, "web"},
		{`slug !~ "a"`, "web docs"},
		{`slug > "api"`, "web docs"},
		{`slug >= "api" AND slug <= "docs"`, "api docs"},
		{`slug < "docs"`, "api"},
		{`full_name = "acme/web"`, "web"},
		{`is_private = true`, "api docs"},
		{`is_private != true`, "web"},
		{`language = "go" OR language = "typescript"`, "web api"},
		{`project.key = null`, "web docs"},
		{`project.key != null`, "api"},
		{`project.key = "P"`, "api"},
		{`project.key < "Z"`, "api"},
		{`description = ""`, "web api docs"},
		{`slug = "web" OR slug = "api" AND is_private = false`, "web"},
		{`(slug = "web" OR slug = "api") AND is_private = true`, "api"},
		{`((slug = "web"))`, "web"},
		{`slug ~ "a\"b"`, ""},
		{`slug ~ "\a\p"`, "api"},
		{`updated_on > 2021-03-01`, "web api docs"},
		{`updated_on > 2021-03-01T09:00:00+00:00`, "api docs"},
		{`updated_on >= "2021-03-01T10:00:00.000+01:00"`, "web api docs"},
		{`updated_on = 2021-03-01T09:00:00`, "web"},
	}
	for _, test := range tests {
		answer := c.get("/repositories/acme", "q", test.q)
		assert.Equal(t, http.StatusOK, answer.status, "%s: %s", test.q, answer.text)
		assert.Equal(t, test.want, strings.Join(answer.column("slug"), " "), test.q)
	}
	head, _ := s.Head("acme", "api", "main")
	branches := c.get("/repositories/acme/api/refs/branches", "q", `name ~ "AI" OR target.hash = "`+head+`"`)
	assert.Equal(t, []string{"main"}, branches.column("name"))
}

func TestBadQuery(t *testing.T) {
	c := serve(t, small(t, Options{}))
	tests := []struct{ q, message string }{
		{`colour = "red"`, `Field "colour" does not support filtering`},
		{`target.hash = "a"`, `Field "target.hash" does not support filtering`},
		{`slug`, `Invalid query: unexpected end at 4`},
		{`slug =`, `Invalid query: unexpected end at 6`},
		{`slug = api`, `Invalid query: unexpected "api" at 7`},
		{`slug = "api`, `Invalid query: no end of the text that begins at 7`},
		{`slug = "api\`, `Invalid query: no end of the text that begins at 7`},
		{`slug = "a" slug = "b"`, `Invalid query: unexpected "slug" at 11`},
		{`slug = "a" and slug = "b"`, `Invalid query: unexpected "and" at 11`},
		{`(slug = "a"`, `Invalid query: unexpected end at 11`},
		{`slug = "a")`, `Invalid query: unexpected ")" at 10`},
		{`AND slug = "a"`, `Field "AND" does not support filtering`},
		{`slug = "a" AND`, `Invalid query: unexpected end at 14`},
		{`slug & "a"`, `Invalid query: unexpected '&' at 5`},
		{`slug ~ null`, `Invalid query: unexpected "~" at 5`},
		{`slug > null`, `Invalid query: unexpected ">" at 5`},
		{`is_private ~ true`, `Invalid query: unexpected "~" at 11`},
		{`is_private > true`, `Invalid query: unexpected ">" at 11`},
		{`is_private = "true"`, `Invalid query: unexpected "true" at 13`},
		{`updated_on ~ 2021-03-01`, `Invalid query: unexpected "~" at 11`},
		{`updated_on > 2021-03-01T09:00:00Z`, `Invalid query: "2021-03-01T09:00:00Z" at 13 is no date`},
		{strings.Repeat("(", 51) + `slug = "a"`, `Invalid query: nested too deep at 50`},
	}
	for _, test := range tests {
		answer := c.get("/repositories/acme", "q", test.q)
		assert.Equal(t, http.StatusBadRequest, answer.status, test.q)
		assert.Equal(t, test.message, answer.message(), test.q)
		assert.Equal(t, "error", answer.body["type"])
	}
}

// FuzzQuery states two properties: no text makes the parser panic, and any
// text that is quoted is compared as it is.
func FuzzQuery(f *testing.F) {
	for _, example := range []string{
		"", `slug = "a"`, `(name ~ "x" OR is_private = true) AND updated_on > 2021-03-01`,
		`"`, `\`, `slug = "\`, "slug \x00", `project.key != null`, "ſ", strings.Repeat("(", 200),
	} {
		f.Add(example, "acme")
	}
	f.Fuzz(func(t *testing.T, q, name string) {
		row := &repository{Repository: Repository{Slug: name}, workspace: &workspace{slug: "acme"}}
		if keep, err := parseQuery(q, repositoryFields); err == nil {
			keep(row)
		} else {
			assert.NotEmpty(t, err.Error())
		}
		keep, err := parseQuery("slug = "+quote(name)+" AND slug ~ "+quote(name), repositoryFields)
		if assert.NoError(t, err) {
			assert.True(t, keep(row))
		}
	})
}
