package bitbucket

import (
	"context"
	"net/url"
	"time"

	"bucketgate/policy"
)

// A Comment is one of a pull request.
type Comment struct {
	ID        int
	Parent    int // the comment that it answers, 0 for none
	Author    string
	Text      string // several lines
	File      string // that it stands at, "" for none, or where the scopes hide the source
	Line      int    // in the file's new version, or the old one's where the line is gone
	Resolved  bool
	CreatedOn time.Time
}

type commentJSON struct {
	ID     int `json:"id"`
	Parent *struct {
		ID int `json:"id"`
	} `json:"parent"`
	User    *personJSON `json:"user"`
	Content struct {
		Raw string `json:"raw"`
	} `json:"content"`
	Inline *struct {
		Path string `json:"path"`
		From *int   `json:"from"`
		To   *int   `json:"to"`
	} `json:"inline"`
	Deleted    bool      `json:"deleted"`
	Pending    bool      `json:"pending"`
	Resolution *struct{} `json:"resolution"`
	CreatedOn  string    `json:"created_on"`
}

// PullRequestComments returns the comments of a pull request in the order in
// which they were made, without those that were deleted or not yet published.
// Where the scopes hide the source, so do they the files that comments stand
// at.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-comments-get
func (c *Client) PullRequestComments(ctx context.Context, pull policy.PullRequest, o ListOptions) (Page[Comment], error) {
	_, whole := pull.Source()
	fields := []string{
		"id", "parent.id", "user.display_name", "user.nickname", "content.raw", "deleted", "pending", "resolution.type", "created_on",
		"inline.path", "inline.from", "inline.to",
	}
	return pullRequestList(ctx, c, routePullRequestComments, pull, o, "created_on", fields, func(raw commentJSON) (Comment, bool) {
		comment := Comment{
			ID: raw.ID, Author: raw.User.name(), Text: cleanLines(raw.Content.Raw, maxText),
			Resolved: raw.Resolution != nil, CreatedOn: instant(raw.CreatedOn),
		}
		if raw.Parent != nil {
			comment.Parent = raw.Parent.ID
		}
		if raw.Inline != nil && whole {
			comment.File = cleanText(raw.Inline.Path, maxName)
			for _, line := range []*int{raw.Inline.From, raw.Inline.To} {
				if line != nil {
					comment.Line = *line
				}
			}
		}
		return comment, !raw.Deleted && !raw.Pending
	})
}

// A Task is something to be done before a pull request is merged.
type Task struct {
	ID        int
	Author    string
	Text      string
	Done      bool
	CreatedOn time.Time
}

type taskJSON struct {
	ID      int         `json:"id"`
	State   string      `json:"state"`
	Creator *personJSON `json:"creator"`
	Content struct {
		Raw string `json:"raw"`
	} `json:"content"`
	CreatedOn string `json:"created_on"`
}

// PullRequestTasks returns the tasks of a pull request.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-tasks-get
func (c *Client) PullRequestTasks(ctx context.Context, pull policy.PullRequest, o ListOptions) (Page[Task], error) {
	fields := []string{"id", "state", "creator.display_name", "creator.nickname", "content.raw", "created_on"}
	return pullRequestList(ctx, c, routePullRequestTasks, pull, o, "created_on", fields, func(raw taskJSON) (Task, bool) {
		return Task{
			ID: raw.ID, Author: raw.Creator.name(), Text: cleanLines(raw.Content.Raw, maxText),
			Done: raw.State == "RESOLVED", CreatedOn: instant(raw.CreatedOn),
		}, true
	})
}

// A Status is what a build said of a commit.
type Status struct {
	Name        string
	State       string // SUCCESSFUL, FAILED, INPROGRESS or STOPPED
	Description string
	UpdatedOn   time.Time
}

type statusJSON struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	State       string `json:"state"`
	Description string `json:"description"`
	UpdatedOn   string `json:"updated_on"`
}

// PullRequestStatuses returns what builds said of a pull request's source. It
// is ErrNotFound where the scopes hide the source.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-statuses-get
func (c *Client) PullRequestStatuses(ctx context.Context, pull policy.PullRequest, o ListOptions) (Page[Status], error) {
	if _, ok := pull.Source(); !ok {
		return Page[Status]{}, ErrNotFound
	}
	fields := []string{"key", "name", "state", "description", "updated_on"}
	return pullRequestList(ctx, c, routePullRequestStatuses, pull, o, "created_on", fields, func(raw statusJSON) (Status, bool) {
		s := Status{
			Name: cleanText(raw.Name, maxName), State: statusState(raw.State),
			Description: cleanText(raw.Description, maxName), UpdatedOn: instant(raw.UpdatedOn),
		}
		if s.Name == "" {
			s.Name = cleanText(raw.Key, maxName)
		}
		return s, true
	})
}

func statusState(text string) string {
	switch text {
	case "SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED":
		return text
	}
	return "UNKNOWN"
}

// PullRequestCommits returns the commits that a pull request brings, the newest
// first. It is ErrNotFound where the scopes hide the source.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/#api-repositories-workspace-repo-slug-pullrequests-pull-request-id-commits-get
func (c *Client) PullRequestCommits(ctx context.Context, pull policy.PullRequest, o ListOptions) (Page[LogEntry], error) {
	if _, ok := pull.Source(); !ok {
		return Page[LogEntry]{}, ErrNotFound
	}
	return pullRequestList(ctx, c, routePullRequestCommits, pull, o, "", logEntryFields, newLogEntry)
}

// pullRequestList walks one of the lists below a pull request.
func pullRequestList[Raw, T any](ctx context.Context, c *Client, r route, pull policy.PullRequest, o ListOptions, sort string, fields []string, row func(Raw) (T, bool)) (Page[T], error) {
	e, err := at(r, pull)
	if err != nil {
		return Page[T]{}, err
	}
	query := listQuery(sort, "", maxPullRequestPage, prefixed("values.", fields)...)
	if sort == "" {
		query = unsorted(query)
	}
	w := walk[Raw]{client: c, endpoint: e, query: query}
	return collect(ctx, w, o, false, row, func(T) bool { return true })
}

// unsorted is for lists in the order of history, which take no sort.
func unsorted(query url.Values) url.Values {
	query.Del("sort")
	return query
}
