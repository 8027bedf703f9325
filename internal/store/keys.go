package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"

	"bucketgate/internal/secret"
)

// A loadedKeyset is a keyset as it was read under its stamp.
type loadedKeyset struct {
	stamp string
	keys  *secret.Keyset
}

// Keyset returns the keyset as this process last read it. Its signing and
// deriving keys never change.
func (s *Store) Keyset() *secret.Keyset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys.keys
}

func (s *Store) remembered() loadedKeyset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys
}

func (s *Store) remember(k loadedKeyset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = k
}

// keyset returns the keyset as this transaction sees it. It is asked anew in
// every transaction that seals or opens, and not taken from memory unseen:
// another process may have added a key, with which values are sealed that the
// old keyset does not open, or dropped one, and what we then sealed with it
// nobody could open any more. The stamp makes this one small read.
func (tx *Tx) keyset() (*secret.Keyset, error) {
	if tx.keys != nil {
		return tx.keys.keys, nil
	}
	lock := ""
	if tx.writable {
		lock = tx.store.dialect.shareLock
	}
	known := tx.store.remembered()
	var stamp string
	err := tx.row(`SELECT stamp FROM keyset WHERE id = 1` + lock).Scan(&stamp)
	if err == nil && stamp != known.stamp {
		known, err = tx.readKeyset()
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, say(ErrDamaged, "the database %s has lost its keyset; restore a backup of it", tx.store.path)
	}
	if _, ok := errors.AsType[*said](err); ok {
		return nil, err // a sentence of its own
	}
	if err != nil {
		return nil, fmt.Errorf("reading the keyset: %w", err)
	}
	tx.keys = &known
	return known.keys, nil
}

func (tx *Tx) readKeyset() (loadedKeyset, error) {
	var sealed []byte
	var k loadedKeyset
	if err := tx.row(`SELECT sealed, stamp FROM keyset WHERE id = 1`).Scan(&sealed, &k.stamp); err != nil {
		return loadedKeyset{}, err
	}
	keys, err := secret.OpenKeyset(sealed, tx.store.master)
	if err != nil {
		return loadedKeyset{}, &said{words: fmt.Sprintf("the database %s cannot be used: %v", tx.store.path, err), kind: err}
	}
	k.keys = keys
	tx.store.remember(k)
	return k, nil
}

// ensureKeyset reads the keyset, and makes it in a new database.
func (tx *Tx) ensureKeyset() error {
	var keysets, users int
	err := tx.row(`SELECT (SELECT count(*) FROM keyset), EXISTS (SELECT 1 FROM sealed_values) OR EXISTS (SELECT 1 FROM audit_events)`).Scan(&keysets, &users)
	if err != nil {
		return fmt.Errorf("looking for the keyset: %w", err)
	}
	if keysets > 0 || users > 0 {
		// Where values are sealed and the keyset is gone, a new one would hide
		// that they are lost.
		_, err := tx.keyset()
		return err
	}
	keys, err := secret.NewKeyset()
	if err != nil {
		return err
	}
	return tx.writeKeyset(keys)
}

func (tx *Tx) writeKeyset(keys *secret.Keyset) (err error) {
	defer tx.writing(&err)()
	sealed, err := keys.Sealed(tx.store.master)
	if err != nil {
		return err
	}
	k := loadedKeyset{stamp: rand.Text(), keys: keys}
	_, err = tx.exec(`INSERT INTO keyset (id, sealed, stamp, changed_at) VALUES (1, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, stamp = excluded.stamp, changed_at = excluded.changed_at`, sealed, k.stamp, micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("writing the keyset: %w", err)
	}
	tx.keys, tx.newKeys = &k, &k
	return nil
}

// KeyStatus tells which keys there are and what they seal.
type KeyStatus struct {
	Keys []KeyUse // oldest first
	Lost int      // values of which the key is gone; they must be set again
}

// KeyUse is one key that seals.
type KeyUse struct {
	ID      uint32
	Primary bool // new values are sealed with it
	Values  int  // that are sealed with it
}

// KeyStatus returns the keys that seal, and how many values each has sealed. A
// second key is there during a rotation, and after one that was interrupted.
func (s *Store) KeyStatus(ctx context.Context) (KeyStatus, error) {
	var status KeyStatus
	err := s.View(ctx, func(tx *Tx) (err error) {
		status, err = tx.keyStatus()
		return err
	})
	return status, err
}

func (tx *Tx) keyStatus() (KeyStatus, error) {
	keys, err := tx.keyset()
	if err != nil {
		return KeyStatus{}, err
	}
	// Counted from the ciphertexts themselves: a column beside them could say
	// that nothing uses a key that is about to be dropped.
	// And only those of a credential: a row of nobody opens for nobody, and must
	// not keep a key that was to be dropped.
	counts, total := map[uint32]int{}, 0
	err = tx.each(sealedQuery, nil, func(rows *sql.Rows) error {
		v, err := scanSealed(rows)
		counts[secret.KeyID(v.sealed)]++
		total++
		return err
	})
	if err != nil {
		return KeyStatus{}, fmt.Errorf("counting sealed values: %w", err)
	}
	status := KeyStatus{Lost: total}
	for _, id := range keys.IDs() {
		status.Keys = append(status.Keys, KeyUse{ID: id, Primary: id == keys.PrimaryID(), Values: counts[id]})
		status.Lost -= counts[id]
	}
	return status, nil
}
