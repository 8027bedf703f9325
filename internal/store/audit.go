package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bucketgate/internal/audit"
)

// AppendAudit writes records in one transaction: all are on the disk when it
// returns nil, and otherwise none. One that is there already, with its number
// and its MAC, counts as written; where another record has the number the error
// is [audit.ErrBehind].
func (s *Store) AppendAudit(ctx context.Context, records []audit.Record) error {
	return s.Update(ctx, func(tx *Tx) error { return tx.AppendAudit(records...) })
}

// AppendAudit writes records together with the change that they are about. Its
// errors are those of [Store.AppendAudit].
func (tx *Tx) AppendAudit(records ...audit.Record) (err error) {
	defer tx.writing(&err)()
	if !tx.writable {
		return errReadOnlyTx
	}
	var scopes [][]any
	err = insert(tx.store.audit.event, records, func(statement *sql.Stmt, some []audit.Record) error {
		rows, err := tx.appendEvents(statement, some)
		scopes = append(scopes, rows...)
		return err
	})
	if err != nil {
		return err
	}
	return insert(tx.store.audit.scope, scopes, func(statement *sql.Stmt, some [][]any) error {
		if _, err := tx.tx.StmtContext(tx.ctx, statement).ExecContext(tx.ctx, slices.Concat(some...)...); err != nil {
			return fmt.Errorf("writing an audit event: %w", err)
		}
		return nil
	})
}

// appendEvents writes as many records as the statement takes, and returns the
// rows by which the list by scope is to find them.
func (tx *Tx) appendEvents(statement *sql.Stmt, records []audit.Record) (scopes [][]any, err error) {
	args := make([]any, 0, len(records)*auditEventColumns)
	for _, r := range records {
		e := r.Event
		args = append(args, r.Writer, r.Seq, e.ID, micros(e.Time), e.Caller, e.Tool, e.Scope, e.Target, string(e.Decision), r.Body, r.MAC)
	}
	arrived, err := tx.arrived(statement, args)
	if err != nil {
		return nil, fmt.Errorf("writing an audit event: %w", err)
	}
	for _, r := range records {
		at := auditPlace{r.Writer, r.Seq}
		n, ok := arrived[at]
		delete(arrived, at) // the same place once more is a record that is there already
		if !ok {
			if err := tx.alreadyThere(r); err != nil {
				return nil, err
			}
			continue
		}
		e := r.Event
		for _, scope := range scopesOf(e) {
			scopes = append(scopes, []any{scope, micros(e.Time), n, e.Caller, e.Tool, string(e.Decision)})
		}
	}
	return scopes, nil
}

// An auditPlace is the place of a record in the chain of its writer.
type auditPlace struct {
	writer string
	seq    int64
}

