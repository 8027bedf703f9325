package sample

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Repository is what AddRepository takes. Workspace is required, and Slug or
// Name; the rest may be left out.
type Repository struct {
	Workspace      string
	Slug           string // made of Name when empty
	Name           string // as people see it; the slug when empty
	Private        bool
	Description    string
	Language       string
	ProjectKey     string // none when empty
	ProjectName    string // the key when empty
	DefaultBranch  string // none when empty, as in an empty repository
	ParentFullName string // of what it is a fork of: workspace/slug, added before
	CreatedOn      time.Time
	UpdatedOn      time.Time // CreatedOn when zero
}

// FullName is workspace/slug.
func (r Repository) FullName() string { return r.Workspace + "/" + r.Slug }

type repository struct {
	Repository
	workspace *workspace
	work      work
	uuid      string
	size      int
	branches  []branch // in the order they were added
	tags      []tag    // by name

	// A fork shares these with what it is a fork of, as on the real service: a
	// commit that only the fork has is found through the parent too.
	commits map[string]*commit
	trees   *treeCache
}

func (r *repository) fullName() string { return r.workspace.slug + "/" + r.Slug }

var slugShape = regexp.MustCompile(`^[a-z0-9_.-]{1,128}$`)

// AddRepository adds a repository without branches, and its workspace if that
// is new. A fork has no branches either, but it and its parent answer for each
// other's commits by hash. It fails when the slug is taken or is none.
func (s *Server) AddRepository(r Repository) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r = s.withDefaults(r)
	if !slugShape.MatchString(r.Slug) {
		return fmt.Errorf("adding repository: %q is no slug", r.Slug)
	}
	w := s.ensureWorkspace(r.Workspace)
	if w.find(r.Slug) != nil {
		return fmt.Errorf("adding repository: %s exists", r.FullName())
	}
	delete(w.moved, r.Slug)
	added := &repository{
		Repository: r, workspace: w,
		// A later repository of the same name is another one.
		uuid:    uuid("repository", fmt.Sprintf("%s %d", r.FullName(), s.added)),
		size:    40_000 + len(r.FullName())*7_919,
		commits: map[string]*commit{},
		trees:   &treeCache{},
	}
	if parent, err := s.ownFullName(r.ParentFullName); err == nil {
		added.commits, added.trees = parent.commits, parent.trees
	}
	w.repos = append(w.repos, added)
	s.added++
	return nil
}

func (s *Server) withDefaults(r Repository) Repository {
	r.Workspace = strings.ToLower(r.Workspace)
	if r.Slug == "" {
		r.Slug = strings.ReplaceAll(strings.ToLower(r.Name), " ", "-")
	}
	if r.Name == "" {
		r.Name = r.Slug
	}
	if r.ProjectName == "" {
		r.ProjectName = r.ProjectKey
	}
	if r.CreatedOn.IsZero() {
		r.CreatedOn = firstDay.Add(time.Duration(s.added) * 37 * time.Minute)
	}
	if r.UpdatedOn.IsZero() {
		r.UpdatedOn = r.CreatedOn
	}
	return r
}

// RenameRepository gives a repository another slug. The old one answers 301
// from then on, until a repository is added under it.
func (s *Server) RenameRepository(workspace, oldSlug, newSlug string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, oldSlug)
	if err != nil {
		return fmt.Errorf("renaming repository: %w", err)
	}
	if !slugShape.MatchString(newSlug) || r.workspace.find(newSlug) != nil {
		return fmt.Errorf("renaming repository: %q is taken or no slug", newSlug)
	}
	r.workspace.moved[r.Slug] = r.uuid
	delete(r.workspace.moved, newSlug)
	r.Slug, r.Name = newSlug, newSlug
	return nil
}

// DeleteRepository takes a repository away.
func (s *Server) DeleteRepository(workspace, slug string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return fmt.Errorf("deleting repository: %w", err)
	}
	w := r.workspace
	w.repos = slices.DeleteFunc(w.repos, func(other *repository) bool { return other == r })
	return nil
}

// own finds a repository for one of the methods that change it.
func (s *Server) own(workspace, slug string) (*repository, error) {
	if w := s.workspace(workspace); w != nil {
		if r := w.find(slug); r != nil {
			return r, nil
		}
	}
	return nil, fmt.Errorf("no repository %s/%s", workspace, slug)
}

func (s *Server) ownFullName(name string) (*repository, error) {
	workspace, slug, _ := strings.Cut(name, "/")
	return s.own(workspace, slug)
}

// find takes a slug, in any case, or a {uuid}.
func (w *workspace) find(name string) *repository {
	for _, r := range w.repos {
		if r.uuid == name || strings.EqualFold(r.Slug, name) {
			return r
		}
	}
	return nil
}
