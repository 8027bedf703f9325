package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Export writes the events that the filter chooses, one JSON object on each
// line, and returns how many. A line is the body, byte for byte, with writer,
// seq and mac (hex) added at its end: [ParseExport] takes it apart again, so
// that a whole export can be verified elsewhere with the key. Of a filtered
// one that is not possible, for each MAC is over the one before.
//
// The filter goes by the body, which is signed, and not by the columns.
func Export(w io.Writer, filter Filter, each func(take func(Record) error) error) (int64, error) {
	var lines int64
	var line []byte
	out := bufio.NewWriterSize(w, 64<<10)
	err := each(func(r Record) error {
		chosen, err := chooses(filter, r)
		if err != nil || !chosen {
			return err
		}
		if line, err = appendExport(line[:0], r); err != nil {
			return err
		}
		lines++
		_, err = out.Write(line)
		return err
	})
	if err := errors.Join(err, out.Flush()); err != nil {
		return lines, fmt.Errorf("exporting the audit events: %w", err)
	}
	return lines, nil
}

func chooses(filter Filter, r Record) (bool, error) {
	if filter == (Filter{}) {
		return true, nil
	}
	if says(r.Body, r.Event) {
		return filter.Matches(r.Event), nil
	}
	e, err := decode(r.Body)
	if err != nil {
		return false, fmt.Errorf("event %s: %w", r.Event.ID, err)
	}
	return filter.Matches(e), nil
}

const exportWriter = `,"writer":`

// appendExport appends the line of a record. A body that is not one object on
// one line, which only a changed one is, could make a line look like two.
func appendExport(line []byte, r Record) ([]byte, error) {
	body := r.Body
	if len(body) == 0 || body[len(body)-1] != '}' {
		return nil, notALine(r)
	}
	writer, err := json.Marshal(r.Writer)
	if err != nil {
		return nil, fmt.Errorf("encoding the writer's name: %w", err)
	}
	line = append(line, body[:len(body)-1]...)
	line = append(append(line, exportWriter...), writer...)
	line = strconv.AppendInt(append(line, `,"seq":`...), r.Seq, 10)
	line = append(hex.AppendEncode(append(line, `,"mac":"`...), r.MAC), `"}`...)
	if !json.Valid(line) || bytes.ContainsAny(line, "\r\n") {
		return nil, notALine(r)
	}
	return append(line, '\n'), nil
}

func notALine(r Record) error {
	return fmt.Errorf("event %s: its body is not an object on one line, so it was changed: run audit verify", r.Event.ID)
}

// ParseExport takes a line of an export apart. The event is decoded from the
// body, so that [Verify] of an export finds changes of the body and of the
// order as it does in the store.
func ParseExport(line []byte) (Record, error) {
	line = bytes.TrimRight(line, "\r\n")
	// A quotation mark inside a JSON string has a backslash before it, so that
	// the text can stand in no string, and its last place is the added field.
	at := bytes.LastIndex(line, []byte(exportWriter))
	if at < 0 {
		return Record{}, errors.New("reading an exported event: it has no writer at its end")
	}
	var place struct {
		Writer string `json:"writer"`
		Seq    int64  `json:"seq"`
		MAC    string `json:"mac"`
	}
	if err := json.Unmarshal(append([]byte{'{'}, line[at+1:]...), &place); err != nil {
		return Record{}, fmt.Errorf("reading an exported event: %w", err)
	}
	mac, err := hex.DecodeString(place.MAC)
	if err != nil {
		return Record{}, fmt.Errorf("reading the MAC of an exported event: %w", err)
	}
	body := append(bytes.Clone(line[:at]), '}')
	e, err := decode(body)
	if err != nil {
		return Record{}, err
	}
	return Record{Writer: place.Writer, Seq: place.Seq, Event: e, Body: body, MAC: mac}, nil
}