// arrived runs a statement that inserts events, and returns the number of
// arrival of each that was not there.
func (tx *Tx) arrived(statement *sql.Stmt, args []any) (map[auditPlace]int64, error) {
	rows, err := tx.tx.StmtContext(tx.ctx, statement).QueryContext(tx.ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	arrived := map[auditPlace]int64{}
	for rows.Next() {
		var at auditPlace
		var n int64
		if err := rows.Scan(&at.writer, &at.seq, &n); err != nil {
			return nil, err
		}
		arrived[at] = n
	}
	return arrived, rows.Err()
}

// auditStatements are prepared once: they run for every call of every tool.
type auditStatements struct{ event, scope inserts }

// inserts is one statement for one row and for several: what a statement costs
// beside its rows is more than a row.
type inserts struct{ one, several *sql.Stmt }

// severalRows is how many rows inserts.several takes.
const severalRows = 16

const (
	auditEventColumns = 11
	auditScopeColumns = 6
)

func (s *Store) prepareAudit(ctx context.Context) (err error) {
	s.audit.event, err = s.prepareInserts(ctx, `INSERT INTO audit_events (writer, seq, id, time, caller, tool, scope, target, decision, body, mac) VALUES `, auditEventColumns,
		` ON CONFLICT (writer, seq) DO NOTHING RETURNING writer, seq, n`)
	if err == nil {
		s.audit.scope, err = s.prepareInserts(ctx, `INSERT INTO audit_event_scopes (scope, time, n, caller, tool, decision) VALUES `, auditScopeColumns, ``)
	}
	if err != nil {
		return fmt.Errorf("preparing to write audit events: %w", err)
	}
	return nil
}

func (s *Store) prepareInserts(ctx context.Context, head string, columns int, tail string) (i inserts, err error) {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	if i.one, err = s.writer.PrepareContext(ctx, s.dialect.bind(head+row+tail)); err == nil {
		i.several, err = s.writer.PrepareContext(ctx, s.dialect.bind(head+row+strings.Repeat(", "+row, severalRows-1)+tail))
	}
	return i, err
}

// insert hands over the rows in their order, and as many at once as there is a
// statement for.
func insert[T any](with inserts, rows []T, do func(*sql.Stmt, []T) error) error {
	for len(rows) > 0 {
		statement, count := with.one, 1
		if len(rows) >= severalRows {
			statement, count = with.several, severalRows
		}
		if err := do(statement, rows[:count]); err != nil {
			return err
		}
		rows = rows[count:]
	}
	return nil
}

func (tx *Tx) alreadyThere(r audit.Record) error {
	var mac []byte
	err := tx.row(`SELECT mac FROM audit_events WHERE writer = ? AND seq = ?`, r.Writer, r.Seq).Scan(&mac)
	if err != nil {
		return fmt.Errorf("reading an audit event: %w", err)
	}
	if !bytes.Equal(mac, r.MAC) {
		return audit.ErrBehind
	}
	return nil
}

func scopesOf(e audit.Event) []string {
	if e.Scope == "" {
		return nil
	}
	return slices.Compact(slices.Sorted(strings.SplitSeq(e.Scope, ",")))
}

const auditColumns = `e.n, e.writer, e.seq, e.id, e.time, e.caller, e.tool, e.scope, e.target, e.decision, e.body, e.mac`

// scanAudit reads auditColumns. The event has what has a column, and nothing
// else: see complete.
func scanAudit(row scanner) (n int64, r audit.Record, err error) {
	e := &r.Event
	var decision string
	err = row.Scan(&n, &r.Writer, &r.Seq, &e.ID, (*microTime)(&e.Time), &e.Caller, &e.Tool, &e.Scope, &e.Target, &decision, &r.Body, &r.MAC)
	e.Decision = audit.Decision(decision)
	return n, r, err
}

// complete takes from the body what has no column. What has one stays as the
// column says it: a check of the chain compares the two, so that who changes a
// column to hide an event from lists is found.
func complete(r *audit.Record) {
	columns := r.Event
	if json.Unmarshal(r.Body, &r.Event) != nil {
		r.Event = audit.Event{} // a body that was damaged; the check says so
	}
	e := &r.Event
	e.ID, e.Time, e.Caller, e.Tool = columns.ID, columns.Time, columns.Caller, columns.Tool
	e.Scope, e.Target, e.Decision = columns.Scope, columns.Target, columns.Decision
}

// An AuditCursor stands for a place in the list of events. The empty one is
// before the newest.
type AuditCursor string

func cursorAt(when time.Time, n int64) AuditCursor {
	return AuditCursor(fmt.Sprintf("%d.%d", micros(when), n))
}

func (c AuditCursor) place() (when, n int64, err error) {
	first, second, ok := strings.Cut(string(c), ".")
	when, err1 := strconv.ParseInt(first, 10, 64)
	n, err2 := strconv.ParseInt(second, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return 0, 0, ErrCursor
	}
	return when, n, nil
}

// ListAudit returns at most limit events that the filter chooses, the newest
// first, beginning after the cursor, and the cursor to go on with; it is empty
// when there are no more. What is appended meanwhile is newer: it moves no event
// to another page. What is no cursor of this list is [ErrCursor].
func (s *Store) ListAudit(ctx context.Context, f audit.Filter, limit int, after AuditCursor) ([]audit.Record, AuditCursor, error) {
	query, args, err := auditQuery(f, limit+1, after) // one more tells whether there are more
	if err != nil || limit <= 0 {
		return nil, "", err
	}
	var list []audit.Record
	var next AuditCursor
	more := false
	err = s.View(ctx, func(tx *Tx) error {
		list, next, more = nil, "", false
		return tx.each(query, args, func(row *sql.Rows) error {
			n, r, err := scanAudit(row)
			switch {
			case err != nil:
				return err
			case len(list) == limit:
				more = true
				return nil
			}
			complete(&r)
			list = append(list, r)
			next = cursorAt(r.Event.Time, n)
			return nil
		})
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing audit events: %w", err)
	}
	if more {
		return list, next, nil
	}
	return list, "", nil
}

// auditQuery writes the query for a filter. Each filter that chooses little has
// its index: see the migration.
func auditQuery(f audit.Filter, limit int, after AuditCursor) (string, []any, error) {
	from, place := `audit_events e`, `e`
	var where []string
	var args []any
	and := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if f.Scope != "" {
		from, place = `audit_event_scopes s JOIN audit_events e ON e.n = s.n`, `s`
		and(`s.scope = ?`, f.Scope)
	}
	if f.Caller != "" {
		and(place+`.caller = ?`, f.Caller)
	}
	if f.Tool != "" {
		and(place+`.tool = ?`, f.Tool)
	}
	switch f.Decision {
	case "":
	case audit.Denied:
		and(place + `.decision = 'denied'`) // spelled out, or the partial indexes are not taken
	default:
		and(place+`.decision = ?`, string(f.Decision))
	}
	if !f.Since.IsZero() {
		and(place+`.time >= ?`, ceiling(f.Since))
	}
	if !f.Until.IsZero() {
		and(place+`.time < ?`, ceiling(f.Until))
	}
	if after != "" {
		when, n, err := after.place()
		if err != nil {
			return "", nil, err
		}
		and(`(`+place+`.time, `+place+`.n) < (?, ?)`, when, n)
	}
	query := `SELECT ` + auditColumns + ` FROM ` + from
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, ` AND `)
	}
	return query + ` ORDER BY ` + place + `.time DESC, ` + place + `.n DESC LIMIT ?`, append(args, limit), nil
}

