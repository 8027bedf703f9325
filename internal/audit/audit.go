// Package audit writes down what was decided: one event for each call.
//
// Values are allow-listed: an event names who, what tool, which scope and
// which target, and why, and never holds file contents, arguments as such, or
// a secret.
//
// A [Writer] puts events into a chain that is signed with a key, so that
// [Verify] finds what was changed, moved, put in or taken out by somebody
// without it. A [HeadFile] outside the database shows what was cut off at the
// end. What a crash may lose, the last allowed reads and nothing else, stands
// at the Writer. A [File] is for the mode without set-up: lines, and no chain.
package audit

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// A Decision is what an event records.
type Decision string

// The decisions.
const (
	Allowed Decision = "allowed"
	Denied  Decision = "denied"
)

// An Event is one record of one decision.
type Event struct {
	ID           string    `json:"id"`
	Time         time.Time `json:"time"`
	Caller       string    `json:"caller"`
	Role         string    `json:"role"`
	Transport    string    `json:"transport"`
	From         string    `json:"from,omitempty"` // the address that the request came from, where it came over a network
	Tool         string    `json:"tool"`
	Scope        string    `json:"scope"`  // names of the scopes in question, comma separated
	Target       string    `json:"target"` // as the caller named it
	Decision     Decision  `json:"decision"`
	Reason       string    `json:"reason"` // why it was denied, or what an allowed call came to
	GrantVersion string    `json:"grant_version"`
}

// NewID returns an identifier for an event that no other event has.
func NewID() string { return rand.Text() }

// File appends events to a file, one JSON object on each line.
type File struct {
	mu   sync.Mutex
	file *os.File
}

// OpenFile opens the file for appending, and makes one that only its owner may
// read where there is none.
func OpenFile(path string) (*File, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the audit file: %w", err)
	}
	return &File{file: file}, nil
}

// Record appends an event. When it returns nil the operating system has the
// whole line.
func (f *File) Record(e Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding the audit event: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the audit event: %w", err)
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// WriteRefusal writes a line in plain words for a denied event, and nothing
// for another. It is for whoever watches: a failure is not told, or a caller
// could learn from it which names are refused.
func WriteRefusal(w io.Writer, e Event) {
	if e.Decision == Denied {
		fmt.Fprintf(w, "bucketgate: refused %s %q: %s\n", e.Tool, e.Target, e.Reason)
	}
}
