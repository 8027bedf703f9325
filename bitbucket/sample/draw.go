package sample

import (
	"crypto/sha1"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// uuid makes an identifier that is the same in every run.
func uuid(kind, name string) string {
	h := sha1.Sum([]byte(kind + "\x00" + name))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80 // version 5, as RFC 9562 has it
	return fmt.Sprintf("{%x-%x-%x-%x-%x}", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// nickname makes a user name of a person's name or email address.
func nickname(name string) string {
	name, _, _ = strings.Cut(name, "@")
	return strings.ToLower(strings.ReplaceAll(name, " ", "-"))
}

// drawing makes the JSON of things; base is the API as the client reached it.
type drawing struct{ base string }

// site is where the pages for people are, whatever the API's address.
const site = "https://bitbucket.org/"

func href(address string) object { return object{"href": address} }

func (d drawing) workspace(w *workspace) object {
	self := d.base + "/workspaces/" + w.slug
	return object{
		"type": "workspace", "uuid": w.uuid, "slug": w.slug, "name": w.name,
		"is_private": false, "is_privacy_enforced": false, "forking_mode": "allow_forks",
		"created_on": stamp(w.created),
		"links": object{
			"avatar":       href(site + "workspaces/" + w.slug + "/avatar/"),
			"html":         href(site + w.slug + "/"),
			"members":      href(self + "/members"),
			"owners":       href(self + "/members?q=permission%3D%22owner%22"),
			"projects":     href(self + "/projects"),
			"repositories": href(d.base + "/repositories/" + w.slug),
			"self":         href(self),
			"snippets":     href(d.base + "/snippets/" + w.slug),
		},
	}
}

// workspaceInside is the shorter form that a repository carries.
func (d drawing) workspaceInside(w *workspace) object {
	return object{
		"type": "workspace", "uuid": w.uuid, "slug": w.slug, "name": w.name,
		"links": object{
			"avatar": href(site + "workspaces/" + w.slug + "/avatar/"),
			"html":   href(site + w.slug + "/"),
			"self":   href(d.base + "/workspaces/" + w.slug),
		},
	}
}

func (d drawing) owner(w *workspace) object {
	return object{
		"type": "team", "username": w.slug, "display_name": w.name, "uuid": w.uuid,
		"links": object{
			"avatar": href(site + "account/" + w.slug + "/avatar/"),
			"html":   href(site + url.PathEscape(w.uuid) + "/"),
			"self":   href(d.base + "/workspaces/" + url.PathEscape(w.uuid)),
		},
	}
}

func (d drawing) user(name string) object {
	id := uuid("user", name)
	self := d.base + "/users/" + url.PathEscape(id)
	return object{
		"type": "user", "uuid": id, "display_name": name, "nickname": nickname(name),
		"account_id": "557058:" + strings.Trim(id, "{}"), "account_status": "active",
		"links": object{
			"avatar": href(site + "account/" + nickname(name) + "/avatar/"),
			"html":   href(site + url.PathEscape(id) + "/"),
			"self":   href(self),
		},
	}
}

// stamp is the time format of everything but commits.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }
