package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"bucketgate/internal/secret"
)

// resealAtOnce is how many values one transaction reseals. Between two of them
// other writers have their turn.
const resealAtOnce = 50

// RotateKeys adds a key, seals every value anew with it, and drops the keys
// that seal nothing any more. Other processes go on meanwhile. Killed at any
// moment it leaves a database in which everything opens; run again it finishes
// what it began, and adds no further key.
//
// A value that does not open cannot be sealed anew. It is left, with its key,
// and the error names it.
func (s *Store) RotateKeys(ctx context.Context) error {
	if err := s.Update(ctx, (*Tx).BeginRotation); err != nil {
		return fmt.Errorf("adding a key: %w", err)
	}
	return s.FinishRotation(ctx)
}

// FinishRotation is the part of RotateKeys after BeginRotation. Where no
// rotation was begun it does nothing.
func (s *Store) FinishRotation(ctx context.Context) error {
	unopened, err := s.reseal(ctx)
	if err != nil {
		return fmt.Errorf("sealing values anew: %w", err)
	}
	if err := s.Update(ctx, (*Tx).dropKeys); err != nil {
		return fmt.Errorf("dropping the old key: %w", err)
	}
	return unopened
}

// BeginRotation makes a new key the primary one, unless there is an older one
// beside it still: then a rotation was interrupted, and goes on. It is a part
// of RotateKeys for who writes something down in the same transaction.
func (tx *Tx) BeginRotation() error {
	keys, err := tx.keyset()
	if err != nil || len(keys.IDs()) > 1 {
		return err
	}
	rotated, err := keys.Rotate()
	if err != nil {
		return err
	}
	return tx.writeKeyset(rotated)
}

// reseal seals anew what the primary key has not sealed. From the moment the
// new key is committed nobody seals with an old one, so that one walk finds all.
func (s *Store) reseal(ctx context.Context) (unopened, err error) {
	var last sealedValue
	for more := true; more; {
		err := s.Update(ctx, func(tx *Tx) error {
			batch, err := tx.sealedAfter(last)
			if more = len(batch) == resealAtOnce; err != nil || len(batch) == 0 {
				return err
			}
			last = batch[len(batch)-1]
			for _, v := range batch {
				err := tx.resealOne(v)
				if isUnopened(err) {
					unopened = errors.Join(unopened, err)
					continue
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return unopened, nil
}

func isUnopened(err error) bool {
	return errors.Is(err, secret.ErrNotOpened) || errors.Is(err, secret.ErrUnknownKey)
}

func (tx *Tx) sealedAfter(last sealedValue) ([]sealedValue, error) {
	var batch []sealedValue
	err := tx.each(sealedQuery+` WHERE (v.credential_id, v.name) > (?, ?) ORDER BY v.credential_id, v.name LIMIT ?`, []any{last.credentialID, last.name, resealAtOnce}, func(rows *sql.Rows) error {
		v, err := scanSealed(rows)
		batch = append(batch, v)
		return err
	})
	return batch, err
}

func (tx *Tx) resealOne(v sealedValue) error {
	keys, err := tx.keyset()
	if err != nil || secret.KeyID(v.sealed) == keys.PrimaryID() {
		return err
	}
	value, err := tx.open(v)
	if err != nil {
		return err
	}
	sealed, err := keys.SealText(value, v.binding())
	if err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE sealed_values SET sealed = ? WHERE credential_id = ? AND name = ?`, sealed, v.credentialID, v.name)
	return err
}

// dropKeys drops the keys that seal nothing. It counts in the transaction that
// drops: between a count and a drop in another nobody could vouch for the count.
func (tx *Tx) dropKeys() error {
	status, err := tx.keyStatus()
	if err != nil {
		return err
	}
	keys, dropped := tx.keys.keys, false
	for _, key := range status.Keys {
		if key.Primary || key.Values > 0 {
			continue
		}
		if keys, err = keys.Drop(key.ID); err != nil {
			return err
		}
		dropped = true
	}
	if !dropped {
		return nil
	}
	return tx.writeKeyset(keys)
}
