package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

type listPullRequestsInput struct {
	Repository string `json:"repository"`
	State      string `json:"state,omitempty" jsonschema:"enum=open,enum=merged,enum=declined,enum=superseded,enum=all"`
	Author     string `json:"author,omitempty" jsonschema:"maxLength=128"`
	Branch     string `json:"branch,omitempty" jsonschema:"description=At either end"`
	Query      string `json:"query,omitempty" jsonschema:"maxLength=128,description=Part of the title"`
	Scope      string `json:"scope,omitempty" jsonschema:"minLength=1"`
	Limit      int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100"`
	Cursor     string `json:"cursor,omitempty"`
}

type listPullRequestsOutput struct {
	Summary      string           `json:"summary"`
	FullName     string           `json:"full_name"`
	Scopes       []string         `json:"scopes"`
	PullRequests []pullRequestRow `json:"pull_requests"`
	NextCursor   string           `json:"next_cursor,omitempty"`
	Notice       string           `json:"notice,omitempty"`
}

type pullRequestRow struct {
	ID          int    `json:"id"`
	Title       string `json:"title"`
	State       string `json:"state"`
	Author      string `json:"author,omitempty"`
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination"`
	UpdatedOn   string `json:"updated_on"`
}

// statesOf are the states behind the word of an argument.
var statesOf = map[string][]bitbucket.PullRequestState{
	"":           {bitbucket.Open},
	"open":       {bitbucket.Open},
	"merged":     {bitbucket.Merged},
	"declined":   {bitbucket.Declined},
	"superseded": {bitbucket.Superseded},
	"all":        {bitbucket.Open, bitbucket.Merged, bitbucket.Declined, bitbucket.Superseded},
}

func listPullRequests(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "list_pull_requests",
		Title:       "List pull requests",
		Description: "Pull requests into branches that your scope allows, last changed first; open ones unless state says else. A source outside your scope is withheld.",
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in listPullRequestsInput) (listPullRequestsOutput, error) {
		return pullRequestLister{resolver{client: client, call: call}, in}.list(ctx)
	})
}

type pullRequestLister struct {
	resolver
	in listPullRequestsInput
}

func (l pullRequestLister) list(ctx context.Context) (listPullRequestsOutput, error) {
	limit, err := limitOf(l.in.Limit, "")
	if err != nil {
		return listPullRequestsOutput{}, err
	}
	start, err := l.call.OpenPlace()
	if err != nil {
		return listPullRequestsOutput{}, err
	}
	repository, err := l.resolve(ctx, l.in.Repository)
	if err != nil {
		return listPullRequestsOutput{}, err
	}
	views := l.views(repository)
	if err := views.onBranch(repository, l.in.Branch); err != nil {
		return listPullRequestsOutput{}, err
	}
	found, err := joinViews(ctx, views, start, limit, func(view bitbucket.Repository, from bitbucket.Position) (bitbucket.Page[bitbucket.PullRequest], error) {
		branch, ok := branchIn(view, l.in.Branch)
		if !ok {
			return bitbucket.Page[bitbucket.PullRequest]{}, nil
		}
		return l.client.PullRequests(ctx, view.Repo, branch, bitbucket.PullRequestOptions{
			ListOptions: bitbucket.ListOptions{From: from, Limit: limit, Query: l.in.Query, Budget: l.call.Budget, Progress: l.call.Progress},
			States:      statesOf[l.in.State], Author: l.in.Author,
		})
	}, func(view bitbucket.Repository, p bitbucket.PullRequest) bool {
		branch, ok := branchIn(view, l.in.Branch)
		return ok && p.IsListed(view.Repo, branch)
	})
	if err != nil {
		return listPullRequestsOutput{}, &tools.About{Kind: "repository", Name: l.in.Repository, Err: err}
	}
	out := listPullRequestsOutput{FullName: repository.FullName, Scopes: views.scopes()}
	out.PullRequests, out.NextCursor, out.Notice = cut(l.call, drawn(found.rows, drawPullRequest), found, out)
	out.Summary = l.summary(out)
	return out, nil
}

func (l pullRequestLister) summary(out listPullRequestsOutput) string {
	words := counted(len(out.PullRequests), "pull request", "pull requests")
	switch l.in.State {
	case "all":
	case "":
		words = "open: " + words
	default:
		words = l.in.State + ": " + words
	}
	words += " of " + out.FullName
	if l.in.Branch != "" {
		words += " with branch " + l.in.Branch
	}
	return words + within(out.Scopes)
}

func drawPullRequest(p bitbucket.PullRequest) pullRequestRow {
	return pullRequestRow{
		ID: p.PullRequest.Number(), Title: p.Title, State: stateOf(p), Author: p.Author,
		Source: sourceOf(p), Destination: p.Destination, UpdatedOn: timestamp(p.UpdatedOn),
	}
}

func stateOf(p bitbucket.PullRequest) string {
	if p.Draft && p.State == bitbucket.Open {
		return "DRAFT"
	}
	return string(p.State)
}

