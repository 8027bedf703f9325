package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

const (
	maxChanges    = 500 // files of one comparison that are looked at
	changesAnswer = 6 << 10
	diffAnswer    = 16 << 10 // bytes of a diff in one answer
)

// changes are the files of a comparison, each in words: an answer of many
// files is half as long so.
type changes struct {
	rows           []string
	added, removed int // lines
	more           bool
}

func changesOf(ctx context.Context, client *bitbucket.Client, call *tools.Call, comparison policy.Comparison) (changes, error) {
	page, err := client.Changes(ctx, comparison, bitbucket.ListOptions{Limit: maxChanges, Budget: call.Budget, Progress: call.Progress})
	if err != nil {
		return changes{}, err
	}
	found := changes{rows: drawn(page.Rows, changeInWords), more: page.Next != nil}
	for _, c := range page.Rows {
		found.added, found.removed = found.added+c.Added, found.removed+c.Removed
	}
	return found, nil
}

// changeInWords writes a change as in "modified docs/a.md +3 -1".
func changeInWords(c bitbucket.Change) string {
	const share = 1 << 10 // a path of four thousand characters is one too
	path := tools.FitText(c.Path, share)
	if c.OldPath != "" {
		path = tools.FitText(c.OldPath, share) + " -> " + path
	}
	return fmt.Sprintf("%s %s +%d -%d", c.Status, path, c.Added, c.Removed)
}

func (c changes) summary() string {
	files := counted(len(c.rows), "file", "files")
	if c.more {
		files = "more than " + files
	}
	return fmt.Sprintf("%s changed, %d lines added, %d removed", files, c.added, c.removed)
}

// fit returns as many rows as there is room for beside a diff or a message.
func (c changes) fit() (rows []string, notice string) {
	shown := tools.Fit(c.rows, changesAnswer, nil)
	if shown < len(c.rows) || c.more {
		notice = fmt.Sprintf("There are more than the first %s; name a path to see the others.", counted(shown, "file", "files"))
	}
	return c.rows[:shown], notice
}

type compareInput struct {
	Repository string `json:"repository"`
	From       string `json:"from" jsonschema:"description=Branch or commit: the old side"`
	To         string `json:"to" jsonschema:"description=The new side"`
	Path       string `json:"path,omitempty"`
	Scope      string `json:"scope,omitempty" jsonschema:"minLength=1"`
	Cursor     string `json:"cursor,omitempty"`
}

type compareOutput struct {
	Summary    string   `json:"summary"`
	FullName   string   `json:"full_name"`
	Scopes     []string `json:"scopes"`
	From       string   `json:"from"`
	To         string   `json:"to"`
	Files      []string `json:"files,omitempty"`
	Diff       string   `json:"diff"`
	NextCursor string   `json:"next_cursor,omitempty"`
	Notice     string   `json:"notice,omitempty"`
}

func compare(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "compare",
		Title:       "Compare",
		Description: "What one branch or commit has that another has not, since they went apart: changed files and a unified diff, cut at a file or hunk; go on with cursor, or narrow with path.",
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in compareInput) (compareOutput, error) {
		return comparer{resolver{client: client, call: call}, in}.compare(ctx)
	})
}

type comparer struct {
	resolver
	in compareInput
}

func (c comparer) compare(ctx context.Context) (compareOutput, error) {
	start, err := c.call.OpenPlace()
	if err != nil {
		return compareOutput{}, err
	}
	repository, err := c.resolve(ctx, c.in.Repository)
	if err != nil {
		return compareOutput{}, err
	}
	comparison, err := among(ctx, c.resolver, repository, func(repository bitbucket.Repository) (policy.Comparison, error) { return c.judge(ctx, repository) })
	if err != nil {
		return compareOutput{}, err
	}
	_, newer, older := comparison.Sides()
	ends := older + ".." + newer
	if start.Position.Query != "" && start.Position.Query != ends {
		return compareOutput{}, tools.Invalid("One of the two has moved on since the comparison began.", "Call again without cursor.")
	}
	out := compareOutput{
		FullName: repository.FullName, Scopes: comparison.Repo().Scopes(),
		From: shortened(older), To: shortened(newer),
	}
	if start.Position.Query == "" {
		if err := c.begin(ctx, comparison, &out); err != nil {
			return compareOutput{}, err
		}
	}
	next, err := c.diff(ctx, comparison, start.Position, &out)
	if err != nil {
		return compareOutput{}, err
	}
	if next != nil {
		next.Query = ends
		out.NextCursor = c.call.SealPlace(tools.Place{Position: *next})
	}
	if out.Summary == "" {
		out.Summary = fmt.Sprintf("The comparison of %s goes on", out.FullName) + within(out.Scopes)
	}
	return out, nil
}

