package sample

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// repository finds what the path of a call names and the caller may see.
func (s *Server) repository(c *call) (*repository, error) {
	r := s.lookUp(c.vars[0], c.vars[1])
	if r == nil {
		return nil, s.missing(c)
	}
	if c.caller.sees(r) {
		return r, nil
	}
	if s.options.ForbidHidden {
		return nil, &failure{status: http.StatusForbidden, message: "You may not access this repository."}
	}
	return nil, noRepository(c)
}

// lookUp also knows the empty workspace {} with the uuid of a repository.
func (s *Server) lookUp(workspace, name string) *repository {
	if workspace == "{}" {
		for _, w := range s.workspaces {
			if i := slices.IndexFunc(w.repos, func(r *repository) bool { return r.uuid == name }); i >= 0 {
				return w.repos[i]
			}
		}
		return nil
	}
	if w := s.workspace(workspace); w != nil {
		return w.find(name)
	}
	return nil
}

// missing is a redirect where the repository was renamed, and else a 404.
func (s *Server) missing(c *call) error {
	w := s.workspace(c.vars[0])
	if w == nil {
		return noRepository(c)
	}
	r := w.find(w.moved[strings.ToLower(c.vars[1])])
	if r == nil || !c.caller.sees(r) {
		return noRepository(c)
	}
	// The first three segments below the API are repositories/workspace/slug.
	rest := strings.SplitN(strings.TrimPrefix(c.URL.EscapedPath(), apiPath+"/"), "/", 4)[3:]
	to := strings.Join(append([]string{c.base(), "repositories", w.slug, r.Slug}, rest...), "/")
	if c.URL.RawQuery != "" {
		to += "?" + c.URL.RawQuery
	}
	return &failure{status: http.StatusMovedPermanently, message: "Repository moved", location: to}
}

func noRepository(c *call) error {
	return &failure{
		status:  http.StatusNotFound,
		message: fmt.Sprintf("Repository %s/%s not found", c.vars[0], c.vars[1]),
	}
}

func (s *Server) getRepository(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	return s.drawRepository(c, r), nil
}

// roles are what the role parameter may say. The server knows one kind of
// access, so each of them means explicit access.
var roles = []string{"", "member", "contributor", "admin", "owner"}

func (s *Server) listRepositories(c *call) (object, error) {
	w := s.workspace(c.vars[0])
	if w == nil {
		return nil, noWorkspace(c.vars[0])
	}
	role := c.URL.Query().Get("role")
	if !slices.Contains(roles, role) {
		return nil, badRequest("Invalid role")
	}
	var visible []*repository
	for _, r := range w.repos {
		if c.caller.belongs(r) || role == "" && c.caller.sees(r) {
			visible = append(visible, r)
		}
	}
	return list(c, s.options.OpaqueNext, visible, repositoryFields, func(r *repository) object {
		return s.drawRepository(c, r)
	})
}

// repositoryFields are what q and sort may name.
var repositoryFields = fields[*repository]{
	"slug":        {text, func(r *repository) any { return r.Slug }},
	"name":        {text, func(r *repository) any { return r.Name }},
	"full_name":   {text, func(r *repository) any { return r.fullName() }},
	"description": {text, func(r *repository) any { return r.Description }},
	"language":    {text, func(r *repository) any { return r.Language }},
	"project.key": {text, func(r *repository) any { return orNull(r.ProjectKey) }},
	"is_private":  {truth, func(r *repository) any { return r.Private }},
	"created_on":  {moment, func(r *repository) any { return r.CreatedOn }},
	"updated_on":  {moment, func(r *repository) any { return r.UpdatedOn }},
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
