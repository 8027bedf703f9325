package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Record is an event in its place in the chain of one writer.
type Record struct {
	Writer string
	Seq    int64  // 1 for a writer's first, then without a gap
	Event  Event  // as the store's columns say it
	Body   []byte // the event's JSON, exactly as it was signed
	MAC    []byte // over writer, number, the MAC before it and the body
}

// ErrBehind is what a store answers when the number of a record is taken by
// another record of the same writer: somebody else, or an earlier attempt that
// seemed to fail, went on with the chain. Nothing was written. A [Writer] then
// reads the chain's end anew and signs again.
var ErrBehind = errors.New("the audit chain has gone on")

// A Filter chooses events. Its zero value chooses all.
type Filter struct {
	Caller, Tool string
	Scope        string // one of the scopes of the event
	Decision     Decision
	Since, Until time.Time // from Since on, and before Until
}

// Matches reports whether the filter chooses the event.
func (f Filter) Matches(e Event) bool {
	return (f.Caller == "" || f.Caller == e.Caller) &&
		(f.Tool == "" || f.Tool == e.Tool) &&
		(f.Scope == "" || hasScope(e.Scope, f.Scope)) &&
		(f.Decision == "" || f.Decision == e.Decision) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) &&
		(f.Until.IsZero() || e.Time.Before(f.Until))
}

func hasScope(scopes, name string) bool {
	for s := range strings.SplitSeq(scopes, ",") {
		if s == name {
			return true
		}
	}
	return false
}

// Precision is what the time of an event in the chain is cut to: every store
// can hold it in a column.
const Precision = time.Microsecond

// canonical returns the event as every store can hold it: the time in UTC and
// cut to microseconds, texts in UTF-8 and without NUL. What a caller sends
// must not be able to make an append fail, or one call would stop the writer.
func canonical(e Event) Event {
	e.Time = e.Time.UTC().Truncate(Precision)
	for _, text := range texts(&e) {
		*text = storable(*text)
	}
	e.Decision = Decision(storable(string(e.Decision)))
	return e
}

func storable(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.ReplaceAll(s, "\x00", "\uFFFD")
}

// texts are the fields of an event that hold text, but for the decision.
func texts(e *Event) []*string {
	return []*string{&e.ID, &e.Caller, &e.Role, &e.Transport, &e.From, &e.Tool, &e.Scope, &e.Target, &e.Reason, &e.GrantVersion}
}

// encode returns the body of an event that is canonical.
func encode(e Event) ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding the audit event: %w", err)
	}
	return body, nil
}

// decode returns the event that a body says.
func decode(body []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fmt.Errorf("decoding the audit event: %w", err)
	}
	return e, nil
}

// says reports whether the body says this event. Most bodies are what encode
// makes of it today; one that an older version wrote is decoded.
func says(body []byte, e Event) bool {
	e.Time = e.Time.UTC()
	if encoded, err := encode(e); err == nil && bytes.Equal(encoded, body) {
		return true
	}
	said, err := decode(body)
	if err != nil || !said.Time.Equal(e.Time) {
		return false
	}
	said.Time = e.Time
	return said == e
}
