package bitbucket

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"bucketgate/policy"
)

// A Change is what a comparison says of one file.
type Change struct {
	Path    string
	OldPath string // where it was renamed, "" elsewhere
	Status  string // added, removed, modified or renamed
	Added   int    // lines
	Removed int
}

type changeJSON struct {
	Status       string    `json:"status"`
	LinesAdded   int       `json:"lines_added"`
	LinesRemoved int       `json:"lines_removed"`
	Old          *fileJSON `json:"old"`
	New          *fileJSON `json:"new"`
}

type fileJSON struct {
	Path string `json:"path"`
}

func (f *fileJSON) path() string {
	if f == nil {
		return ""
	}
	return f.Path
}

// Changes returns the files that a comparison changes.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-diffstat-spec-get
func (c *Client) Changes(ctx context.Context, comparison policy.Comparison, o ListOptions) (Page[Change], error) {
	e, err := at(routeDiffstat, comparison)
	if err != nil {
		return Page[Change]{}, err
	}
	query := unsorted(listQuery("", "", min(o.Limit, maxPageLength),
		prefixed("values.", []string{"status", "lines_added", "lines_removed", "old.path", "new.path"})...))
	addComparison(query, comparison)
	w := walk[changeJSON]{client: c, endpoint: e, query: query}
	return collect(ctx, w, o, false, func(raw changeJSON) (Change, bool) { return newChange(raw, comparison) }, func(Change) bool { return true })
}

// addComparison asks for what the new side has that the old one has not, since
// the two went apart, as pull requests show it.
func addComparison(query url.Values, comparison policy.Comparison) {
	if _, _, older := comparison.Sides(); older != "" {
		query.Set("topic", "true")
	}
	if path := comparison.Path(); path != "" {
		query.Set("path", path)
	}
}

func newChange(raw changeJSON, comparison policy.Comparison) (Change, bool) {
	change := Change{Path: raw.New.path(), OldPath: raw.Old.path(), Status: raw.Status, Added: raw.LinesAdded, Removed: raw.LinesRemoved}
	if change.Path == "" {
		change.Path = change.OldPath
	}
	if change.OldPath == change.Path || !comparison.Sees(change.OldPath) {
		change.OldPath = ""
	}
	switch change.Status {
	case "added", "removed", "modified", "renamed":
	default:
		change.Status = "modified" // such as a conflict, which is for who merges
	}
	return change, comparison.Sees(change.Path)
}

// A FileDiff is what a diff says of one file, as git writes it. The text was
// written by others, and is cleaned line by line.
type FileDiff struct {
	Header string   // the lines before the first hunk
	Hunks  []string // each with its @@ line
}

// Diff returns the differences of a comparison, file by file: ErrTooLarge where
// there are more than 8 MiB of them.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commits/#api-repositories-workspace-repo-slug-diff-spec-get
func (c *Client) Diff(ctx context.Context, comparison policy.Comparison) ([]FileDiff, error) {
	e, err := at(routeDiff, comparison)
	if err != nil {
		return nil, err
	}
	query := url.Values{"context": {strconv.Itoa(3)}}
	addComparison(query, comparison)
	body, err := c.fetch(ctx, e, query.Encode())
	if err != nil {
		return nil, err
	}
	return splitDiff(cleanBlock(string(body))), nil
}

// splitDiff takes a diff apart at the lines that only begin so where a file or
// a hunk does: each line of a file's content has a blank, a plus or a minus
// before it. The parts are cut out of the text and not put together line by
// line, which would copy a long hunk once for each of its lines.
func splitDiff(text string) []FileDiff {
	var files []FileDiff
	for at := nextStart(text, 0, fileStart); at < len(text); {
		end := nextStart(text, at+1, fileStart)
		files = append(files, splitFile(text[at:end]))
		at = end
	}
	return files
}

const (
	fileStart = "diff --git "
	hunkStart = "@@ "
)

func splitFile(text string) FileDiff {
	at := nextStart(text, 0, hunkStart)
	file := FileDiff{Header: text[:at]}
	for at < len(text) {
		end := nextStart(text, at+1, hunkStart)
		file.Hunks = append(file.Hunks, text[at:end])
		at = end
	}
	return file
}

// nextStart returns where the next line begins, from a place on, that starts
// with the mark; the end of the text where there is none.
func nextStart(text string, from int, mark string) int {
	if from == 0 && strings.HasPrefix(text, mark) {
		return 0
	}
	if i := strings.Index(text[max(from-1, 0):], "\n"+mark); i >= 0 {
		return max(from-1, 0) + i + 1
	}
	return len(text)
}
