package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxSlugBytes        = 128
	maxBranchBytes      = 1024
	maxDisplayNameBytes = 2*maxSlugBytes + 1 // workspace/slug fits
)

// A NameKind says what kind of name was refused.
type NameKind string

// The kinds of names that callers send.
const (
	RepositoryName NameKind = "repository"
	BranchName     NameKind = "branch"
	WorkspaceName  NameKind = "workspace"
)

// InvalidName reports a name that the grammar refuses. No pattern has seen it
// and no request was made for it.
type InvalidName struct {
	Kind   NameKind
	Reason string // one clause, such as "it holds a control character"
}

func (e *InvalidName) Error() string {
	return fmt.Sprintf("invalid %s name: %s", e.Kind, e.Reason)
}

func invalid(kind NameKind, format string, args ...any) error {
	return &InvalidName{Kind: kind, Reason: fmt.Sprintf(format, args...)}
}

// slugReason returns why s is no slug, or "" when it is one. A slug is
// [a-z0-9_.-]{1,128}, and neither "." nor "..": those two would climb out of
// the path that a request is built from.
func slugReason(s string) string {
	switch {
	case s == "":
		return "it is empty"
	case len(s) > maxSlugBytes:
		return fmt.Sprintf("it is longer than %d characters", maxSlugBytes)
	case s == "." || s == "..":
		return "it is a dot segment"
	}
	for i := 0; i < len(s); i++ {
		if !isSlugByte(s[i]) {
			return "a slug has only letters, digits, '-', '_' and '.'"
		}
	}
	return ""
}

func isSlugByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// lowerASCII lowers A to Z and nothing else. strings.ToLower would also turn
// U+212A (the Kelvin sign) into "k", so that a name which is no slug would
// become one.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// sameName reports whether two slugs are the same name to Bitbucket, which
// does not tell the case of ASCII letters apart.
func sameName(a, b string) bool { return lowerASCII(a) == lowerASCII(b) }

// splitFullName splits the full_name of a row from Bitbucket. ok is false for
// a name that the grammar would refuse.
func splitFullName(fullName string) (workspace, slug string, ok bool) {
	workspace, slug, found := strings.Cut(fullName, "/")
	slug = lowerASCII(slug)
	ok = found && slugReason(lowerASCII(workspace)) == "" && slugReason(slug) == ""
	return workspace, slug, ok
}

// A Reference is how a caller names a repository: by slug, by workspace/slug,
// or by the display name that Bitbucket's pages show. The zero Reference
// names nothing.
type Reference struct {
	text      string // as the caller wrote it, without the workspace
	workspace string // "" when the caller named none
	slug      string // what is judged; "" when the text cannot be a slug
	asWritten bool   // the text was a slug as it stands
}

// ParseReference reads the repository argument of a tool. It refuses what
// could mean something else to Bitbucket than it means here: "{uuid}", "%",
// more than one "/", control and invisible characters, invalid UTF-8, dot
// segments. The error is an [*InvalidName].
func ParseReference(text string) (Reference, error) {
	if reason := unsafeText(text, maxDisplayNameBytes); reason != "" {
		return Reference{}, invalid(RepositoryName, "%s", reason)
	}
	if strings.ContainsAny(text, "{}") {
		return Reference{}, invalid(RepositoryName, "a {uuid} is not taken; write the slug or workspace/slug")
	}
	if strings.Contains(text, "%") {
		return Reference{}, invalid(RepositoryName, "'%%' is not taken; write the slug as Bitbucket shows it, not encoded")
	}
	if strings.Count(text, "/") > 1 {
		return Reference{}, invalid(RepositoryName, "it has more than one '/'; write the slug or workspace/slug")
	}
	ref := Reference{text: text}
	if workspace, rest, found := strings.Cut(text, "/"); found {
		ref.workspace, ref.text = lowerASCII(workspace), rest
		if reason := slugReason(ref.workspace); reason != "" {
			return Reference{}, invalid(WorkspaceName, "%s", reason)
		}
	}
	if strings.Trim(ref.text, " ") == "" {
		return Reference{}, invalid(RepositoryName, "it is empty")
	}
	if ref.text == "." || ref.text == ".." {
		return Reference{}, invalid(RepositoryName, "it is a dot segment")
	}
	slug := strings.ReplaceAll(lowerASCII(ref.text), " ", "-")
	if slugReason(slug) == "" {
		ref.slug = slug
		ref.asWritten = slug == ref.text
	}
	return ref, nil
}