// ceiling is the first microsecond that is not before t.
func ceiling(t time.Time) int64 {
	n := t.UnixMicro()
	if time.UnixMicro(n).Before(t) {
		n++
	}
	return n
}

// eachAuditAtOnce is how many records are read in one go. No transaction is held
// open while they are handed over.
const eachAuditAtOnce = 500

// EachAudit hands over the records of one writer in the order of their numbers,
// and stops at the first error, which it returns. What is appended meanwhile
// may be among them.
//
// While one page is handed over the next is read: who checks a chain computes
// about as long as the database reads. So there are two pages in memory.
func (s *Store) EachAudit(ctx context.Context, writer string, take func(audit.Record) error) error {
	ctx, stop := context.WithCancel(ctx)
	pages := make(chan readPage)
	go s.readPages(ctx, writer, pages)
	defer func() {
		stop()
		for range pages { // until the reader has ended: the store may be closed next
		}
	}()
	for page := range pages {
		if page.err != nil {
			return fmt.Errorf("reading audit events: %w", page.err)
		}
		for i := range page.records {
			complete(&page.records[i])
			if err := take(page.records[i]); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

type readPage struct {
	records []audit.Record
	err     error
}

// readPages reads page after page until there are no more or ctx ends.
func (s *Store) readPages(ctx context.Context, writer string, pages chan<- readPage) {
	defer close(pages)
	last := int64(-1 << 63)
	for more := true; more; {
		records, err := s.auditAfter(ctx, writer, last)
		if more = err == nil && len(records) == eachAuditAtOnce; more {
			last = records[len(records)-1].Seq
		}
		select {
		case pages <- readPage{records, err}:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Store) auditAfter(ctx context.Context, writer string, last int64) ([]audit.Record, error) {
	var page auditPage
	err := s.View(ctx, func(tx *Tx) error {
		page = auditPage{listings: map[int64]*listing{}}
		err := tx.each(`SELECT `+auditColumns+` FROM audit_events e WHERE e.writer = ? AND e.seq > ? ORDER BY e.seq LIMIT ?`, []any{writer, last, eachAuditAtOnce}, page.add)
		if err != nil {
			return err
		}
		return tx.readListings(&page)
	})
	return page.records, err
}

// An auditPage is some records of a writer with what the list by scope says of
// them. How that list finds an event counts as a column of it: who takes an
// event off the list is found as one who changes it.
type auditPage struct {
	records  []audit.Record
	listings map[int64]*listing // by the number of arrival, for events that name a scope
}

// A listing is the scopes under which the list finds a record.
type listing struct {
	record int // its place in the page
	found  []string
}

func (p *auditPage) add(rows *sql.Rows) error {
	n, r, err := scanAudit(rows)
	if err != nil {
		return err
	}
	if r.Event.Scope != "" {
		p.listings[n] = &listing{record: len(p.records)}
	}
	p.records = append(p.records, r)
	return nil
}

// A span is from the first to the last time of some events, in microseconds.
type span struct{ first, last int64 }

// spans returns the scopes that the records name, and when.
func (p *auditPage) spans() map[string]span {
	spans := map[string]span{}
	for _, l := range p.listings {
		e := p.records[l.record].Event
		when := micros(e.Time)
		for scope := range strings.SplitSeq(e.Scope, ",") {
			at, ok := spans[scope]
			if !ok {
				at = span{when, when}
			}
			spans[scope] = span{min(at.first, when), max(at.last, when)}
		}
	}
	return spans
}

// readListings reads the list of each scope along the page's time, side by side
// with the page, and leaves to each record the scopes under which it is there.
// One question for each scope takes a fraction of what one for each event does.
func (tx *Tx) readListings(p *auditPage) error {
	for scope, at := range p.spans() {
		err := tx.each(`SELECT n, time, caller, tool, decision FROM audit_event_scopes WHERE scope = ? AND time BETWEEN ? AND ?`, []any{scope, at.first, at.last},
			func(rows *sql.Rows) error { return p.list(scope, rows) })
		if err != nil {
			return err
		}
	}
	for _, l := range p.listings {
		e := &p.records[l.record].Event
		var found []string
		for scope := range strings.SplitSeq(e.Scope, ",") {
			if slices.Contains(l.found, scope) {
				found = append(found, scope)
			}
		}
		e.Scope = strings.Join(found, ",")
	}
	return nil
}

// list notes a row of the list, if it says the same as the record.
func (p *auditPage) list(scope string, rows *sql.Rows) error {
	var n, when int64
	var caller, tool, decision sql.RawBytes // most rows are compared and forgotten
	if err := rows.Scan(&n, &when, &caller, &tool, &decision); err != nil {
		return err
	}
	l, ok := p.listings[n]
	if !ok {
		return nil // of another writer
	}
	e := p.records[l.record].Event
	if when == micros(e.Time) && string(caller) == e.Caller && string(tool) == e.Tool && string(decision) == string(e.Decision) {
		l.found = append(l.found, scope)
	}
	return nil
}

// LastAudit returns the end of a writer's chain, and a zero head where there is
// none.
func (s *Store) LastAudit(ctx context.Context, writer string) (audit.Head, error) {
	var head audit.Head
	err := s.View(ctx, func(tx *Tx) error {
		err := tx.row(`SELECT seq, mac, id FROM audit_events WHERE writer = ? ORDER BY seq DESC LIMIT 1`, writer).Scan(&head.Seq, &head.MAC, &head.ID)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return audit.Head{}, fmt.Errorf("reading the end of the audit log: %w", err)
	}
	return head, nil
}

// AuditWriters returns the writers of all events, in order. It skips from one
// to the next, so that it takes no longer for a long log.
func (s *Store) AuditWriters(ctx context.Context) ([]string, error) {
	var writers []string
	err := s.View(ctx, func(tx *Tx) (err error) {
		writers, err = tx.texts(`
			WITH RECURSIVE w (writer) AS (
				SELECT min(writer) FROM audit_events
				UNION ALL
				SELECT (SELECT min(writer) FROM audit_events WHERE writer > w.writer) FROM w WHERE w.writer IS NOT NULL
			)
			SELECT writer FROM w WHERE writer IS NOT NULL`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the writers of the audit log: %w", err)
	}
	return writers, nil
}
