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
	return s.Update(ctx, func(tx *Tx) error {
		for _, r := range records {
			if err := tx.AppendAudit(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// auditStatements are prepared once: they run for every call of every tool.
type auditStatements struct{ event, scope *sql.Stmt }

func (s *Store) prepareAudit(ctx context.Context) (err error) {
	s.audit.event, err = s.writer.PrepareContext(ctx, s.dialect.bind(`
		INSERT INTO audit_events (writer, seq, id, time, caller, tool, scope, target, decision, body, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (writer, seq) DO NOTHING RETURNING n`))
	if err == nil {
		s.audit.scope, err = s.writer.PrepareContext(ctx, s.dialect.bind(`INSERT INTO audit_event_scopes (scope, time, n, caller, tool, decision) VALUES (?, ?, ?, ?, ?, ?)`))
	}
	if err != nil {
		return fmt.Errorf("preparing to write audit events: %w", err)
	}
	return nil
}

// AppendAudit writes one record together with the change that it is about. Its
// errors are those of [Store.AppendAudit].
func (tx *Tx) AppendAudit(r audit.Record) (err error) {
	defer tx.writing(&err)()
	if !tx.writable {
		return errReadOnlyTx
	}
	e, when := r.Event, micros(r.Event.Time)
	var n int64
	err = tx.tx.StmtContext(tx.ctx, tx.store.audit.event).QueryRowContext(tx.ctx,
		r.Writer, r.Seq, e.ID, when, e.Caller, e.Tool, e.Scope, e.Target, string(e.Decision), r.Body, r.MAC).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return tx.alreadyThere(r)
	}
	if err != nil {
		return fmt.Errorf("writing an audit event: %w", err)
	}
	for _, scope := range scopesOf(e) {
		if _, err := tx.tx.StmtContext(tx.ctx, tx.store.audit.scope).ExecContext(tx.ctx, scope, when, n, e.Caller, e.Tool, string(e.Decision)); err != nil {
			return fmt.Errorf("writing an audit event: %w", err)
		}
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

// scanAudit reads auditColumns and then, into more, what stands behind them.
// What has a column is taken from it, and the rest from the body: a check of
// the chain compares the two, so that who changes a column to hide an event
// from lists is found.
func scanAudit(row scanner, more ...any) (n int64, r audit.Record, err error) {
	var id, caller, tool, scope, target, decision string
	var when time.Time
	targets := []any{&n, &r.Writer, &r.Seq, &id, (*microTime)(&when), &caller, &tool, &scope, &target, &decision, &r.Body, &r.MAC}
	if err := row.Scan(append(targets, more...)...); err != nil {
		return 0, audit.Record{}, err
	}
	if json.Unmarshal(r.Body, &r.Event) != nil {
		r.Event = audit.Event{} // a body that was damaged; the check says so
	}
	r.Event.ID, r.Event.Time, r.Event.Caller, r.Event.Tool = id, when, caller, tool
	r.Event.Scope, r.Event.Target, r.Event.Decision = scope, target, audit.Decision(decision)
	return n, r, nil
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
		return 0, 0, errors.New("the cursor of the audit list is not one")
	}
	return when, n, nil
}

// ListAudit returns at most limit events that the filter chooses, the newest
// first, beginning after the cursor, and the cursor to go on with; it is empty
// when there are no more.
func (s *Store) ListAudit(ctx context.Context, f audit.Filter, limit int, after AuditCursor) ([]audit.Record, AuditCursor, error) {
	query, args, err := auditQuery(f, limit, after)
	if err != nil || limit <= 0 {
		return nil, "", err
	}
	var list []audit.Record
	var next AuditCursor
	err = s.View(ctx, func(tx *Tx) error {
		list, next = nil, ""
		rows := 0
		return tx.each(query, args, func(row *sql.Rows) error {
			n, r, err := scanAudit(row)
			if rows++; err == nil && rows <= limit {
				list = append(list, r)
				next = cursorAt(r.Event.Time, n)
			}
			return err
		})
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing audit events: %w", err)
	}
	if len(list) == limit {
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

// eachAuditAtOnce is how many records are read in one go. Nothing is held open
// while they are handed over.
const eachAuditAtOnce = 500

// EachAudit hands over the records of one writer in the order of their numbers,
// and stops at the first error, which it returns. What is appended meanwhile
// may be among them.
func (s *Store) EachAudit(ctx context.Context, writer string, take func(audit.Record) error) error {
	for last := int64(-1 << 63); ; {
		page, err := s.auditAfter(ctx, writer, last)
		if err != nil {
			return fmt.Errorf("reading audit events: %w", err)
		}
		for _, r := range page {
			if err := take(r); err != nil {
				return err
			}
			last = r.Seq
		}
		if len(page) < eachAuditAtOnce {
			return nil
		}
	}
}

func (s *Store) auditAfter(ctx context.Context, writer string, last int64) ([]audit.Record, error) {
	var page []audit.Record
	err := s.View(ctx, func(tx *Tx) error {
		page = nil
		// How the list by scope finds the event counts as a column of it.
		return tx.each(`SELECT `+auditColumns+`,
				(SELECT count(*) FROM audit_event_scopes s WHERE s.scope = e.scope AND s.time = e.time AND s.n = e.n
					AND s.caller = e.caller AND s.tool = e.tool AND s.decision = e.decision)
			FROM audit_events e WHERE e.writer = ? AND e.seq > ? ORDER BY e.seq LIMIT ?`, []any{writer, last, eachAuditAtOnce}, func(rows *sql.Rows) error {
			var listed int
			n, r, err := scanAudit(rows, &listed)
			if err == nil && listed == 0 && r.Event.Scope != "" {
				r.Event.Scope, err = tx.listedScopes(n, r.Event)
			}
			page = append(page, r)
			return err
		})
	})
	return page, err
}

// listedScopes returns the scopes under which the list finds an event.
func (tx *Tx) listedScopes(n int64, e audit.Event) (string, error) {
	var found []string
	for scope := range strings.SplitSeq(e.Scope, ",") {
		var listed int
		err := tx.row(`SELECT count(*) FROM audit_event_scopes WHERE scope = ? AND time = ? AND n = ? AND caller = ? AND tool = ? AND decision = ?`,
			scope, micros(e.Time), n, e.Caller, e.Tool, string(e.Decision)).Scan(&listed)
		if err != nil {
			return "", err
		}
		if listed > 0 {
			found = append(found, scope)
		}
	}
	return strings.Join(found, ","), nil
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
