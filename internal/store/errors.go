package store

import (
	"errors"
	"fmt"
	"strings"
)

// What callers branch on. The errors that this package returns wrap them, and
// name the record or the file in their words.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("the name is taken")
	ErrConflict = errors.New("somebody else has changed it meanwhile")
	ErrInUse    = errors.New("it is in use")
	ErrNoKey    = errors.New("no API key is set")
	ErrCursor   = errors.New("the cursor of the audit list is not one")

	ErrLocked   = errors.New("the database is locked")
	ErrReadOnly = errors.New("the database is read-only")
	ErrDamaged  = errors.New("the database is damaged")
	ErrFull     = errors.New("the disk is full")
	ErrNewer    = errors.New("the database is newer than this program")
	ErrUnusable = errors.New("the database cannot be used")
)

// A said error has its words and its kind, and keeps what caused it for the
// log: the words of a database library are not for people.
type said struct {
	words string
	kind  error
	cause error // may be nil
}

func (e *said) Error() string { return e.words }

func (e *said) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

func say(kind error, format string, args ...any) error {
	return &said{words: fmt.Sprintf(format, args...), kind: kind}
}

func notFound(what, name string) error { return say(ErrNotFound, "there is no %s %q", what, name) }

// InUse refuses to delete or change a record that others need.
type InUse struct {
	Record string   // such as `provider "acme"`
	Users  []string // such as `scope "web"`, in order
}

// Error names the record and its users.
func (e *InUse) Error() string {
	return fmt.Sprintf("%s is in use by %s", e.Record, strings.Join(e.Users, ", "))
}

// Is makes errors.Is find [ErrInUse].
func (e *InUse) Is(target error) bool { return target == ErrInUse }

func quote(what string, name string) string { return fmt.Sprintf("%s %q", what, name) }
