package manage

import (
	"context"
	"log/slog"
	"time"

	"bucketgate/internal/store"
)

// retryAfter is how long after a load that failed the next is tried.
const retryAfter = time.Second

// A follower keeps in memory what the store says.
type follower struct {
	store *store.Store
	log   *slog.Logger
	what  string // it keeps
	load  func(context.Context) error

	// forget allows nothing until a load works. What was loaded before may be
	// what an admin has just taken back.
	forget func()
}

// follow loads once, and then anew after each change of the store, whoever
// makes it, until ctx ends.
func (f follower) follow(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	// Watched before it is loaded: a change in between must not go unseen.
	err := f.store.Watch(ctx, func() {
		select {
		case changed <- struct{}{}:
		default: // it is going to be loaded anyway
		}
	})
	if err != nil {
		return err
	}
	if err := f.load(ctx); err != nil {
		return err
	}
	go f.keep(ctx, changed)
	return nil
}

func (f follower) keep(ctx context.Context, changed <-chan struct{}) {
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again:
		}
		again = nil
		if err := f.load(ctx); err != nil && ctx.Err() == nil {
			f.forget()
			f.log.Error("loading "+f.what+"; nothing is allowed until it works", "error", err)
			again = time.After(retryAfter)
		}
	}
}
