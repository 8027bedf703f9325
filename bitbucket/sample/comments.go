package sample

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// firstPost is where the IDs of comments and tasks begin. The real ones are as
// large, and common to all repositories.
const firstPost = 400_000_001

// Comment is what AddComment takes.
type Comment struct {
	ID         int // given by AddComment
	Author     string
	Text       string  // markdown; a deleted comment has none for clients
	Parent     int     // the ID of the comment it replies to
	Inline     *Inline // nil for a comment on the whole
	Deleted    bool
	Pending    bool   // part of a review that is not submitted
	ResolvedBy string // empty as long as it is not resolved
	CreatedOn  time.Time
	UpdatedOn  time.Time // CreatedOn when zero
}

// Inline is where in the diff a comment stands. A line of 0 is none.
type Inline struct {
	Path               string
	From, To           int // line of the old and of the new file
	StartFrom, StartTo int // where several lines begin
	Outdated           bool
	Context            string // the lines around, as of when it was written
}

// AddComment adds a comment to a pull request and returns its ID.
func (s *Server) AddComment(workspace, slug string, pullRequest int, m Comment) (id int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.ownPullRequest(workspace, slug, pullRequest)
	if err != nil {
		return 0, fmt.Errorf("adding comment: %w", err)
	}
	if m.Parent != 0 && p.comment(m.Parent) == nil {
		return 0, fmt.Errorf("adding comment: there is no comment %d to reply to", m.Parent)
	}
	m.ID, m.CreatedOn = p.post(m.CreatedOn)
	m.Author = cmp.Or(m.Author, p.Author)
	if m.UpdatedOn.IsZero() {
		m.UpdatedOn = m.CreatedOn
	}
	if m.Inline != nil {
		at := *m.Inline
		m.Inline = &at
	}
	p.comments = append(p.comments, m)
	return m.ID, nil
}

// post gives what is new on a pull request its ID, and its time unless it has
// one.
func (p *pullRequest) post(given time.Time) (id int, at time.Time) {
	id = firstPost + p.within.work.posts
	p.within.work.posts++
	if given.IsZero() {
		given = p.CreatedOn.Add(time.Duration(len(p.comments)+len(p.tasks)+1) * 13 * time.Minute)
	}
	return id, given
}

// comment is nil where there is none of the ID.
func (p *pullRequest) comment(id int) *Comment {
	for i := range p.comments {
		if p.comments[i].ID == id {
			return &p.comments[i]
		}
	}
	return nil
}

func (p *pullRequest) commentCount() int {
	n := 0
	for i := range p.comments {
		if !p.comments[i].Deleted {
			n++
		}
	}
	return n
}

// commentFields are what q and sort may name.
var commentFields = fields[Comment]{
	"id":                {number, func(m Comment) any { return m.ID }},
	"parent.id":         {number, func(m Comment) any { return lineOrNull(m.Parent) }},
	"content.raw":       {text, func(m Comment) any { return m.text() }},
	"deleted":           {truth, func(m Comment) any { return m.Deleted }},
	"pending":           {truth, func(m Comment) any { return m.Pending }},
	"user.uuid":         {text, func(m Comment) any { return uuid("user", m.Author) }},
	"user.display_name": {text, func(m Comment) any { return m.Author }},
	"user.nickname":     {text, func(m Comment) any { return nickname(m.Author) }},
	"created_on":        {moment, func(m Comment) any { return m.CreatedOn }},
	"updated_on":        {moment, func(m Comment) any { return m.UpdatedOn }},
	"inline.path": {text, func(m Comment) any {
		if m.Inline == nil {
			return nil
		}
		return m.Inline.Path
	}},
}

func (m Comment) text() string {
	if m.Deleted {
		return ""
	}
	return m.Text
}

func lineOrNull(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// listComments answers the oldest first, deleted ones too.
func (s *Server) listComments(c *call) (object, error) {
	p, err := s.pullRequest(c)
	if err != nil {
		return nil, err
	}
	return list(c, s.options.OpaqueNext, p.comments, commentFields, func(m Comment) object {
		return drawing{c.base()}.comment(p, m)
	})
}

func (d drawing) comment(p *pullRequest, m Comment) object {
	o := d.commentInside(p, m.ID)
	o["type"] = "pullrequest_comment"
	o["content"] = rendered(m.text())
	o["user"] = lazy(func() object { return d.user(m.Author) })
	o["created_on"] = stamp(m.CreatedOn)
	o["updated_on"] = stamp(m.UpdatedOn)
	o["deleted"] = m.Deleted
	o["pending"] = m.Pending
	o["pullrequest"] = d.pullRequestInside(p)
	if m.Parent != 0 {
		o["parent"] = d.commentInside(p, m.Parent)
	}
	if m.ResolvedBy != "" {
		o["resolution"] = object{
			"type": "comment_resolution", "user": d.user(m.ResolvedBy), "created_on": stamp(m.UpdatedOn),
		}
	}
	if m.Inline != nil {
		o["inline"] = m.Inline.draw()
		o["links"].(object)["code"] = href(d.difference(p, "diff") + "&path=" + m.Inline.Path)
	}
	return o
}

func (i *Inline) draw() object {
	return object{
		"path": i.Path, "from": lineOrNull(i.From), "to": lineOrNull(i.To),
		"start_from": lineOrNull(i.StartFrom), "start_to": lineOrNull(i.StartTo),
		"outdated": i.Outdated, "context_lines": i.Context,
	}
}

// commentInside is the shorter form that replies and tasks carry.
func (d drawing) commentInside(p *pullRequest, id int) object {
	n := strconv.Itoa(id)
	return object{
		"id": id,
		"links": object{
			"self": href(d.ofPullRequest(p) + "/comments/" + n),
			"html": href(p.page() + "/_/diff#comment-" + n),
		},
	}
}
