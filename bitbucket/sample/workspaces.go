package sample

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Workspace is what AddWorkspace takes.
type Workspace struct {
	Slug      string
	Name      string    // the slug when empty
	CreatedOn time.Time // a fixed day when zero
}

type workspace struct {
	slug    string
	name    string
	uuid    string
	created time.Time
	repos   []*repository     // in the order they were added
	moved   map[string]string // old slug of a renamed repository to its uuid
}

// firstDay is when the sample world began; dates nobody gave follow it.
var firstDay = time.Date(2021, time.March, 1, 9, 0, 0, 0, time.UTC)

// AddWorkspace adds a workspace, or renames the one with that slug.
func (s *Server) AddWorkspace(w Workspace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.ensureWorkspace(w.Slug)
	if w.Name != "" {
		have.name = w.Name
	}
	if !w.CreatedOn.IsZero() {
		have.created = w.CreatedOn
	}
}

// ensureWorkspace finds or adds a workspace. The caller holds mu for writing.
func (s *Server) ensureWorkspace(slug string) *workspace {
	slug = strings.ToLower(slug)
	w := s.workspaces[slug]
	if w == nil {
		w = &workspace{
			slug: slug, name: slug, uuid: uuid("workspace", slug),
			created: firstDay, moved: map[string]string{},
		}
		s.workspaces[slug] = w
	}
	return w
}

// workspace finds a workspace by slug, in any case, or by {uuid}.
func (s *Server) workspace(name string) *workspace {
	if w := s.workspaces[strings.ToLower(name)]; w != nil {
		return w
	}
	for _, w := range s.workspaces {
		if w.uuid == name {
			return w
		}
	}
	return nil
}

func (s *Server) getWorkspace(c *call) (object, error) {
	w := s.workspace(c.vars[0])
	if w == nil || c.caller.account != nil && !listed(c.caller.account.Workspaces, w.slug) {
		return nil, noWorkspace(c.vars[0])
	}
	return drawing{c.base()}.workspace(w), nil
}

func noWorkspace(name string) error {
	return &failure{
		status:  http.StatusNotFound,
		message: fmt.Sprintf("No workspace with identifier '%s'.", name),
	}
}

func (s *Server) getUser(c *call) (object, error) {
	name := c.caller.name()
	if name == "" {
		name = "Sample User"
	}
	u := drawing{c.base()}.user(name)
	u["username"] = nickname(name)
	u["created_on"] = stamp(firstDay)
	u["is_staff"] = false
	u["has_2fa_enabled"] = nil
	u["location"] = nil
	u["website"] = nil
	return u, nil
}
