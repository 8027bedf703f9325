package bitbucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bucketgate/policy"
)

// An EntryKind says what stands at a path.
type EntryKind string

// The kinds of entries. Of a link, a submodule and a pointer only what they say
// is ever read: where they lead is another matter, and another check.
const (
	PlainFile  EntryKind = "file"
	Folder     EntryKind = "folder"
	Symlink    EntryKind = "symlink"
	Submodule  EntryKind = "submodule"
	LFSPointer EntryKind = "lfs"
)

// An Entry is a file or folder of a commit that a scope may see.
type Entry struct {
	Path policy.Path // the right to ask for more of it
	Kind EntryKind
	Size int64 // in bytes; of a folder 0
}

// A WrongKind reports a folder where a file was meant, or the reverse.
type WrongKind struct{ Kind EntryKind }

func (e *WrongKind) Error() string { return "bitbucket: it is of the kind " + string(e.Kind) }

// entryJSON is a row of a folder, and what format=meta answers.
type entryJSON struct {
	Path       string          `json:"path"`
	Type       string          `json:"type"`
	Size       int64           `json:"size"`
	Attributes json.RawMessage `json:"attributes"` // a list; a string by Atlassian's own schema
	Commit     struct {
		Hash string `json:"hash"`
	} `json:"commit"`
}

var entryFields = []string{"path", "type", "size", "attributes", "commit.hash"}

// kind returns "" for a type that is not known: what it is is unclear.
func (raw entryJSON) kind() EntryKind {
	switch raw.Type {
	case "commit_directory":
		return Folder
	case "commit_file":
		return raw.fileKind()
	}
	return ""
}

func (raw entryJSON) fileKind() EntryKind {
	var attributes []string
	if json.Unmarshal(raw.Attributes, &attributes) != nil {
		var one string
		_ = json.Unmarshal(raw.Attributes, &one) // neither: no attributes
		attributes = []string{one}
	}
	for _, a := range []struct {
		name string
		kind EntryKind
	}{{"subrepository", Submodule}, {"link", Symlink}, {"lfs", LFSPointer}} {
		if slices.Contains(attributes, a.name) {
			return a.kind
		}
	}
	return PlainFile
}

// maxDepth is how many folders deep a listing may go. A deep one of a large
// repository takes Bitbucket too long, and it answers 555.
const maxDepth = 10

// Entries returns a folder's part of the commit's files, down to o.Depth
// folders. A row of another commit, or of another folder, is left out. A file
// is a [*WrongKind].
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-source/#api-repositories-workspace-repo-slug-src-commit-path-get
func (c *Client) Entries(ctx context.Context, folder policy.Path, o ListOptions) (Page[Entry], error) {
	e, err := at(routeFolder, folder)
	if err != nil {
		return Page[Entry]{}, err
	}
	// The order is part of the language that an endpoint may not know.
	page, err := filtered("path", o.From, func(sort string) (Page[Entry], error) {
		w := walk[entryJSON]{client: c, endpoint: e, query: entriesQuery(sort, o)}
		return collect(ctx, w, o, false,
			func(raw entryJSON) (Entry, bool) { return newEntry(raw, folder, o.Depth) },
			func(Entry) bool { return true })
	})
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, errNoList) {
		return page, err
	}
	return Page[Entry]{}, c.noFolder(ctx, folder, err)
}

func entriesQuery(sort string, o ListOptions) url.Values {
	query := listQuery(sort, "", o.pageLength(true, ""), prefixed("values.", entryFields)...)
	if sort == "" {
		query.Del("sort")
	}
	if o.Depth > 1 {
		query.Set("max_depth", strconv.Itoa(min(o.Depth, maxDepth)))
	}
	return query
}

func newEntry(raw entryJSON, folder policy.Path, depth int) (Entry, bool) {
	path, ok := folder.Sees(strings.TrimSuffix(raw.Path, "/"))
	if !ok || raw.kind() == "" || raw.Commit.Hash != folder.Commit().Hash() {
		return Entry{}, false
	}
	below := path.Text()
	if folder.Text() != "" {
		if below, ok = strings.CutPrefix(below, folder.Text()+"/"); !ok {
			return Entry{}, false
		}
	}
	if strings.Count(below, "/") >= max(depth, 1) {
		return Entry{}, false
	}
	return Entry{Path: path, Kind: raw.kind(), Size: max(raw.Size, 0)}, true
}

// noFolder tells a file from what is not there, where there is no such folder.
func (c *Client) noFolder(ctx context.Context, path policy.Path, err error) error {
	if path.Text() == "" {
		return err
	}
	found, metaErr := c.entry(ctx, path)
	switch {
	case errors.Is(metaErr, ErrNotFound):
		return err
	case metaErr != nil:
		return metaErr
	case found.Kind == Folder:
		return err
	}
	return &WrongKind{found.Kind}
}

// entry asks what stands at a path, without its content.
func (c *Client) entry(ctx context.Context, path policy.Path) (Entry, error) {
	e, err := at(routeFile, path)
	if err != nil {
		return Entry{}, err
	}
	body, err := c.fetch(ctx, e, url.Values{"format": {"meta"}, "fields": {strings.Join(entryFields, ",")}}.Encode())
	if err != nil {
		return Entry{}, err
	}
	var raw entryJSON
	if json.Unmarshal(body, &raw) != nil || raw.kind() == "" {
		return Entry{}, unavailable("it answered something that is no file")
	}
	if strings.TrimSuffix(raw.Path, "/") != path.Text() || raw.Commit.Hash != path.Commit().Hash() {
		return Entry{}, ErrNotFound
	}
	return Entry{Path: path, Kind: raw.kind(), Size: max(raw.Size, 0)}, nil
}

// sameFolder is a path as it is compared with a next link's, where the names in
// it are files' names: which of their characters are escaped, and whether a
// slash stands at the end, is left to who writes it.
func sameFolder(escaped string) string {
	parts := strings.Split(strings.TrimSuffix(escaped, "/"), "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return escaped
		}
		parts[i] = url.PathEscape(plain)
	}
	return strings.Join(parts, "/")
}

// PageURL returns the page of a file or folder on bitbucket.org, at the very
// commit.
func PageURL(path policy.Path) string {
	parts := strings.Split(path.Text(), "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	commit := path.Commit()
	return fmt.Sprintf("https://bitbucket.org/%s/src/%s/%s", commit.Repo().FullName(), commit.Hash(), strings.Join(parts, "/"))
}
