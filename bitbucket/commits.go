package bitbucket

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"bucketgate/policy"
)

// A LogEntry is one commit of a history.
type LogEntry struct {
	Hash    string
	Message string // first line
	Author  string
	Date    time.Time
}

type logEntryJSON struct {
	Hash    string `json:"hash"`
	Message string `json:"message"`
	Date    string `json:"date"`
	Author  struct {
		Raw  string      `json:"raw"`
		User *personJSON `json:"user"`
	} `json:"author"`
}

var logEntryFields = []string{"hash", "message", "date", "author.raw", "author.user.display_name", "author.user.nickname"}

func newLogEntry(raw logEntryJSON) (LogEntry, bool) {
	entry := LogEntry{
		Hash: hash(raw.Hash), Message: cleanText(firstLine(raw.Message), maxName),
		Author: raw.Author.User.name(), Date: instant(raw.Date),
	}
	if entry.Author == "" {
		name, _, _ := strings.Cut(raw.Author.Raw, "<") // without the address
		entry.Author = cleanText(name, maxShortText)
	}
	return entry, entry.Hash != ""
}

// Commits returns the history of a path, the newest first, from its commit on:
// all of it is reached from there, and so allowed.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-commits-revision-get
func (c *Client) Commits(ctx context.Context, path policy.Path, o ListOptions) (Page[LogEntry], error) {
	e, err := at(routeCommits, path)
	if err != nil {
		return Page[LogEntry]{}, err
	}
	e.file = "" // it is no part of this path
	query := unsorted(listQuery("", "", min(o.Limit, maxPageLength), prefixed("values.", append([]string{"repository.full_name"}, logEntryFields...))...))
	if path.Text() != "" {
		query.Set("path", path.Text())
	}
	repo := path.Commit().Repo()
	w := walk[historyJSON]{client: c, endpoint: e, query: query}
	return collect(ctx, w, o, false, func(raw historyJSON) (LogEntry, bool) {
		entry, ok := newLogEntry(raw.logEntryJSON)
		return entry, ok && repo.Is(raw.Repository.FullName)
	}, func(LogEntry) bool { return true })
}

type historyJSON struct {
	logEntryJSON
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
}

// A CommitDetail is a commit with all that is shown of one.
type CommitDetail struct {
	LogEntry
	Text    string   // the whole message, several lines
	Parents []string // hashes
}

type parentJSON struct {
	Hash string `json:"hash"`
}

const maxParents = 16

// CommitDetail returns a commit, or ErrNotFound.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-commit-commit-get
func (c *Client) CommitDetail(ctx context.Context, commit policy.Commit) (CommitDetail, error) {
	e, err := at(routeCommit, commit)
	if err != nil {
		return CommitDetail{}, err
	}
	fields := append([]string{"repository.full_name", "parents.hash"}, logEntryFields...)
	body, err := c.fetch(ctx, e, url.Values{"fields": {strings.Join(fields, ",")}}.Encode())
	if err != nil {
		return CommitDetail{}, err
	}
	var raw struct {
		historyJSON
		Parents rows[parentJSON] `json:"parents"`
	}
	if json.Unmarshal(body, &raw) != nil || raw.Hash == "" {
		return CommitDetail{}, unavailable("it answered something that is no commit")
	}
	entry, ok := newLogEntry(raw.logEntryJSON)
	if !ok || entry.Hash != commit.Hash() || !commit.Repo().Is(raw.Repository.FullName) {
		return CommitDetail{}, ErrNotFound
	}
	detail := CommitDetail{LogEntry: entry, Text: cleanLines(raw.Message, maxText)}
	for _, parent := range raw.Parents[:min(len(raw.Parents), maxParents)] {
		if parent := hash(parent.Hash); parent != "" {
			detail.Parents = append(detail.Parents, parent)
		}
	}
	return detail, nil
}
