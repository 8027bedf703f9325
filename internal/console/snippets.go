package console

import (
	"slices"

	"bucketgate/internal/snippets"
)

// A snippet tells one MCP client of this server.
type snippet struct {
	snippets.Snippet
	Open bool
}

// endpoint is where a client of this role connects.
func (c *Console) endpoint(role string) string {
	if role == "admin" {
		return c.config.PublicURL + "/admin/mcp"
	}
	return c.config.AgentURL + "/mcp"
}

// snippets are the configurations of the MCP clients that a client of this role
// may run in; that of the chosen one is the first, and open.
func (c *Console) snippets(role, chosen string) []snippet {
	target := snippets.Target{URL: c.endpoint(role)}
	if role == "admin" {
		target.Name = "bucketgate-admin"
	}
	var list []snippet
	for _, s := range snippets.For(target) {
		if s.Client == chosen {
			list = slices.Insert(list, 0, snippet{Snippet: s})
			continue
		}
		list = append(list, snippet{Snippet: s})
	}
	list[0].Open = true
	return list
}
