package sample

import (
	"net/url"
	"strings"
)

// drawRepository is the whole object. A fork names its parent, also one that
// the caller may not see: clients must judge for themselves.
func (s *Server) drawRepository(c *call, r *repository) object {
	d := drawing{c.base()}
	o := d.repository(r)
	if r.ParentFullName != "" {
		workspace, slug, _ := strings.Cut(r.ParentFullName, "/")
		if parent := s.lookUp(workspace, slug); parent != nil {
			o["parent"] = d.repositoryInside(parent)
		}
	}
	return o
}

func (d drawing) repository(r *repository) object {
	o := d.repositoryInside(r)
	o["links"] = lazy(func() object { return d.repositoryLinks(r) })
	o["slug"] = r.Slug
	o["description"] = r.Description
	o["scm"] = "git"
	o["website"] = nil
	o["owner"] = lazy(func() object { return d.owner(r.workspace) })
	o["workspace"] = lazy(func() object { return d.workspaceInside(r.workspace) })
	o["is_private"] = r.Private
	o["fork_policy"] = "allow_forks"
	o["created_on"] = stamp(r.CreatedOn)
	o["updated_on"] = stamp(r.UpdatedOn)
	o["size"] = r.size
	o["language"] = r.Language
	o["has_issues"] = false
	o["has_wiki"] = false
	o["mainbranch"] = nil
	o["project"] = nil
	if r.DefaultBranch != "" {
		o["mainbranch"] = object{"type": "branch", "name": r.DefaultBranch}
	}
	if r.ProjectKey != "" {
		o["project"] = lazy(func() object { return d.project(r) })
	}
	return o
}

// repositoryInside is the shorter form that commits and forks carry.
func (d drawing) repositoryInside(r *repository) object {
	return object{
		"type": "repository", "name": r.Name, "full_name": r.fullName(), "uuid": r.uuid,
		"links": lazy(func() object {
			return object{
				"self":   href(d.base + "/repositories/" + r.fullName()),
				"html":   href(site + r.fullName()),
				"avatar": href(avatar(r)),
			}
		}),
	}
}

func avatar(r *repository) string {
	return "https://bytebucket.org/ravatar/" + url.PathEscape(r.uuid) + "?ts=default"
}

func (d drawing) repositoryLinks(r *repository) object {
	self := d.base + "/repositories/" + r.fullName()
	links := object{
		"self": href(self), "html": href(site + r.fullName()), "avatar": href(avatar(r)),
		"branches": href(self + "/refs/branches"), "tags": href(self + "/refs/tags"), "source": href(self + "/src"),
		"clone": []any{
			object{"name": "https", "href": "https://bitbucket.org/" + r.fullName() + ".git"},
			object{"name": "ssh", "href": "git@bitbucket.org:" + r.fullName() + ".git"},
		},
	}
	for _, name := range []string{"commits", "downloads", "forks", "hooks", "pullrequests", "watchers"} {
		links[name] = href(self + "/" + name)
	}
	return links
}

func (d drawing) project(r *repository) object {
	w, key := r.workspace, r.ProjectKey
	return object{
		"type": "project", "key": key, "name": r.ProjectName, "uuid": uuid("project", w.slug+"/"+key),
		"links": object{
			"self":   href(d.base + "/workspaces/" + w.slug + "/projects/" + key),
			"html":   href(site + w.slug + "/workspace/projects/" + key),
			"avatar": href(site + "account/user/" + w.slug + "/projects/" + key + "/avatar/32"),
		},
	}
}
