package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What callers name a commit and a file by.
const (
	CommitNameKind NameKind = "commit"
	PathName       NameKind = "path"
)

const (
	minHashDigits = 7
	fullHash      = 40 // digits of a whole hash
	maxPathBytes  = 4096
)

// A CommitName is a hash that a caller sent for a repository that its scopes
// allow: 7 to 40 hex digits, and nothing is known of it yet. It becomes a
// [Commit] by a proof that an allowed branch reaches it. The zero CommitName
// names nothing.
type CommitName struct {
	nameRepo Repo
	nameHash string
}

// CommitName is the check of a commit's hash that came from a caller. Anything
// but a hash is refused: a branch name or a tag could mean another commit than
// the one that is judged. The error is an [*InvalidName].
func (r Repo) CommitName(text string) (CommitName, error) {
	hash := lowerASCII(text)
	if reason := hashReason(hash); reason != "" {
		return CommitName{}, invalid(CommitNameKind, "%s", reason)
	}
	if !r.Checked() {
		return CommitName{}, &Denied{Reason: "the repository was not checked"}
	}
	r.repoCall.aim(Reference{text: r.FullName() + "@" + hash})
	return CommitName{nameRepo: r, nameHash: hash}, nil
}

// SeesCommit is [Repo.CommitName] for a hash that Bitbucket returned: it is
// nothing that the caller aimed at.
func (r Repo) SeesCommit(hash string) (CommitName, bool) {
	if !r.Checked() || hashReason(hash) != "" {
		return CommitName{}, false
	}
	return CommitName{nameRepo: r, nameHash: hash}, true
}

func hashReason(hash string) string {
	switch {
	case len(hash) < minHashDigits:
		return "a hash has at least 7 hex digits"
	case len(hash) > fullHash:
		return "a hash has at most 40 hex digits"
	case !isHex(hash):
		return "a hash has only hex digits; a branch goes into its own argument"
	}
	return ""
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }

func isFullHash(hash string) bool { return len(hash) == fullHash && isHex(hash) }

// Checked reports whether the value came from a check.
func (n CommitName) Checked() bool { return n.nameRepo.Checked() }

// Account returns what requests for the commit are made with.
func (n CommitName) Account() Account { return n.nameRepo.Account() }

// Repo returns the repository that the commit is looked for in.
func (n CommitName) Repo() Repo { return n.nameRepo }

// Hash returns the digits, lower-case: the whole hash, or its beginning.
func (n CommitName) Hash() string { return n.nameHash }

// IsFull reports whether the name is the whole hash.
func (n CommitName) IsFull() bool { return isFullHash(n.nameHash) }

// Means reports whether the name can mean the commit with this whole hash. A
// word of hex digits can be a branch's or a tag's name too, and Bitbucket may
// then answer with another commit.
func (n CommitName) Means(hash string) bool {
	return n.Checked() && isFullHash(hash) && strings.HasPrefix(hash, n.nameHash)
}

// OnAnyBranch returns the commit where a scope has no branch patterns: every
// branch is allowed, so that there is nothing to prove. Only scopes without
// branch patterns stay.
func (n CommitName) OnAnyBranch(hash string) (Commit, bool) {
	if !n.Means(hash) {
		return Commit{}, false
	}
	return n.nameRepo.commit(hash, n.nameRepo.anyBranch().repoScopes)
}

// ReachedFrom returns the commit of this whole hash if base, which Bitbucket
// has returned as the merge base of it and the head, proves that the head's
// branch reaches it: a commit is the one best common ancestor of itself and
// anything that descends from it. The scopes of the head stay.
func (n CommitName) ReachedFrom(head Commit, hash, base string) (Commit, bool) {
	if !n.Means(hash) || base != hash || !head.in(n.nameRepo) {
		return Commit{}, false
	}
	return n.nameRepo.commit(hash, common(n.nameRepo.repoScopes, head.commitScopes))
}

// Unreached notes for the audit log that no allowed branch reaches the commit.
// The error is a [*Denied].
func (n CommitName) Unreached() error {
	reason := fmt.Sprintf("commit %s of %s is reached by no branch that the scopes %s allow", n.nameHash, n.nameRepo.repoSlug, quoted(n.nameRepo.Scopes()))
	return n.nameRepo.repoCall.refuse(Reference{text: n.nameRepo.FullName() + "@" + n.nameHash}, reason)
}

// A Commit is a commit that an allowed branch reaches, in a repository that
// the same scope allows. The zero Commit allows nothing.
type Commit struct {
	commitRepo   Repo
	commitHash   string
	commitScopes []*scope
}

func (r Repo) commit(hash string, scopes []*scope) (Commit, bool) {
	if len(scopes) == 0 || !isFullHash(hash) {
		return Commit{}, false
	}
	return Commit{commitRepo: r, commitHash: hash, commitScopes: scopes}, true
}