// sourceOf names the branch that a pull request comes from, with its repository
// where that is another; "" where the scope hides it.
func sourceOf(p bitbucket.PullRequest) string {
	if p.Source == "" || p.SourceRepository == p.PullRequest.Repo().FullName() {
		return p.Source
	}
	return p.SourceRepository + ":" + p.Source
}

type getPullRequestInput struct {
	Repository string   `json:"repository"`
	ID         int      `json:"id" jsonschema:"minimum=1,maximum=2147483647"`
	Include    []string `json:"include,omitempty" jsonschema:"enum=diffstat,enum=diff,enum=comments,enum=tasks,enum=statuses,enum=commits"`
	Scope      string   `json:"scope,omitempty" jsonschema:"minLength=1"`
}

type getPullRequestOutput struct {
	Summary     string       `json:"summary"`
	FullName    string       `json:"full_name"`
	Scopes      []string     `json:"scopes"`
	ID          int          `json:"id"`
	Title       string       `json:"title"`
	State       string       `json:"state"`
	Author      string       `json:"author,omitempty"`
	Source      string       `json:"source,omitempty"`
	Destination string       `json:"destination"`
	Description string       `json:"description,omitempty"`
	Reviewers   []string     `json:"reviewers,omitempty"`
	CreatedOn   string       `json:"created_on"`
	UpdatedOn   string       `json:"updated_on"`
	URL         string       `json:"url"`
	Files       []string     `json:"files,omitempty"`
	Diff        string       `json:"diff,omitempty"`
	Comments    []commentRow `json:"comments,omitempty"`
	Tasks       []string     `json:"tasks,omitempty"`
	Statuses    []string     `json:"statuses,omitempty"`
	Commits     []string     `json:"commits,omitempty"`
	Notices     []string     `json:"notices,omitempty"`
}

