package sample

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// File is one file of a commit. At most one of Symlink, Submodule and LFS
// makes sense at a time.
type File struct {
	// Content is what the file holds: the target of a symbolic link, the
	// pointer of a file in LFS. A submodule needs none. It must not be changed.
	Content []byte

	Executable bool
	Symlink    bool
	Submodule  string // the commit of another repository, 40 hex digits
	LFS        bool   // the bytes are elsewhere, and reading them redirects there

	// Deleted, in Commit.Files, takes the file away.
	Deleted bool
}

// The modes of files, as git writes them.
const (
	modePlain      = "100644"
	modeExecutable = "100755"
	modeSymlink    = "120000"
	modeSubmodule  = "160000"
)

func (f File) mode() string {
	switch {
	case f.Submodule != "":
		return modeSubmodule
	case f.Symlink:
		return modeSymlink
	case f.Executable:
		return modeExecutable
	}
	return modePlain
}

// blob is the name that git gives the content.
func (f File) blob() string {
	if f.Submodule != "" {
		return f.Submodule
	}
	h := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(f.Content)), f.Content...))
	return hex.EncodeToString(h[:])
}

// raw is what a request for the file gives.
func (f File) raw() []byte {
	if f.Submodule != "" {
		return []byte(f.Submodule)
	}
	return f.Content
}

// binary is git's guess: a zero byte near the beginning.
func (f File) binary() bool {
	return bytes.IndexByte(f.Content[:min(len(f.Content), 8000)], 0) >= 0
}

func (f File) attributes() []any {
	list := []any{}
	for _, a := range []struct {
		name string
		is   bool
	}{
		{"link", f.Symlink}, {"executable", f.Executable}, {"subrepository", f.Submodule != ""},
		{"binary", f.binary()}, {"lfs", f.LFS},
	} {
		if a.is {
			list = append(list, a.name)
		}
	}
	return list
}

func (f File) equal(other File) bool {
	return f.mode() == other.mode() && f.LFS == other.LFS && bytes.Equal(f.raw(), other.raw())
}

// ours returns a copy of the files that the caller cannot change.
func ours(files map[string]File) map[string]File {
	files = maps.Clone(files)
	for path, f := range files {
		f.Content = slices.Clone(f.Content)
		files[path] = f
	}
	return files
}

// checkPath takes every path that git could store, hostile ones too.
func checkPath(path string) error {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("%q is no path of a file", path)
		}
	}
	if strings.Contains(path, "\x00") {
		return errors.New("a path holds a zero byte")
	}
	return nil
}

// describe is what the hash of a commit covers of its changes.
func describe(files map[string]File) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f := files[path]
		if f.Deleted {
			fmt.Fprintf(&b, "deleted %q\n", path)
			continue
		}
		fmt.Fprintf(&b, "file %s %s %t %q\n", f.mode(), f.blob(), f.LFS, path)
	}
	return b.String()
}
