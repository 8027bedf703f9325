package bitbucket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"bucketgate/policy"
)

const (
	maxFiles = 1024
	// maxFilesWeight bounds all contents that are remembered, and maxFileKept
	// each of them: an agent reads a file in parts, and several of a folder, but
	// what is kept is memory that is not there for others.
	maxFilesWeight = 8 << 20
	maxFileKept    = 1 << 20
	// filesFor bounds a content that never changes: see basesFor.
	filesFor = time.Hour
)

// fileKey is immutable: a commit's hash and a path have one content for ever.
// The account and the scopes are in the place, so that what one was told is
// not remembered for another.
type fileKey struct {
	place
	hash, path string
}

// A File is what a commit holds at a path that is no folder.
type File struct {
	Kind   EntryKind
	Size   int64    // in bytes, as the commit has it; of a pointer to LFS that of what it points to, where it says so
	Target string   // of a symlink the path that it holds, of a submodule the commit; cleaned, and led nowhere
	Binary string   // the media type of content that is no text; "" for text
	Notes  []string // what is not as it seems in the text: its encoding, its line ends

	text string // valid UTF-8, lines end in "\n"; not cleaned yet
}

// TooLarge reports a file that is larger than what is read. It is an
// [ErrTooLarge].
type TooLarge struct {
	Size  int64
	Limit int64
}

func (e *TooLarge) Error() string { return "bitbucket: the file is too large" }

// Is makes the error an ErrTooLarge.
func (e *TooLarge) Is(target error) bool { return target == ErrTooLarge }

// File returns what stands at a path, ErrNotFound where there is nothing, or a
// [*WrongKind] for a folder. It is remembered: a commit's files do not change.
//
// A link is not followed, neither a symlink nor a submodule nor a pointer to
// LFS: it leads to what was not checked.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-source/#api-repositories-workspace-repo-slug-src-commit-path-get
func (c *Client) File(ctx context.Context, path policy.Path) (File, error) {
	e, err := at(routeFile, path)
	if err != nil {
		return File{}, err
	}
	if path.Text() == "" {
		return File{}, &WrongKind{Folder}
	}
	key := fileKey{placeOf(path.Commit().Repo()), path.Commit().Hash(), path.Text()}
	if file, ok := c.files.get(key); ok {
		return file, nil
	}
	file, err := c.readFile(ctx, path, e)
	if err != nil {
		return File{}, err
	}
	if file.weight() <= maxFileKept {
		c.files.put(key, file)
	}
	return file, nil
}

func (f File) weight() int { return len(f.text) + len(f.Target) + 512 }

// readFile asks for the content alone, which says what it is but for a few
// that could be something else: then format=meta decides.
func (c *Client) readFile(ctx context.Context, path policy.Path, e endpoint) (File, error) {
	body, err := c.fetch(ctx, e, "")
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrTooLarge):
		return c.unread(ctx, path, err)
	case err != nil:
		return File{}, err
	case !mayBeLink(body) && !mayBeListing(body):
		return newFile(body), nil
	}
	found, err := c.entry(ctx, path)
	switch {
	case err != nil:
		return File{}, err
	case found.Kind == Folder:
		return File{}, &WrongKind{Folder}
	case found.Kind == Symlink, found.Kind == Submodule:
		return File{Kind: found.Kind, Size: int64(len(body)), Target: cleanText(string(body), maxTarget)}, nil
	}
	return newFile(body), nil
}

// unread says what stands at a path whose content was not given. Of a file in
// LFS Bitbucket answers with a redirect to another service, which reads here as
// not found, and so does that of a repository that was renamed.
func (c *Client) unread(ctx context.Context, path policy.Path, why error) (File, error) {
	found, err := c.entry(ctx, path)
	switch {
	case errors.Is(err, ErrNotFound):
		return File{}, why
	case err != nil:
		return File{}, err
	case found.Kind == Folder:
		return File{}, &WrongKind{Folder}
	case found.Kind != PlainFile:
		return File{Kind: found.Kind, Size: found.Size}, nil
	case errors.Is(why, ErrTooLarge):
		return File{}, &TooLarge{Size: found.Size, Limit: maxBody}
	}
	return File{}, why
}

// maxTarget is what a path may have, and more than a symlink's target does.
const maxTarget = 4096

// mayBeLink reports whether the content could be a symlink's target or a
// submodule's hash: short, and without a line's end.
func mayBeLink(body []byte) bool {
	return len(body) > 0 && len(body) <= maxTarget && !bytes.ContainsAny(body, "\x00\n")
}

// mayBeListing reports whether the content could be Bitbucket's list of a
// folder.
func mayBeListing(body []byte) bool {
	if !bytes.HasPrefix(body, []byte("{")) || !bytes.Contains(body, []byte(`"values"`)) {
		return false
	}
	var list struct {
		Values  json.RawMessage `json:"values"`
		PageLen json.RawMessage `json:"pagelen"`
	}
	return json.Unmarshal(body, &list) == nil && list.PageLen != nil && bytes.HasPrefix(list.Values, []byte("["))
}