type commentRow struct {
	ID       int    `json:"id"`
	Parent   int    `json:"parent,omitempty"`
	Author   string `json:"author,omitempty"`
	Text     string `json:"text"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Resolved bool   `json:"resolved,omitempty"`
	Date     string `json:"date,omitempty"`
}

func getPullRequest(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "get_pull_request",
		Title:       "Get a pull request",
		Description: "A pull request by its number; include adds what it changes, says and what builds said. Changes, commits and statuses need a source that your scope allows.",
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in getPullRequestInput) (getPullRequestOutput, error) {
		return pullRequestReader{resolver{client: client, call: call}, in}.read(ctx)
	})
}

type pullRequestReader struct {
	resolver
	in getPullRequestInput
}

func (r pullRequestReader) read(ctx context.Context) (getPullRequestOutput, error) {
	repository, err := r.resolve(ctx, r.in.Repository)
	if err != nil {
		return getPullRequestOutput{}, err
	}
	p, err := among(ctx, r.resolver, repository, func(repository bitbucket.Repository) (bitbucket.PullRequest, error) {
		return r.client.PullRequest(ctx, repository.Repo, r.in.ID)
	})
	if err != nil {
		return getPullRequestOutput{}, r.about(err)
	}
	p.PullRequest.Use()
	out := getPullRequestOutput{
		FullName: repository.FullName, Scopes: p.PullRequest.Repo().Scopes(), ID: p.PullRequest.Number(), Title: p.Title, State: stateOf(p), Author: p.Author,
		Source: sourceOf(p), Destination: p.Destination, Description: tools.FitText(p.Description, descriptionShare), CreatedOn: timestamp(p.CreatedOn), UpdatedOn: timestamp(p.UpdatedOn),
		Reviewers: drawn(p.Reviewers, func(r bitbucket.Reviewer) string { return inBrackets(r.Name, strings.ReplaceAll(r.State, "_", " ")) }),
		URL:       fmt.Sprintf("%s/pull-requests/%d", pageOf(repository), p.PullRequest.Number()),
	}
	out.Summary = fmt.Sprintf("Pull request %d of %s into %s, %s: %s", out.ID, out.FullName, out.Destination, out.State, counted(p.Comments, "comment", "comments")) + within(out.Scopes)
	if err := r.include(ctx, p, &out); err != nil {
		return getPullRequestOutput{}, r.about(err)
	}
	return out, nil
}

func (r pullRequestReader) about(err error) error {
	return &tools.About{Kind: "pull request", Name: fmt.Sprint(r.in.ID), Err: err}
}

// include adds what was asked for, each part within its share of the answer.
func (r pullRequestReader) include(ctx context.Context, p bitbucket.PullRequest, out *getPullRequestOutput) error {
	_, whole := p.PullRequest.Source()
	parts := []struct {
		name        string
		needsSource bool
		read        func(context.Context, bitbucket.PullRequest, *getPullRequestOutput) error
	}{
		{"diffstat", true, r.changes}, {"comments", false, r.comments}, {"tasks", false, r.tasks},
		{"statuses", true, r.statuses}, {"commits", true, r.commits}, {"diff", true, r.diff},
	}
	for _, part := range parts {
		switch {
		case !slices.Contains(r.in.Include, part.name):
		case part.needsSource && !whole:
			out.Notices = append(out.Notices, part.name+" is withheld: your scope does not include the source.")
		default:
			err := part.read(ctx, p, out)
			if tools.IsNotFound(err) { // such as the commits of a fork that was deleted
				out.Notices = append(out.Notices, part.name+" is not there: Bitbucket does not find it.")
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// Shares of an answer, in bytes. Together with a description they stay under
// the limit.
const (
	descriptionShare = 6 << 10
	discussionShare  = 6 << 10
	listShare        = 3 << 10
	includedRows     = 100
)

func (r pullRequestReader) options() bitbucket.ListOptions {
	return bitbucket.ListOptions{Limit: includedRows, Budget: r.call.Budget, Progress: r.call.Progress}
}

func (r pullRequestReader) changes(ctx context.Context, p bitbucket.PullRequest, out *getPullRequestOutput) error {
	comparison, err := r.client.PullRequestChanges(ctx, p.Ends())
	if err != nil {
		return err
	}
	found, err := changesOf(ctx, r.client, r.call, comparison)
	if err != nil {
		return err
	}
	rows := found.rows[:tools.Fit(found.rows, listShare, nil)]
	out.Files = rows
	if len(rows) < len(found.rows) || found.more {
		out.note("files", len(rows))
	}
	return nil
}

func (r pullRequestReader) diff(ctx context.Context, p bitbucket.PullRequest, out *getPullRequestOutput) error {
	comparison, err := r.client.PullRequestChanges(ctx, p.Ends())
	if err != nil {
		return err
	}
	files, err := r.client.Diff(ctx, comparison)
	if err != nil {
		return err
	}
	const notices = 1 << 10
	var next *bitbucket.Position
	if out.Diff, next = cutDiff(files, bitbucket.Position{}, tools.MaxAnswer-tools.EncodedSize(out)-notices); next != nil {
		out.Notices = append(out.Notices, fmt.Sprintf("The diff is cut; %s from %q to %q goes on.", r.call.ToolName("compare"), out.Destination, out.Source))
	}
	return nil
}

func (r pullRequestReader) comments(ctx context.Context, p bitbucket.PullRequest, out *getPullRequestOutput) error {
	page, err := r.client.PullRequestComments(ctx, p.PullRequest, r.options())
	if err != nil {
		return err
	}
	rows := drawn(page.Rows, func(c bitbucket.Comment) commentRow {
		return commentRow{
			ID: c.ID, Parent: c.Parent, Author: c.Author, Text: tools.FitText(c.Text, 1500), File: c.File, Line: c.Line,
			Resolved: c.Resolved, Date: timestamp(c.CreatedOn),
		}
	})
	out.Comments = included(out, "comments", rows, page.Next != nil, discussionShare)
	return nil
}

func (r pullRequestReader) tasks(ctx context.Context, p bitbucket.PullRequest, out *getPullRequestOutput) error {
	page, err := r.client.PullRequestTasks(ctx, p.PullRequest, r.options())
	if err != nil {
		return err
	}
	rows := drawn(page.Rows, taskInWords)
	out.Tasks = included(out, "tasks", rows, page.Next != nil, listShare)
	return nil
}

func (r pullRequestReader) statuses(ctx context.Context, p bitbucket.PullRequest, out *getPullRequestOutput) error {
	page, err := r.client.PullRequestStatuses(ctx, p.PullRequest, r.options())
	if err != nil {
		return err
	}
	rows := drawn(page.Rows, func(s bitbucket.Status) string { return inBrackets(s.State+" "+s.Name, s.Description) })
	out.Statuses = included(out, "statuses", rows, page.Next != nil, listShare)
	return nil
}

func (r pullRequestReader) commits(ctx context.Context, p bitbucket.PullRequest, out *getPullRequestOutput) error {
	page, err := r.client.PullRequestCommits(ctx, p.PullRequest, r.options())
	if err != nil {
		return err
	}
	rows := drawn(page.Rows, func(e bitbucket.LogEntry) string { return inBrackets(shortened(e.Hash)+" "+e.Message, e.Author) })
	out.Commits = included(out, "commits", rows, page.Next != nil, listShare)
	return nil
}

func taskInWords(t bitbucket.Task) string {
	words := "open: "
	if t.Done {
		words = "done: "
	}
	return inBrackets(words+tools.FitText(t.Text, 400), t.Author)
}

// inBrackets writes "text (remark)", and the text alone where there is none.
func inBrackets(text, remark string) string {
	if remark == "" {
		return text
	}
	return text + " (" + remark + ")"
}

// included cuts the rows of one part to its share.
func included[Row any](out *getPullRequestOutput, part string, rows []Row, more bool, share int) []Row {
	shown := tools.Fit(rows, share, nil)
	if shown < len(rows) || more {
		out.note(part, shown)
	}
	return rows[:shown]
}

func (o *getPullRequestOutput) note(part string, shown int) {
	o.Notices = append(o.Notices, fmt.Sprintf("There are more %s than the first %d.", part, shown))
}
