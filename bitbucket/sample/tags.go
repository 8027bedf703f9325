package sample

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Tag is what SetTag takes.
type Tag struct {
	Name string
	Hash string // of a commit, in full

	// Message makes it an annotated tag. Without one it is a mere name.
	Message string
	Tagger  string    // Name <address>; Sample Author when empty
	Date    time.Time // that of the commit when zero
}

type tag struct {
	Tag
	target *commit
}

// SetTag adds a tag, or moves the one of that name. It may have the name of a
// branch. Any name is taken, so that tests can have the hostile.
func (s *Server) SetTag(workspace, slug string, t Tag) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return fmt.Errorf("setting tag: %w", err)
	}
	target := r.commits[t.Hash]
	switch {
	case t.Name == "":
		return errors.New("setting tag: no name")
	case target == nil:
		return fmt.Errorf("setting tag: %s has no commit %q", r.fullName(), t.Hash)
	}
	t.Tagger = cmp.Or(t.Tagger, sampleAuthor)
	if t.Date.IsZero() {
		t.Date = target.Date
	}
	i, have := r.tagIndex(t.Name)
	if !have {
		r.tags = slices.Insert(r.tags, i, tag{})
	}
	r.tags[i] = tag{t, target}
	return nil
}

// DeleteTag takes a tag away.
func (s *Server) DeleteTag(workspace, slug, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return fmt.Errorf("deleting tag: %w", err)
	}
	i, have := r.tagIndex(name)
	if !have {
		return fmt.Errorf("deleting tag: %s has no tag %q", r.fullName(), name)
	}
	r.tags = slices.Delete(r.tags, i, i+1)
	return nil
}

// tagIndex is where the tag is, or would be put.
func (r *repository) tagIndex(name string) (i int, have bool) {
	return slices.BinarySearchFunc(r.tags, name, func(t tag, name string) int { return cmp.Compare(t.Name, name) })
}

// tagFields are what q and sort may name.
var tagFields = fields[tag]{
	"name":        {text, func(t tag) any { return t.Name }},
	"target.hash": {text, func(t tag) any { return t.target.hash }},
	"target.date": {moment, func(t tag) any { return t.target.Date }},
}

func (s *Server) listTags(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	return list(c, s.options.OpaqueNext, r.tags, tagFields, func(t tag) object {
		return drawing{c.base()}.tag(r, t)
	})
}

func (s *Server) getTag(c *call) (object, error) {
	r, err := s.repository(c)
	if err != nil {
		return nil, err
	}
	i, have := r.tagIndex(c.vars[2])
	if !have {
		return nil, &failure{
			status:  http.StatusNotFound,
			message: fmt.Sprintf("No tag named %q", c.vars[2]),
		}
	}
	return drawing{c.base()}.tag(r, r.tags[i]), nil
}

func (d drawing) tag(r *repository, t tag) object {
	self := d.base + "/repositories/" + r.fullName()
	o := object{
		"type": "tag", "name": t.Name, "message": nil, "date": nil, "tagger": nil,
		"target": lazy(func() object { return d.target(r, t.target) }),
		"links": object{
			"commits": href(self + "/commits/" + t.Name),
			"self":    href(self + "/refs/tags/" + t.Name),
			"html":    href(site + r.fullName() + "/commits/tag/" + t.Name),
		},
	}
	if t.Message != "" {
		o["message"] = t.Message
		o["date"] = commitStamp(t.Date)
		o["tagger"] = d.author(t.Tagger)
	}
	return o
}