// PinnedAt returns the head of the branch, by the whole hash that Bitbucket has
// returned for it. What is asked for is the hash and never the name: a tag may
// bear the same name.
func (b Branch) PinnedAt(hash string) (Commit, bool) {
	return b.branchRepo.commit(hash, b.branchScopes)
}

// Checked reports whether the value came from a check.
func (c Commit) Checked() bool { return len(c.commitScopes) > 0 }

// Account returns what requests for the commit are made with.
func (c Commit) Account() Account { return c.Repo().Account() }

// Hash returns the whole hash.
func (c Commit) Hash() string { return c.commitHash }

// Repo returns the commit's repository with the scopes that allow the commit
// too.
func (c Commit) Repo() Repo {
	return Repo{repoCall: c.commitRepo.repoCall, repoSlug: c.commitRepo.repoSlug, repoScopes: c.commitScopes}
}

// in reports whether the commit lies in a repository, for the same caller and
// by the same account.
func (c Commit) in(r Repo) bool {
	return c.Checked() && r.Checked() && c.commitRepo.repoCall == r.repoCall && c.commitRepo.repoSlug == r.repoSlug &&
		sameAccount(c.commitScopes[0], r.repoScopes[0])
}

// Use notes for the audit log that the answer rests on this commit. That
// another scope of the caller did not allow it, which was tried before, is then
// not what the call came to.
func (c Commit) Use() { c.Repo().useInstead() }

// With returns the commit with only those scopes that allow the other commit of
// the same repository too, for what shows both: two half-matching scopes never
// add up to a yes.
func (c Commit) With(other Commit) (Commit, bool) {
	if !other.in(c.commitRepo) {
		return Commit{}, false
	}
	return c.commitRepo.commit(c.commitHash, common(c.commitScopes, other.commitScopes))
}

// common returns the scopes of a that are in b too.
func common(a, b []*scope) []*scope {
	var both []*scope
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}

// A Path is a file or folder as it was at a commit that the scopes allow. The
// zero Path names nothing.
type Path struct {
	pathCommit Commit
	pathText   string
}

// Root returns the commit's root folder.
func (c Commit) Root() Path { return Path{pathCommit: c} }

// Path is the check of a path that came from a caller: relative, with "/"
// between its parts. One slash at the end is taken and means nothing; "" is
// the root. Dot segments are refused, not resolved: a path that is resolved
// here and by Bitbucket could be two. The error is an [*InvalidName].
func (c Commit) Path(text string) (Path, error) {
	path := strings.TrimSuffix(text, "/")
	if text == "" {
		return c.Root(), nil
	}
	if reason := pathReason(path); reason != "" {
		return Path{}, invalid(PathName, "%s", reason)
	}
	if c.Checked() {
		c.commitRepo.repoCall.aim(Reference{text: c.Repo().FullName() + "@" + c.commitHash + ":" + path})
	}
	return Path{pathCommit: c, pathText: path}, nil
}

// Sees judges the path of a row that Bitbucket returned.
func (p Path) Sees(path string) (Path, bool) {
	if !p.Checked() || pathReason(path) != "" {
		return Path{}, false
	}
	return Path{pathCommit: p.pathCommit, pathText: path}, true
}

func pathReason(path string) string {
	if reason := unsafeText(path, maxPathBytes); reason != "" {
		return reason
	}
	if strings.HasPrefix(path, "/") {
		return "it begins with '/': paths are relative to the repository's root"
	}
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == "":
			return "it has an empty part between '/'"
		case hasDotSegment(part):
			return "it has a dot segment"
		}
	}
	return ""
}

// hasDotSegment reports whether part of a path is a dot segment, or would become
// one for somebody on the way who decodes it once more than it was encoded, or
// who takes a backslash for a slash. Such a name is legal in git and reaches
// one URL; that nobody resolves it another way is not for us to know. So is a
// name refused that is still not plain after a few times: it means harm.
func hasDotSegment(part string) bool {
	for range 4 {
		for piece := range strings.FieldsFuncSeq(part, func(r rune) bool { return r == '/' || r == '\\' }) {
			if piece == "." || piece == ".." {
				return true
			}
		}
		decoded := decodePercent(part)
		if decoded == part {
			return false
		}
		part = decoded
	}
	return true
}

// decodePercent decodes what reads like %2e, and leaves the rest alone.
func decodePercent(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if value, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(value))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// Checked reports whether the value came from a check.
func (p Path) Checked() bool { return p.pathCommit.Checked() }

// Account returns what requests for the path are made with.
func (p Path) Account() Account { return p.pathCommit.Account() }

// Commit returns the commit that the path is looked at in.
func (p Path) Commit() Commit { return p.pathCommit }

// Text returns the path without a slash at either end, "" for the root.
func (p Path) Text() string { return p.pathText }
