package store

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Meta is what every record has. The store fills it in, but for UpdatedBy: who
// creates or updates a record says there who it is. An update needs the ID, and
// the Version that was read.
type Meta struct {
	ID        string
	Version   int64 // 1, and one more with each update
	CreatedAt time.Time
	UpdatedAt time.Time
	UpdatedBy string
}

func (tx *Tx) newMeta(by string) Meta {
	return Meta{ID: rand.Text(), Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now(), UpdatedBy: by}
}

// Now is the instant of the transaction: the first time that it was asked for,
// and the CreatedAt and UpdatedAt of whatever it writes. Who counts from a
// record's creation takes this one; another would be a little off, and with it
// a date or a duration that people read.
//
// It is cut to what a column holds, so that a record reads back as it was
// returned when it was written.
func (tx *Tx) Now() time.Time {
	if tx.now.IsZero() {
		tx.now = tx.store.clock().UTC().Truncate(time.Microsecond)
	}
	return tx.now
}

const metaColumns = `version, created_at, updated_at, updated_by`

func (m *Meta) values() []any {
	return []any{m.Version, micros(m.CreatedAt), micros(m.UpdatedAt), m.UpdatedBy}
}

func (m *Meta) targets() []any {
	return []any{&m.Version, (*microTime)(&m.CreatedAt), (*microTime)(&m.UpdatedAt), &m.UpdatedBy}
}

// A kind is one sort of record.
type kind struct {
	word  string // for people
	table string
}

var (
	providerKind   = kind{"provider", "providers"}
	credentialKind = kind{"credential", "credentials"}
	scopeKind      = kind{"scope", "scopes"}
	clientKind     = kind{"client", "clients"}
)

// insert adds a row of which the last columns are those of meta.
func (tx *Tx) insert(k kind, name, query string, values ...any) error {
	_, err := tx.exec(query, values...)
	if err != nil && tx.store.dialect.isDuplicate(err) {
		return &said{words: fmt.Sprintf("there is a %s %q already", k.word, name), kind: ErrExists, cause: err}
	}
	return wrap(err, "creating", k, name)
}

// update sets the columns of one record and counts its version up, if the
// version is the one that the caller has read.
func (tx *Tx) update(k kind, name string, m *Meta, set string, values ...any) error {
	m.UpdatedAt = tx.Now()
	values = append(values, micros(m.UpdatedAt), m.UpdatedBy, m.ID, m.Version)
	changed, err := tx.exec(`UPDATE `+k.table+` SET `+set+`, version = version + 1, updated_at = ?, updated_by = ? WHERE id = ? AND version = ?`, values...)
	switch {
	case err != nil && tx.store.dialect.isDuplicate(err):
		return &said{words: fmt.Sprintf("there is a %s %q already", k.word, name), kind: ErrExists, cause: err}
	case err != nil:
		return wrap(err, "updating", k, name)
	case changed == 0:
		return tx.stale(k, name, m.ID, m.Version)
	}
	m.Version++
	return nil
}

// delete removes one record, if the version is the one that the caller has read.
func (tx *Tx) delete(k kind, name, id string, version int64) error {
	changed, err := tx.exec(`DELETE FROM `+k.table+` WHERE id = ? AND version = ?`, id, version)
	if err == nil && changed == 0 {
		return tx.stale(k, name, id, version)
	}
	return wrap(err, "deleting", k, name)
}

// stale says why no row had this ID and this version.
func (tx *Tx) stale(k kind, name, id string, version int64) error {
	var current int64
	err := tx.row(`SELECT version FROM `+k.table+` WHERE id = ?`, id).Scan(&current)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return notFound(k.word, name)
	case err != nil:
		return wrap(err, "reading", k, name)
	}
	return say(ErrConflict, "%s %q was changed meanwhile: it is at version %d, and this change was made from version %d; look at it again and repeat the change", k.word, name, current, version)
}

// nameOf returns the name of the record with this ID.
func (tx *Tx) nameOf(k kind, id string) (string, error) {
	var name string
	err := tx.row(`SELECT name FROM `+k.table+` WHERE id = ?`, id).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", notFound(k.word, id)
	}
	return name, wrap(err, "reading", k, id)
}

// found turns "no rows" into words.
func found(err error, k kind, name string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return notFound(k.word, name)
	}
	return wrap(err, "reading", k, name)
}

func wrap(err error, doing string, k kind, name string) error {
	if err == nil {
		return nil
	}
	if name == "" {
		return fmt.Errorf("%s %ss: %w", doing, k.word, err)
	}
	return fmt.Errorf("%s %s %q: %w", doing, k.word, name, err)
}

// micros is a time as a column holds it; 0 is none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// A microTime scans what micros wrote.
type microTime time.Time

func (t *microTime) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a time is %T in the database", value)
	}
	*t = microTime(fromMicros(n))
	return nil
}

// A textList is a list of strings in one column.
type textList []string

func (l textList) json() string {
	if len(l) == 0 {
		return "[]"
	}
	text, _ := json.Marshal([]string(l)) // strings always marshal
	return string(text)
}

// Scan reads what json wrote. An empty list reads as nil.
func (l *textList) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("a list is %T in the database", value)
	}
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return fmt.Errorf("a list in the database is damaged: %w", err)
	}
	if len(list) == 0 {
		list = nil
	}
	*l = list
	return nil
}
