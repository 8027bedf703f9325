package sample

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// Task is what AddTask takes.
type Task struct {
	ID         int // given by AddTask
	Creator    string
	Text       string
	Comment    int // the ID of the comment it belongs to; 0 for none
	Pending    bool
	ResolvedBy string // empty as long as it is not resolved
	CreatedOn  time.Time
	UpdatedOn  time.Time // CreatedOn when zero
}

func (t Task) state() string {
	if t.ResolvedBy != "" {
		return "RESOLVED"
	}
	return "UNRESOLVED"
}

// AddTask adds a task to a pull request and returns its ID.
func (s *Server) AddTask(workspace, slug string, pullRequest int, t Task) (id int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.ownPullRequest(workspace, slug, pullRequest)
	if err != nil {
		return 0, fmt.Errorf("adding task: %w", err)
	}
	if t.Comment != 0 && p.comment(t.Comment) == nil {
		return 0, fmt.Errorf("adding task: there is no comment %d", t.Comment)
	}
	t.ID, t.CreatedOn = p.post(t.CreatedOn)
	t.Creator = cmp.Or(t.Creator, p.Author)
	if t.UpdatedOn.IsZero() {
		t.UpdatedOn = t.CreatedOn
	}
	p.tasks = append(p.tasks, t)
	return t.ID, nil
}

func (p *pullRequest) openTasks() int {
	n := 0
	for _, t := range p.tasks {
		if t.ResolvedBy == "" {
			n++
		}
	}
	return n
}

// taskFields are what q and sort may name.
var taskFields = fields[Task]{
	"id":           {number, func(t Task) any { return t.ID }},
	"state":        {text, func(t Task) any { return t.state() }},
	"content.raw":  {text, func(t Task) any { return t.Text }},
	"creator.uuid": {text, func(t Task) any { return uuid("user", t.Creator) }},
	"created_on":   {moment, func(t Task) any { return t.CreatedOn }},
	"updated_on":   {moment, func(t Task) any { return t.UpdatedOn }},
}

// listTasks answers the oldest first.
func (s *Server) listTasks(c *call) (object, error) {
	p, err := s.pullRequest(c)
	if err != nil {
		return nil, err
	}
	return list(c, s.options.OpaqueNext, p.tasks, taskFields, func(t Task) object {
		return drawing{c.base()}.task(p, t)
	})
}

func (d drawing) task(p *pullRequest, t Task) object {
	o := object{
		"id": t.ID, "state": t.state(), "content": rendered(t.Text),
		"creator":    lazy(func() object { return d.user(t.Creator) }),
		"created_on": stamp(t.CreatedOn), "updated_on": stamp(t.UpdatedOn),
		"pending": t.Pending, "resolved_on": nil, "resolved_by": nil,
		"links": object{
			"self": href(d.ofPullRequest(p) + "/tasks/" + strconv.Itoa(t.ID)),
			"html": href(p.page()),
		},
	}
	if t.Comment != 0 {
		o["comment"] = d.commentInside(p, t.Comment)
	}
	if t.ResolvedBy != "" {
		o["resolved_on"] = stamp(t.UpdatedOn)
		o["resolved_by"] = d.user(t.ResolvedBy)
	}
	return o
}
