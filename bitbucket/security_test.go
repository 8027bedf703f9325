package bitbucket_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inTable is one line of the table in docs/security.md: an endpoint, and what
// is judged before and after.
var inTable = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*) \\| (.*) \\|$")

func tableOfEndpoints(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "security.md"))
	require.NoError(t, err)
	table := map[string][]string{}
	for _, line := range inTable.FindAllStringSubmatch(string(page), -1) {
		endpoint := strings.Replace(line[1], "{R}", "/repositories/{workspace}/{repo_slug}", 1)
		assert.NotContains(t, table, endpoint, "it stands there twice")
		table[endpoint] = line[2:]
	}
	return table
}

// pathLike is text that could be an endpoint.
var pathLike = regexp.MustCompile(`^/[a-z{]`)

// routesOfClient returns the constants of type route, and fails the test for
// text that looks like a path and is none of them: it would be a route that
// nobody has listed.
func routesOfClient(t *testing.T) map[string]bool {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	routes, inRoutes := map[string]bool{}, map[ast.Node]bool{}
	visit := func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.ValueSpec:
			if named, ok := n.Type.(*ast.Ident); ok && named.Name == "route" {
				for _, value := range n.Values {
					text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
					require.NoError(t, err)
					routes[text], inRoutes[value] = true, true
				}
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && !inRoutes[n] {
				assert.NotRegexp(t, pathLike, text, "an endpoint is a constant of type route")
			}
		}
		return true
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, visit)
	}
	return routes
}

// An endpoint that somebody adds has to say what is judged before it is asked
// and in its answer, and one that is gone is not claimed any more.
func TestEveryEndpointIsInTheTable(t *testing.T) {
	table, routes := tableOfEndpoints(t), routesOfClient(t)
	require.NotEmpty(t, routes)
	for route := range routes {
		if assert.NotEmpty(t, table[route], "docs/security.md does not say what is judged of %s", route) {
			for _, cell := range table[route] {
				assert.Greater(t, len(strings.TrimSpace(cell)), 10, "%s: say what is judged", route)
			}
		}
	}
	for endpoint := range table {
		assert.True(t, routes[endpoint], "docs/security.md tells of %s, which the client does not use", endpoint)
	}
}