// judge judges the two ends together: one scope has to allow both.
func (c comparer) judge(ctx context.Context, repository bitbucket.Repository) (policy.Comparison, error) {
	from, err := c.either(ctx, repository, c.in.From)
	if err != nil {
		return policy.Comparison{}, err
	}
	to, err := c.either(ctx, repository, c.in.To)
	if err != nil {
		return policy.Comparison{}, err
	}
	comparison, ok := to.commit.ChangesSince(from.commit)
	if !ok {
		if from, to, err = c.pair(ctx, repository, to); err != nil {
			return policy.Comparison{}, err
		}
		if comparison, ok = to.commit.ChangesSince(from.commit); !ok {
			return policy.Comparison{}, c.about(bitbucket.ErrNotFound)
		}
	}
	path, err := to.commit.Path(c.in.Path)
	if err != nil || path.Text() == "" {
		return comparison, err
	}
	narrowed, _ := comparison.In(path)
	return narrowed, nil
}

// maxPairs is how often another pair of ends is looked for: each may take as
// many requests as two commits do.
const maxPairs = 3

// pair looks for one scope that allows both ends, where those that allow what
// was found first differ: many branches may reach a commit, and the first that
// does may be of a scope that does not allow the other end. The other end is
// looked for by the scopes of the one that is there. If it is not found, none
// of these allows both: they are left out, and the two change places.
func (c comparer) pair(ctx context.Context, repository bitbucket.Repository, to revision) (from, _ revision, err error) {
	here, there := c.in.To, c.in.From
	refuse, anchor := repository.Repo.Refuse, to
	for range maxPairs {
		narrow, rest := repository, repository
		narrow.Repo, rest.Repo = anchor.commit.Repo(), repository.Repo.Without(anchor.commit.Repo())
		other, err := c.either(ctx, narrow, there)
		switch {
		case err == nil && here == c.in.To:
			return other, anchor, nil
		case err == nil:
			return anchor, other, nil
		case !tools.IsNotFound(err):
			return revision{}, revision{}, err
		}
		if !rest.Repo.Checked() {
			break
		}
		repository, here, there = rest, there, here
		if anchor, err = c.either(ctx, repository, here); tools.IsNotFound(err) {
			break
		} else if err != nil {
			return revision{}, revision{}, err
		}
	}
	return revision{}, revision{}, c.about(refuse("no scope allows both ends of the comparison"))
}

func (c comparer) begin(ctx context.Context, comparison policy.Comparison, out *compareOutput) error {
	found, err := changesOf(ctx, c.client, c.call, comparison)
	if err != nil {
		return c.about(err)
	}
	out.Files, out.Notice = found.fit()
	out.Summary = fmt.Sprintf("%s has over %s in %s: %s", c.in.To, c.in.From, out.FullName, found.summary()) + within(out.Scopes)
	return nil
}

func (c comparer) diff(ctx context.Context, comparison policy.Comparison, from bitbucket.Position, out *compareOutput) (*bitbucket.Position, error) {
	files, err := c.client.Diff(ctx, comparison)
	if errors.Is(err, bitbucket.ErrTooLarge) && out.Files != nil {
		out.Notice = "The diff is too large to be read as a whole; name a path."
		return nil, nil
	}
	if err != nil {
		return nil, c.about(err)
	}
	var next *bitbucket.Position
	if out.Diff, next = cutDiff(files, from, diffAnswer); next != nil {
		out.Notice = tools.MoreNotice
	}
	return next, nil
}

func (c comparer) about(err error) error {
	return &tools.About{Kind: "comparison", Name: c.in.From + ".." + c.in.To, Err: err}
}

// cutDiff writes a diff from a file (Page) and a hunk of it (Offset) on, as many
// whole hunks as fit, and returns where it goes on. A hunk that alone is too
// long is cut at a line, and says so.
func cutDiff(files []bitbucket.FileDiff, from bitbucket.Position, limit int) (text string, next *bitbucket.Position) {
	var b strings.Builder
	size := 0
	for i := from.Page; i < len(files); i++ {
		first := 0
		if i == from.Page {
			first = from.Offset
		}
		for h, piece := range pieces(files[i], first) {
			more := tools.EncodedSize(piece)
			if size+more > limit && size > 0 {
				return b.String(), &bitbucket.Position{Page: i, Offset: first + h}
			}
			if more > limit {
				piece = cutLines(piece, limit)
			}
			b.WriteString(piece)
			size += more
		}
	}
	return b.String(), nil
}

// pieces are the parts that a file's diff is cut between, from a hunk on: its
// header goes with the first.
func pieces(file bitbucket.FileDiff, first int) []string {
	if first >= len(file.Hunks) {
		return []string{file.Header}
	}
	list := slices.Clone(file.Hunks[first:])
	list[0] = file.Header + list[0]
	return list
}

// cutLines cuts a text at the end of a line.
func cutLines(text string, limit int) string {
	var b strings.Builder
	lines := 0
	size := 0
	for line := range strings.Lines(text) {
		if size += tools.EncodedSize(line); size > limit-100 {
			return b.String() + fmt.Sprintf("[%d more lines of this hunk are left out]\n", strings.Count(text, "\n")-lines)
		}
		b.WriteString(line)
		lines++
	}
	return b.String()
}
