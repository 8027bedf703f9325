package bitbucket

import (
	"context"
	"sync"
	"time"
)

// flights lets equal reads at the same time share one request. Unlike
// x/sync/singleflight a flight belongs to nobody: it ends when the last who
// waits has gone, and goes on when only the first has.
type flights struct {
	mu      sync.Mutex
	running map[any]*flight
}

type flight struct {
	cancel  context.CancelFunc
	waiting int
	done    chan struct{} // closed when body and err are set
	body    []byte
	err     error
}

// do returns what read returns, called once for all who ask with the same key
// while it runs. The body is shared: nobody may change it.
func (f *flights) do(ctx context.Context, key any, read func(context.Context) ([]byte, error)) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		running, joined := f.join(ctx, key, read)
		select {
		case <-running.done:
		case <-ctx.Done():
			f.abandon(key, running)
			return nil, ctx.Err()
		}
		// A flight has the deadline of who started it. One who joined with
		// more time left starts another.
		if !joined || !ranOutOfTime(running.err) {
			return running.body, running.err
		}
	}
}

// join returns the flight under way, or a new one.
func (f *flights) join(ctx context.Context, key any, read func(context.Context) ([]byte, error)) (running *flight, joined bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if running := f.running[key]; running != nil {
		running.waiting++
		return running, true
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(callTime)
	}
	shared, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	started := &flight{cancel: cancel, waiting: 1, done: make(chan struct{})}
	if f.running == nil {
		f.running = map[any]*flight{}
	}
	f.running[key] = started
	go func() {
		defer cancel()
		started.body, started.err = read(shared)
		f.remove(key, started)
		close(started.done)
	}()
	return started, false
}

// abandon takes one waiter off; the last one out ends the request.
func (f *flights) abandon(key any, running *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if running.waiting--; running.waiting > 0 {
		return
	}
	running.cancel()
	if f.running[key] == running {
		delete(f.running, key) // who comes now must not join a dying flight
	}
}

func (f *flights) remove(key any, running *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running[key] == running {
		delete(f.running, key)
	}
}
