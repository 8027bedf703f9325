package sample

import (
	"html"
	"strings"
	"time"
)

// commit is the whole object, as the commit endpoint gives it.
func (d drawing) commit(r *repository, c *commit) object {
	o := d.listedCommit(r, c)
	o["participants"] = []any{}
	return o
}

// listedCommit is a row of a history.
func (d drawing) listedCommit(r *repository, c *commit) object {
	o := d.target(r, c)
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
		"date":       commitStamp(c.Date),
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

// author has no user if the commit names no address: Bitbucket knows its users
// by that.
func (d drawing) author(raw string) object {
	o := object{"type": "author", "raw": raw}
	if name, _, ok := strings.Cut(raw, " <"); ok {
		o["user"] = d.user(name)
	}
	return o
}

// commitStamp is the time format of commits and tags.
func commitStamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05+00:00") }
