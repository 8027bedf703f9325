package sample

import (
	"html"
	"strings"
)

// commit is the whole object, as the commit endpoints give it.
func (d drawing) commit(r *repository, c *commit) object {
	o := d.target(r, c)
	o["participants"] = []any{}
	o["rendered"] = object{"message": rendered(c.Message)}
	o["summary"] = rendered(c.Message)
	return o
}

func rendered(message string) object {
	return object{
		"type": "rendered", "markup": "markdown", "raw": message,
		"html": "<p>" + html.EscapeString(strings.TrimSpace(message)) + "</p>",
	}
}

// target is the form that a branch carries.
func (d drawing) target(r *repository, c *commit) object {
	self := d.base + "/repositories/" + r.fullName()
	links := d.parent(r, c.hash)["links"].(object)
	links["diff"] = href(self + "/diff/" + c.hash)
	links["patch"] = href(self + "/patch/" + c.hash)
	for _, name := range []string{"approve", "comments", "statuses"} {
		links[name] = href(self + "/commit/" + c.hash + "/" + name)
	}
	parents := []any{}
	for _, hash := range c.Parents {
		parents = append(parents, d.parent(r, hash))
	}
	return object{
		"type": "commit", "hash": c.hash, "message": c.Message,
		"date":       c.Date.UTC().Format("2006-01-02T15:04:05+00:00"),
		"author":     d.author(c.Author),
		"repository": d.repositoryInside(r),
		"parents":    parents,
		"links":      links,
	}
}

func (d drawing) parent(r *repository, hash string) object {
	return object{
		"type": "commit", "hash": hash,
		"links": object{
			"self": href(d.base + "/repositories/" + r.fullName() + "/commit/" + hash),
			"html": href(site + r.fullName() + "/commits/" + hash),
		},
	}
}

func (d drawing) author(raw string) object {
	name, _, _ := strings.Cut(raw, " <")
	return object{"type": "author", "raw": raw, "user": d.user(name)}
}
