package audit

import (
	"context"
	"sync/atomic"
)

// A Tally counts the events that a [Writer] has taken for one piece of work. A
// tool of an admin changes records through a service that writes its event
// together with the change; who runs the tool looks at the tally, and writes
// the event that is otherwise missing. So each call leaves one, whichever way
// it ends, and no tool has to say who writes it.
type Tally struct{ events atomic.Int64 }

type tallyKey struct{}

// WithTally returns a context for the work, and what is counted under it.
func WithTally(ctx context.Context) (context.Context, *Tally) {
	tally := new(Tally)
	return context.WithValue(ctx, tallyKey{}, tally), tally
}

// Events returns how many events were taken. Of a nil tally it is none.
func (t *Tally) Events() int {
	if t == nil {
		return 0
	}
	return int(t.events.Load())
}

// count notes that an event was taken for the work of ctx. One that is taken is
// written, even where who asked for it does not wait until it is.
func count(ctx context.Context) {
	if tally, ok := ctx.Value(tallyKey{}).(*Tally); ok {
		tally.events.Add(1)
	}
}