// MayBeDisplayName reports whether the text is looked up among the display
// names of the scope's own repositories when no repository has it as slug.
// Text that is a slug as written is not.
func (r Reference) MayBeDisplayName() bool { return r.text != "" && !r.asWritten }

// IsDisplayNameOf reports whether the text is the given display name; case is
// ignored.
func (r Reference) IsDisplayNameOf(name string) bool {
	return r.MayBeDisplayName() && strings.EqualFold(asShown(r.text), asShown(name))
}

// asShown leaves out what cannot be seen in a name: a caller copies a name from
// where it is shown.
func asShown(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Variation_Selector, r) || r == '\u2800' {
			return -1
		}
		return r
	}, name)
}

// unsafeText returns why a caller's text cannot stand in any name, or "".
func unsafeText(text string, maxBytes int) string {
	switch {
	case text == "":
		return "it is empty"
	case len(text) > maxBytes:
		return fmt.Sprintf("it is longer than %d bytes", maxBytes)
	case !utf8.ValidString(text):
		return "it is not valid UTF-8"
	}
	for _, r := range text {
		if reason := unsafeRune(r); reason != "" {
			return reason
		}
	}
	return ""
}

// unsafeRune refuses what a person cannot see or what a decoder puts in place
// of bytes it could not read: two names that look alike must not differ in it.
func unsafeRune(r rune) string {
	switch {
	case unicode.IsControl(r):
		return "it holds a control character"
	case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Noncharacter_Code_Point, unicode.Other_Default_Ignorable_Code_Point):
		return "it holds an invisible character"
	case r == utf8.RuneError:
		return "it holds a character that could not be decoded"
	}
	return ""
}

// branchReason returns why name is no branch name, or "" when it is one. It
// follows git check-ref-format --branch
// (https://git-scm.com/docs/git-check-ref-format) and is stricter: rev syntax
// and names that only look like an ASCII name are refused.
func branchReason(name string) string {
	if reason := unsafeText(name, maxBranchBytes); reason != "" {
		return reason
	}
	switch {
	case strings.HasPrefix(name, "refs/"):
		return "write the branch name without 'refs/heads/'"
	case name == "@" || name == "HEAD":
		return "it names a revision, not a branch"
	case strings.HasPrefix(name, "-"):
		return "it begins with '-'"
	case strings.HasSuffix(name, "."):
		return "it ends with '.'"
	case strings.Contains(name, ".."):
		return "'..' is revision syntax; name one branch"
	case strings.Contains(name, "@{"):
		return "'@{' is revision syntax; name one branch"
	}
	for _, r := range name {
		if reason := branchRuneReason(r); reason != "" {
			return reason
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "":
			return "it has an empty part between '/'"
		case strings.HasPrefix(part, "."):
			return "a part of it begins with '.'"
		case strings.HasSuffix(part, ".lock"):
			return "a part of it ends with '.lock'"
		}
	}
	return ""
}

func branchRuneReason(r rune) string {
	switch {
	case strings.ContainsRune(`~^:?*[\`, r):
		return fmt.Sprintf("%q cannot be in a branch name", string(r))
	case unicode.IsSpace(r):
		return "it holds a space"
	case unicode.Is(unicode.Variation_Selector, r) || r == '\u2800':
		return "it holds a character that cannot be seen"
	case r == '\u017F' || r == '\u212A':
		// These fold to "s" and "k": a pattern with (?i) would take them for
		// the ASCII letter, and so would a reader.
		return "it holds a letter that looks like an ASCII letter and is another"
	}
	return ""
}

// CheckWorkspace returns an [*InvalidName] unless name is the slug of a
// workspace.
func CheckWorkspace(name string) error {
	if reason := slugReason(lowerASCII(name)); reason != "" {
		return invalid(WorkspaceName, "%s", reason)
	}
	return nil
}
