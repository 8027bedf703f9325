package agent

import (
	"context"
	"fmt"
	"strings"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

type listCommitsInput struct {
	Repository string `json:"repository"`
	Branch     string `json:"branch,omitempty"`
	Path       string `json:"path,omitempty"`
	Scope      string `json:"scope,omitempty" jsonschema:"minLength=1"`
	Limit      int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100"`
	Cursor     string `json:"cursor,omitempty"`
	Detail     string `json:"detail,omitempty" jsonschema:"enum=concise,enum=full"`
}

type listCommitsOutput struct {
	Summary    string      `json:"summary"`
	FullName   string      `json:"full_name"`
	Scopes     []string    `json:"scopes"`
	Branch     string      `json:"branch"`
	Commits    []commitRow `json:"commits"`
	NextCursor string      `json:"next_cursor,omitempty"`
	Notice     string      `json:"notice,omitempty"`
}

type commitRow struct {
	Commit  string `json:"commit"`
	Message string `json:"message"`
	Author  string `json:"author,omitempty"`
	Date    string `json:"date,omitempty"`
}

func listCommits(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "list_commits",
		Title:       "List commits",
		Description: "History of a branch (default branch if left out), newest first; with path, of one file or folder.",
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in listCommitsInput) (listCommitsOutput, error) {
		limit, err := limitOf(in.Limit, in.Detail)
		if err != nil {
			return listCommitsOutput{}, err
		}
		start, err := call.OpenPlace()
		if err != nil {
			return listCommitsOutput{}, err
		}
		r := resolver{client: client, call: call}
		repository, err := r.resolve(ctx, in.Repository)
		if err != nil {
			return listCommitsOutput{}, err
		}
		at, err := r.pinned(ctx, repository, in.Branch, "", start.Commit)
		if err != nil {
			return listCommitsOutput{}, err
		}
		path, err := at.commit.Path(in.Path)
		if err != nil {
			return listCommitsOutput{}, err
		}
		page, err := client.Commits(ctx, path, bitbucket.ListOptions{From: start.Position, Limit: limit, Budget: call.Budget, Progress: call.Progress})
		if err != nil {
			return listCommitsOutput{}, aboutHistory(path, err)
		}
		out := listCommitsOutput{FullName: repository.FullName, Scopes: at.commit.Repo().Scopes(), Branch: at.branch}
		rows := drawn(page.Rows, func(e bitbucket.LogEntry) commitRow { return drawCommit(e, in.Detail) })
		out.Commits, out.NextCursor, out.Notice = cut(call, rows, pinnedAt(at.commit, page), out)
		out.Summary = counted(len(out.Commits), "commit", "commits") + " of " + repository.FullName + " on " + at.branch
		if in.Path != "" {
			out.Summary += fmt.Sprintf(" that touch %q", path.Text())
		}
		out.Summary += within(out.Scopes)
		return out, nil
	})
}

// within ends a summary.
func within(scopes []string) string { return " within scope " + strings.Join(scopes, ", ") + "." }

// aboutHistory says which file or folder was not found, where one was asked for.
func aboutHistory(path policy.Path, err error) error {
	if path.Text() == "" {
		return &tools.About{Kind: "commit", Name: shortened(path.Commit().Hash()), Err: err}
	}
	return &tools.About{Kind: "path", Name: path.Text(), Err: err}
}

func drawCommit(e bitbucket.LogEntry, detail string) commitRow {
	row := commitRow{Commit: e.Hash, Message: e.Message, Author: e.Author, Date: timestamp(e.Date)}
	if detail != detailFull {
		row.Commit = shortened(e.Hash)
	}
	return row
}

// shortened returns as much of a hash as is shown.
func shortened(hash string) string { return hash[:min(len(hash), shortHash)] }

type getCommitInput struct {
	Repository string `json:"repository"`
	Commit     string `json:"commit" jsonschema:"description=7 to 40 hex digits"`
	Scope      string `json:"scope,omitempty" jsonschema:"minLength=1"`
}

type getCommitOutput struct {
	Summary  string   `json:"summary"`
	FullName string   `json:"full_name"`
	Scopes   []string `json:"scopes"`
	Commit   string   `json:"commit"`
	Author   string   `json:"author,omitempty"`
	Date     string   `json:"date,omitempty"`
	Parents  []string `json:"parents"`
	Message  string   `json:"message"`
	Files    []string `json:"files"`
	URL      string   `json:"url"`
	Notice   string   `json:"notice,omitempty"`
}

func getCommit(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "get_commit",
		Title:       "Get a commit",
		Description: "A commit by its hash: message, author, parents and which files it changed. One that no branch of your scope reaches looks as if it did not exist.",
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in getCommitInput) (getCommitOutput, error) {
		r := resolver{client: client, call: call}
		repository, err := r.resolve(ctx, in.Repository)
		if err != nil {
			return getCommitOutput{}, err
		}
		at, err := r.revision(ctx, repository, "", in.Commit)
		if err != nil {
			return getCommitOutput{}, err
		}
		detail, err := client.CommitDetail(ctx, at.commit)
		if err != nil {
			return getCommitOutput{}, &tools.About{Kind: "commit", Name: in.Commit, Err: err}
		}
		changes, err := changesOf(ctx, client, call, at.commit.Changes())
		if err != nil {
			return getCommitOutput{}, &tools.About{Kind: "commit", Name: in.Commit, Err: err}
		}
		out := getCommitOutput{
			FullName: repository.FullName, Scopes: at.commit.Repo().Scopes(), Commit: detail.Hash,
			Author: detail.Author, Date: timestamp(detail.Date), Parents: drawn(detail.Parents, shortened), Message: tools.FitText(detail.Text, 8<<10),
			URL: pageOf(repository) + "/commits/" + detail.Hash,
		}
		out.Files, out.Notice = changes.fit()
		out.Summary = fmt.Sprintf("Commit %s of %s: %s%s", shortened(detail.Hash), repository.FullName, changes.summary(), within(out.Scopes))
		return out, nil
	})
}
