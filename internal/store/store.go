package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"bucketgate/internal/secret"
)

// Config is what a store needs.
type Config struct {
	// Database is the path of the file. It is made, with its folder, where
	// there is none.
	Database string

	// MasterKey is asked once, before the database is touched.
	MasterKey func() (secret.MasterKey, error)

	// LockTimeout is how long to wait for another process that writes; 0 is
	// five seconds.
	LockTimeout time.Duration

	// Now is the clock that records get their times from; nil is time.Now.
	Now func() time.Time
}

// A Store is an open database. It is safe for concurrent use.
type Store struct {
	path    string
	dialect dialect
	master  secret.MasterKey
	clock   func() time.Time
	closed  chan struct{}
	close   sync.Once

	writer *sql.DB // one connection: one writer at a time
	reader *sql.DB
	poller *sql.DB // for Watch, which must not wait for readers
	audit  auditStatements

	mu       sync.Mutex
	keys     loadedKeyset
	watchers map[chan struct{}]bool
}

// View runs read with one consistent picture of the database. It may run beside
// any number of others and beside a writer.
func (s *Store) View(ctx context.Context, read func(*Tx) error) error {
	tx, err := s.reader.BeginTx(ctx, nil)
	if err != nil {
		return s.explain(fmt.Errorf("beginning to read: %w", err))
	}
	defer tx.Rollback()
	return s.explain(read(&Tx{ctx: ctx, tx: tx, store: s}))
}

// Update runs change as one transaction: when it returns nil, all of it is on
// the disk, and otherwise nothing. There is one writer at a time, over all
// processes. An error that a method of Tx returned is the answer even where
// change returns nil: what was refused in part is not committed in part.
//
// change must not call Update, which would wait for itself.
func (s *Store) Update(ctx context.Context, change func(*Tx) error) error {
	sqlTx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return s.explain(fmt.Errorf("beginning to write: %w", err))
	}
	defer sqlTx.Rollback()
	tx := &Tx{ctx: ctx, tx: sqlTx, store: s, writable: true}
	if err := change(tx); err != nil {
		return s.explain(err)
	}
	if tx.spoiled != nil {
		return s.explain(tx.spoiled)
	}
	if tx.changed {
		if err := tx.mark(rand.Text()); err != nil {
			return s.explain(err)
		}
	}
	if err := sqlTx.Commit(); err != nil {
		return s.explain(fmt.Errorf("committing: %w", err))
	}
	s.committed(tx)
	return nil
}

// mark leaves the stamp by which other processes notice a change. A change that
// nobody would notice is none: servers would go on with the rules that an admin
// has just taken back.
func (tx *Tx) mark(stamp string) error {
	marked, err := tx.exec(`UPDATE changes SET stamp = ? WHERE id = 1`, stamp)
	if err == nil && marked != 1 {
		return tx.store.unmarked()
	}
	return err
}

func (s *Store) unmarked() error {
	return say(ErrDamaged, "the database %s has lost its mark of changes: somebody has edited it; restore a backup of it", s.path)
}

func (s *Store) committed(tx *Tx) {
	if tx.newKeys != nil {
		s.remember(*tx.newKeys)
	}
	if tx.changed {
		s.wake()
	}
}

// Close closes the database. Watches end.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.closed)
		err = errors.Join(s.poller.Close(), s.reader.Close(), s.writer.Close())
	})
	return err
}

// A Tx is a transaction. It is valid until the function that it was given to
// returns, and is used by one goroutine at a time.
type Tx struct {
	ctx      context.Context
	tx       *sql.Tx
	store    *Store
	writable bool
	now      time.Time     // see Now
	changed  bool          // a record: watchers are told
	spoiled  error         // the first change that was refused
	keys     *loadedKeyset // as this transaction sees it
	newKeys  *loadedKeyset // to be remembered once they are committed
}

var errReadOnlyTx = errors.New("store: a change within View; it belongs in Update")

// changing begins every method that changes a record, and returns what ends
// it: defer tx.changing(&err)().
func (tx *Tx) changing(err *error) func() {
	tx.changed = true
	return tx.writing(err)
}

// writing is changing without telling the watchers.
func (tx *Tx) writing(err *error) func() {
	return func() {
		if *err != nil && tx.spoiled == nil {
			tx.spoiled = *err
		}
	}
}

// exec runs a statement that writes, and returns how many rows it changed.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	if !tx.writable {
		return 0, errReadOnlyTx
	}
	result, err := tx.tx.ExecContext(tx.ctx, tx.store.dialect.bind(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (tx *Tx) row(query string, args ...any) *sql.Row {
	return tx.tx.QueryRowContext(tx.ctx, tx.store.dialect.bind(query), args...)
}

// each calls scan for every row.
func (tx *Tx) each(query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := tx.tx.QueryContext(tx.ctx, tx.store.dialect.bind(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// texts returns the one column of a query.
func (tx *Tx) texts(query string, args ...any) ([]string, error) {
	var list []string
	err := tx.each(query, args, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		list = append(list, text)
		return err
	})
	return list, err
}

// A scanner is a row, alone or among others.
type scanner interface{ Scan(...any) error }
