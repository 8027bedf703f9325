package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Report is what [Verify] found.
type Report struct {
	Writers  int
	Events   int64     // that were read
	Findings []Finding // the first of each broken chain, in order of the writers
}

// A Finding is the first event of a chain that is not as it was signed.
type Finding struct {
	ID     string // of the event; empty only where nothing says it
	Writer string
	Seq    int64
	Words  string // what is wrong
}

// String is the finding in one line.
func (f Finding) String() string {
	id := f.ID
	if id == "" {
		id = "without an ID"
	}
	return fmt.Sprintf("event %s (writer %s, number %d): %s", id, f.Writer, f.Seq, f.Words)
}

// OK reports whether nothing was found.
func (r Report) OK() bool { return len(r.Findings) == 0 }

// Each reads the records of one writer in order of their numbers and hands
// them over one by one. It returns, wrapped or not, an error that take
// returned. The record's memory may be used again for the next one. Event is
// made from the columns, not from the body.
type Each func(ctx context.Context, writer string, take func(Record) error) error

// errBroken ends the reading of a chain.
var errBroken = errors.New("the audit chain is broken")

// Verify reads the chains of the writers, one record in memory at a time, and
// finds the first event of each that was changed in body, column or MAC, put
// elsewhere, put in or signed with another key, and the first after a gap.
//
// With heads it finds too what was cut off at a chain's end, and a writer all
// of whose events are gone. Read the heads before the list of writers, and the
// list before the records: then what is written meanwhile is no finding.
//
// The error is for what could not be read or checked; a finding is none.
func Verify(ctx context.Context, writers []string, each Each, key Key, heads Heads) (Report, error) {
	var report Report
	for _, writer := range everyWriter(writers, heads) {
		v := verification{chain: chain{writer: writer}, key: key}
		v.kept, v.hasKept = heads[writer]
		err := each(ctx, writer, v.take)
		report.Writers++
		report.Events += v.events
		if err != nil && (v.finding == nil || !errors.Is(err, errBroken)) {
			return report, fmt.Errorf("reading the events of writer %s: %w", writer, err)
		}
		if v.end(); v.finding != nil {
			report.Findings = append(report.Findings, *v.finding)
		}
	}
	return report, nil
}

func everyWriter(writers []string, heads Heads) []string {
	all := slices.AppendSeq(slices.Clone(writers), maps.Keys(heads))
	slices.Sort(all)
	return slices.Compact(all)
}

// A verification is one chain as it is read.
type verification struct {
	chain   chain
	key     Key
	kept    Head
	hasKept bool
	events  int64
	finding *Finding
}

// take checks the next record.
func (v *verification) take(r Record) error {
	if v.finding != nil {
		return errBroken // a reader that goes on changes nothing
	}
	v.events++
	if id, words := v.wrong(r); words != "" {
		return v.found(id, r.Seq, words)
	}
	v.chain.advance(r)
	return nil
}

func (v *verification) found(id string, seq int64, words string) error {
	v.finding = &Finding{ID: id, Writer: v.chain.writer, Seq: seq, Words: words}
	return errBroken
}

// wrong says what is wrong with the next record, and the ID to name it by.
func (v *verification) wrong(r Record) (id, words string) {
	id = shownID(r)
	switch want := v.chain.head.Seq + 1; {
	case r.Writer != v.chain.writer:
		return id, fmt.Sprintf("it stands among the events of writer %s and is one of %s", v.chain.writer, r.Writer)
	case r.Seq > want:
		return id, missing(want, r.Seq-1) + " before it"
	case r.Seq < want:
		return id, fmt.Sprintf("it is there twice or out of order: number %d was expected", want)
	case !v.chain.good(v.key, r):
		return id, "it is not what was signed here: its text, its place or its MAC was changed, or it was put in by somebody without the key"
	case !says(r.Body, r.Event):
		return changedColumns(r)
	case v.hasKept && r.Seq == v.kept.Seq && string(r.MAC) != string(v.kept.MAC):
		return id, "it is not the event that the head file has under this number"
	}
	return "", ""
}

// end checks that the chain reaches as far as the head that was kept.
func (v *verification) end() {
	last := v.chain.head
	if v.finding != nil || !v.hasKept || last.Seq >= v.kept.Seq {
		return
	}
	where := fmt.Sprintf("the chain ends at number %d (event %s)", last.Seq, last.ID)
	if last.Seq == 0 {
		where = "nothing of this writer is left"
	}
	v.found(v.kept.ID, v.kept.Seq, fmt.Sprintf("the head file knows it and it is gone: %s, %s from the end", where, missing(last.Seq+1, v.kept.Seq)))
}

func missing(from, to int64) string {
	if from == to {
		return fmt.Sprintf("one event (number %d) is missing", from)
	}
	return fmt.Sprintf("%d events (numbers %d to %d) are missing", to-from+1, from, to)
}

// shownID is the ID that a list of the events shows for the record.
func shownID(r Record) string {
	if r.Event.ID != "" {
		return r.Event.ID
	}
	e, _ := decode(r.Body)
	return e.ID
}

// changedColumns names the columns that differ from a body that is good. The
// ID is the one that was signed.
func changedColumns(r Record) (id, words string) {
	said, err := decode(r.Body)
	if err != nil {
		return shownID(r), "its body cannot be read"
	}
	var names []string
	shown := r.Event
	for i, text := range texts(&said) {
		if *text != *texts(&shown)[i] {
			names = append(names, textNames[i])
		}
	}
	if said.Decision != shown.Decision {
		names = append(names, "decision")
	}
	if !said.Time.Equal(shown.Time) {
		names = append(names, "time")
	}
	words = "what the table shows is not what was signed: " + strings.Join(names, ", ")
	if said.ID != shown.ID {
		words += fmt.Sprintf(" (it shows the ID %q)", shown.ID)
	}
	return said.ID, words
}

// textNames are the names of texts, in their order.
var textNames = []string{"id", "caller", "role", "transport", "from", "tool", "scope", "target", "reason", "grant_version"}
