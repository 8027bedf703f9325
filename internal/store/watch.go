package store

import (
	"context"
	"fmt"
	"time"
)

// pollEvery bounds how long a change that another process made goes unnoticed.
const pollEvery = 100 * time.Millisecond

// Watch calls changed after every change of a record that is committed from now
// on, by this process at once and by another within a fraction of a second,
// until ctx ends or the store is closed. Calls never overlap, and one call may
// stand for several changes. Audit events, last uses and key rotations are no
// changes.
func (s *Store) Watch(ctx context.Context, changed func()) error {
	// Read before Watch returns: a change that is made right after it must be
	// seen as one.
	seen, err := s.stamp(ctx)
	if err != nil {
		return s.explain(err)
	}
	poke := make(chan struct{}, 1)
	s.mu.Lock()
	s.watchers[poke] = true
	s.mu.Unlock()
	go s.watch(ctx, poke, seen, changed)
	return nil
}

func (s *Store) watch(ctx context.Context, poke chan struct{}, seen string, changed func()) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, poke)
	}()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.closed:
			return
		case <-poke:
		case <-tick.C:
		}
		// A poll that fails changes nothing that is seen: the next one tells.
		if stamp, err := s.stamp(ctx); err == nil && stamp != seen {
			seen = stamp
			changed()
		}
	}
}

// Stamp tells one state of the records from every other: it is another one
// after each change that Watch would tell of.
func (tx *Tx) Stamp() (string, error) {
	var stamp string
	if err := tx.row(`SELECT stamp FROM changes WHERE id = 1`).Scan(&stamp); err != nil {
		return "", fmt.Errorf("looking for changes: %w", err)
	}
	return stamp, nil
}

func (s *Store) stamp(ctx context.Context) (string, error) {
	var stamp string
	if err := s.poller.QueryRowContext(ctx, `SELECT stamp FROM changes WHERE id = 1`).Scan(&stamp); err != nil {
		return "", fmt.Errorf("looking for changes: %w", err)
	}
	return stamp, nil
}

// wake makes the watchers of this process look now.
func (s *Store) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for poke := range s.watchers {
		select {
		case poke <- struct{}{}:
		default: // it is going to look anyway
		}
	}
}
