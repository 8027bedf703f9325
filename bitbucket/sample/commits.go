package sample

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// sampleAuthor made what nobody claims.
const sampleAuthor = "Sample Author <author@acme.example>"

// Commit is what AddCommit takes. Equal commits have equal hashes, in every
// run and every repository, as in git.
type Commit struct {
	Parents []string // full hashes; none for a first commit
	Message string
	Author  string    // Name <address>; Sample Author when empty
	Date    time.Time // an hour after the youngest parent when zero

	// Files are the changes by path: the tree of a commit is that of its first
	// parent with these put in or taken out. Of a merge too: what comes from
	// the other parents has to be named. Nil changes nothing.
	Files map[string]File

	// drawn stands for Files in the data of this package, which is made when
	// somebody asks. The hash does not cover it: it must depend on the message
	// and the parents alone.
	drawn func() map[string]File
}

type commit struct {
	Commit
	hash string
}

// AddCommit adds a commit to a repository and returns its hash, 40 hex digits.
// No branch moves. Parents may be commits of a fork or of what this is a fork
// of. It fails when the repository or a parent is missing, or when the changes
// make no tree.
func (s *Server) AddCommit(workspace, slug string, c Commit) (hash string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.own(workspace, slug)
	if err != nil {
		return "", fmt.Errorf("adding commit: %w", err)
	}
	c.Parents = slices.Clone(c.Parents)
	date := firstDay
	for _, parent := range c.Parents {
		have := r.commits[parent]
		if have == nil {
			return "", fmt.Errorf("adding commit: %s has no commit %q", r.fullName(), parent)
		}
		if next := have.Date.Add(time.Hour); next.After(date) {
			date = next
		}
	}
	if err := r.checkChanges(c.Parents, c.Files); err != nil {
		return "", fmt.Errorf("adding commit: %w", err)
	}
	c.Files = ours(c.Files)
	if c.Date.IsZero() {
		c.Date = date
	}
	if c.Author == "" {
		c.Author = sampleAuthor
	}
	hash = c.sum()
	if r.commits[hash] == nil { // the branches hold on to the one that is there
		r.commits[hash] = &commit{Commit: c, hash: hash}
	}
	return hash, nil
}

// sum is a SHA-1 over a text like the one git takes it of.
func (c Commit) sum() string {
	var b strings.Builder
	for _, parent := range c.Parents {
		fmt.Fprintf(&b, "parent %s\n", parent)
	}
	b.WriteString(describe(c.Files))
	fmt.Fprintf(&b, "author %s %d\n\n%s", c.Author, c.Date.Unix(), c.Message)
	h := sha1.Sum(fmt.Appendf(nil, "commit %d\x00%s", b.Len(), b.String()))
	return hex.EncodeToString(h[:])
}

// parents are the distinct ones.
func (c *commit) parents() []string { return slices.Compact(slices.Sorted(slices.Values(c.Parents))) }
