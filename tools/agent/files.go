package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bucketgate/bitbucket"
	"bucketgate/policy"
	"bucketgate/tools"
)

type listFilesInput struct {
	Repository string `json:"repository"`
	Scope      string `json:"scope,omitempty" jsonschema:"minLength=1"`
	Path       string `json:"path,omitempty" jsonschema:"description=Left out: the root"`
	Branch     string `json:"branch,omitempty" jsonschema:"description=Left out: the default"`
	Commit     string `json:"commit,omitempty"`
	Depth      int    `json:"depth,omitempty" jsonschema:"minimum=1,maximum=10"`
	Limit      int    `json:"limit,omitempty" jsonschema:"minimum=1,maximum=500,description=(50)"`
	Cursor     string `json:"cursor,omitempty"`
}

type listFilesOutput struct {
	Summary    string    `json:"summary"`
	FullName   string    `json:"full_name"`
	Scopes     []string  `json:"scopes"`
	Branch     string    `json:"branch,omitempty"`
	Commit     string    `json:"commit"`
	URL        string    `json:"url"`
	Files      []fileRow `json:"files"`
	NextCursor string    `json:"next_cursor,omitempty"`
	Notice     string    `json:"notice,omitempty"`
}

type fileRow struct {
	Path string `json:"path"`
	Type string `json:"type"`
	Size int64  `json:"size,omitzero"`
}

func listFiles(client *bitbucket.Client) tools.Tool {
	return tools.Define(tools.Tool{
		Name:        "list_files",
		Title:       "List files",
		Description: "Lists what a folder holds, at the head of a branch or at a commit: files, folders, symlinks, submodules, Git LFS pointers. depth goes into folders below.",
		Action:      policy.Read,
	}, func(ctx context.Context, call *tools.Call, in listFilesInput) (listFilesOutput, error) {
		return fileLister{client, call, in}.list(ctx)
	})
}

const defaultFilesLimit = 50

type fileLister struct {
	client *bitbucket.Client
	call   *tools.Call
	in     listFilesInput
}

func (l fileLister) list(ctx context.Context) (listFilesOutput, error) {
	start, err := l.call.OpenPlace()
	if err != nil {
		return listFilesOutput{}, err
	}
	r := resolver{client: l.client, call: l.call}
	repository, err := r.resolve(ctx, l.in.Repository)
	if err != nil {
		return listFilesOutput{}, err
	}
	at, err := r.pinned(ctx, repository, l.in.Branch, l.in.Commit, start.Commit)
	if err != nil {
		return listFilesOutput{}, err
	}
	folder, err := at.commit.Path(l.in.Path)
	if err != nil {
		return listFilesOutput{}, err
	}
	limit := l.in.Limit
	if limit == 0 {
		limit = defaultFilesLimit
	}
	page, err := l.client.Entries(ctx, folder, bitbucket.ListOptions{
		From: start.Position, Limit: limit, Depth: l.in.Depth, Budget: l.call.Budget, Progress: l.call.Progress,
	})
	if err != nil {
		return listFilesOutput{}, aboutPath(l.call, "folder", l.in.Path, err)
	}
	return l.shape(at, folder, page), nil
}

// aboutPath words what went wrong at a path, which the scope allows to be read.
func aboutPath(call *tools.Call, kind, path string, err error) error {
	var wrong *bitbucket.WrongKind
	var large *bitbucket.TooLarge
	switch {
	case errors.As(err, &wrong) && wrong.Kind == bitbucket.Folder:
		return tools.Invalid(fmt.Sprintf("%s is a folder.", named(path)), "Call "+call.ToolName("list_files")+" for what it holds.")
	case errors.As(err, &wrong):
		return tools.Invalid(fmt.Sprintf("%s is a %s.", named(path), kindWords[wrong.Kind]), "Call "+call.ToolName("get_file")+" to read it.")
	case errors.As(err, &large):
		return &tools.Error{Code: tools.ResultTooLarge,
			Message: fmt.Sprintf("The file has %d bytes; at most %d MiB of one are read.", large.Size, large.Limit>>20),
			Hint:    "Read it in a clone of the repository, or ask for another file."}
	}
	return &tools.About{Kind: kind, Name: path, Err: err}
}

func named(path string) string {
	if path == "" {
		return "The repository's root"
	}
	return fmt.Sprintf("%q", path)
}

var kindWords = map[bitbucket.EntryKind]string{
	bitbucket.PlainFile: "file", bitbucket.Symlink: "symlink", bitbucket.Submodule: "submodule", bitbucket.LFSPointer: "file in Git LFS",
}

func (l fileLister) shape(at revision, folder policy.Path, page bitbucket.Page[bitbucket.Entry]) listFilesOutput {
	out := listFilesOutput{
		FullName: at.commit.Repo().FullName(),
		Scopes:   at.commit.Repo().Scopes(),
		Branch:   at.branch,
		Commit:   at.commit.Hash()[:shortHash],
		URL:      bitbucket.PageURL(folder),
		Files:    fileRows(page.Rows),
	}
	place := func(p bitbucket.Position) tools.Place { return tools.Place{Position: p, Commit: at.commit.Hash()} }
	summary := func(shown int) string {
		return fmt.Sprintf("%s in %s of %s within scope %s.", counted(shown, "entry", "entries"), folderWords(folder), at.words(), strings.Join(out.Scopes, ", "))
	}
	shell := out
	shell.Files, shell.Notice = nil, tools.MoreNotice
	shell.Summary = summary(len(page.Rows))
	if page.Next != nil {
		shell.NextCursor = l.call.SealPlace(place(*page.Next))
	} else if len(page.At) > 0 {
		shell.NextCursor = l.call.SealPlace(place(page.At[len(page.At)-1]))
	}
	shown := tools.Fit(out.Files, tools.MaxAnswer, shell)
	out.Files = out.Files[:shown]
	next := page.Next
	if shown < len(page.Rows) {
		next = &page.At[shown]
	}
	if next != nil {
		out.NextCursor, out.Notice = l.call.SealPlace(place(*next)), tools.MoreNotice
	}
	out.Summary = summary(shown)
	return out
}

func folderWords(folder policy.Path) string {
	if folder.Text() == "" {
		return "the root"
	}
	return shorten(folder.Text(), conciseDescription)
}

// words names the revision: "acme/api at main (0123456789ab)".
func (r revision) words() string {
	short := r.commit.Hash()[:shortHash]
	if r.branch == "" {
		return fmt.Sprintf("%s at commit %s", r.commit.Repo().FullName(), short)
	}
	return fmt.Sprintf("%s at %s (%s)", r.commit.Repo().FullName(), r.branch, short)
}

func fileRows(found []bitbucket.Entry) []fileRow {
	rows := make([]fileRow, len(found))
	for i, e := range found {
		rows[i] = fileRow{Path: e.Path.Text(), Type: string(e.Kind), Size: e.Size}
	}
	return rows
}
