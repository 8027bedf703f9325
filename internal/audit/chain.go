package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A Key signs. A MAC that any of its keys made is good, so that a key can be
// replaced while old records stay.
type Key interface {
	MAC(data []byte) ([]byte, error)
	VerifyMAC(mac, data []byte) error // nil for a good one
}

// A Head is the end of one writer's chain, and zero before its first record.
type Head struct {
	Seq int64
	MAC []byte
	ID  string // of the last event; what a store says may leave it out
}

// What is signed begins with what it is for, so that a MAC made for one thing
// is not good for another.
const (
	labelRecord = "bucketgate audit record 1"
	labelHeads  = "bucketgate audit heads 1"
)

// A chain signs or checks one record after the other.
//
// A MAC covers the writer's name, the number and the MAC of the record before:
// a record is good in one place only. Who has the database and not the key can
// change nothing in it without the chain breaking there.
type chain struct {
	writer string
	head   Head
	buffer []byte
}

// data is what the MAC of the next record is over. Each part stands behind its
// length; without it bytes could move from one part into the next.
func (c *chain) data(seq int64, body []byte) []byte {
	d := c.buffer[:0]
	d = appendPart(d, labelRecord)
	d = appendPart(d, c.writer)
	d = binary.BigEndian.AppendUint64(d, uint64(seq))
	d = appendPart(d, c.head.MAC)
	d = appendPart(d, body)
	c.buffer = d
	return d
}

func appendPart[T string | []byte](d []byte, part T) []byte {
	d = binary.BigEndian.AppendUint64(d, uint64(len(part)))
	return append(d, part...)
}

// next signs what follows in the chain. The chain moves on with advance.
func (c *chain) next(key Key, e entry) (Record, error) {
	seq := c.head.Seq + 1
	mac, err := key.MAC(c.data(seq, e.body))
	if err != nil {
		return Record{}, fmt.Errorf("signing the audit event: %w", err)
	}
	if len(mac) == 0 {
		return Record{}, errors.New("signing the audit event: the key made an empty MAC")
	}
	return Record{Writer: c.writer, Seq: seq, Event: e.event, Body: e.body, MAC: mac}, nil
}

// good reports whether the record is signed for this place in the chain.
func (c *chain) good(key Key, r Record) bool {
	return key.VerifyMAC(r.MAC, c.data(r.Seq, r.Body)) == nil
}

// advance moves on to a record. It keeps none of the record's memory.
func (c *chain) advance(r Record) {
	c.head = Head{Seq: r.Seq, MAC: append(c.head.MAC[:0:0], r.MAC...), ID: r.Event.ID}
}
