package sample

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Commit is what AddCommit takes. Equal commits have equal hashes, in every
// run and every repository, as in git.
type Commit struct {
	Parents []string // full hashes; none for a first commit
	Message string
	Author  string    // Name <address>; Sample Author when empty
	Date    time.Time // an hour after the youngest parent when zero
}

type commit struct {
	Commit
	hash string
}

// AddCommit adds a commit to a repository and returns its hash, 40 hex digits.
// No branch moves. It fails when the repository or a parent is missing.
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
	if c.Date.IsZero() {
		c.Date = date
	}
	if c.Author == "" {
		c.Author = "Sample Author <author@acme.example>"
	}
	added := &commit{Commit: c, hash: c.sum()}
	r.commits[added.hash] = added
	return added.hash, nil
}

// sum is a SHA-1 over a text like the one git takes it of.
func (c Commit) sum() string {
	var b strings.Builder
	for _, parent := range c.Parents {
		fmt.Fprintf(&b, "parent %s\n", parent)
	}
	fmt.Fprintf(&b, "author %s %d\n\n%s", c.Author, c.Date.Unix(), c.Message)
	h := sha1.Sum(fmt.Appendf(nil, "commit %d\x00%s", b.Len(), b.String()))
	return hex.EncodeToString(h[:])
}
