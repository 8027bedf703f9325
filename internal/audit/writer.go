package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

// Config is what a [Writer] needs.
type Config struct {
	// Writer is the name of the chain. Processes may share one, if Append and
	// With's commit answer ErrBehind.
	Writer string
	Key    Key

	// Append writes records in their order, all or none, and returns nil only
	// when a crash cannot take them back. After an error the writer hands over
	// the very same records again: one that is there already, with its number
	// and its MAC, counts as written. Where another record has the number it
	// answers ErrBehind.
	Append func(context.Context, []Record) error

	// Last reads the end of the chain, a zero Head where there is none.
	Last func(context.Context) (Head, error)

	Queue    int           // of events that wait; 0 is DefaultQueue
	Group    time.Duration // how long an allowed read may wait for others, up to MaxGroup; 0 is DefaultGroup
	HeadFile *HeadFile     // may be nil
	Log      *slog.Logger  // when the writer fails and when it goes on; may be nil
}

// Limits of a [Config].
const (
	DefaultQueue = 4096
	DefaultGroup = 50 * time.Millisecond // half of what is promised: the append takes time too
	MaxGroup     = 100 * time.Millisecond
)

const (
	roleAgent   = "agent"
	appendTime  = 10 * time.Second // for one append, so that a stuck database is an error
	headEvery   = time.Second      // for the head file after groups of allowed reads
	longestWait = 2 * time.Second  // between two tries of a failed writer
	behindTries = 10               // to get a number before another process does
)

// ErrUnavailable is in every refusal of a [Writer]: the call that the event is
// of must be refused.
var ErrUnavailable = errors.New("the audit log cannot be written")

// ErrCut is what [NewWriter] answers when the chain in the store is not the one
// that the head file knows.
var ErrCut = errors.New("the audit log does not reach as far as its head file says")

// A Writer writes events into one chain, in the order in which it was given
// them, each exactly once. It makes two kinds of promise:
//
//   - A refusal, an admin's action and whatever else is not an agent's allowed
//     call is committed, and the head file written, before the method returns.
//   - An allowed call of an agent is queued, and written with others within
//     Config.Group. A crash of the process loses the last group of these, and
//     nothing else. So may Close, if its context ends before the store is well.
//
// A full queue and a failed writer refuse, whatever the event. A writer is
// failed from an append, or a writing of the head file, that did not work, to
// one that did; it tries by itself. The events that were accepted before stay
// and are written first.
type Writer struct {
	config Config
	ctx    context.Context // for appends: a caller who goes away must not fail the writer
	cancel context.CancelFunc
	poke   chan struct{} // there is something to do
	ended  chan struct{}

	// Who holds the turn may move the chain. It guards the fields below it.
	turn      chan struct{}
	chain     chain
	group     []entry       // taken from the queue and not written yet
	records   []Record      // the group, signed
	wait      time.Duration // until the next try; 0 while the writer is well
	headSeq   int64         // in the head file
	headTime  time.Time     // when it was written
	headAlarm bool          // it is going to be

	mu      sync.Mutex
	queue   []entry
	failed  error
	refused int // since the writer failed
	closed  bool
}

// An entry is an event on its way.
type entry struct {
	event Event // canonical
	body  []byte
	done  chan<- error // who waits for the commit; nil for an allowed read
}

// NewWriter returns a writer that goes on at the chain's end.
//
// It refuses with ErrCut where the head file knows a later end: going on would
// overwrite what shows that events were cut off.
func NewWriter(ctx context.Context, c Config) (*Writer, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	last, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	w := &Writer{
		config: c, chain: chain{writer: c.Writer, head: last}, headSeq: last.Seq,
		poke: make(chan struct{}, 1), ended: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	go w.run()
	return w, nil
}

// complete sets what was left out, and refuses what a writer cannot work with.
func (c *Config) complete() error {
	if c.Queue == 0 {
		c.Queue = DefaultQueue
	}
	if c.Group == 0 {
		c.Group = DefaultGroup
	}
	switch {
	case c.Writer == "" || len(c.Writer) > 200 || storable(c.Writer) != c.Writer || !utf8.ValidString(c.Writer):
		return fmt.Errorf("audit: the writer's name %q is not of 1 to 200 bytes of text", c.Writer)
	case c.Key == nil || c.Append == nil || c.Last == nil:
		return errors.New("audit: a writer needs Key, Append and Last")
	case c.Queue < 0 || c.Group < 0 || c.Group > MaxGroup:
		return fmt.Errorf("audit: a queue of %d or a group of %v is out of bounds", c.Queue, c.Group)
	}
	return nil
}

// begin reads where to go on. It reads the head first: another process of the
// chain may write meanwhile.
func (c *Config) begin(ctx context.Context) (Head, error) {
	var kept Head
	if c.HeadFile != nil {
		heads, err := c.HeadFile.heads()
		if err != nil {
			return Head{}, err
		}
		kept = heads[c.Writer]
	}
	last, err := c.Last(ctx)
	if err != nil {
		return Head{}, fmt.Errorf("reading the end of the audit chain: %w", err)
	}
	if kept.Seq > last.Seq || kept.Seq == last.Seq && kept.Seq > 0 && string(kept.MAC) != string(last.MAC) {
		return Head{}, fmt.Errorf("%w: of writer %s it knows event %s with number %d, and the log ends at %d. Run `bucketgate audit verify`; after a restore, move the head file away",
			ErrCut, c.Writer, kept.ID, kept.Seq, last.Seq)
	}
	return last, nil
}

// Record writes the event with the promise that its kind needs: an allowed
// call of an agent is queued, all else is committed as by [Writer.Commit].
func (w *Writer) Record(ctx context.Context, e Event) error {
	if e.Decision != Allowed || e.Role != roleAgent {
		return w.Commit(ctx, e)
	}
	return w.put(e, nil)
}

// Commit writes the event, whatever its kind, and returns nil when it is
// committed.
//
// Where ctx ends first the waiting ends, and the event is written all the
// same: what was decided was decided, even for a caller who has gone.
func (w *Writer) Commit(ctx context.Context, e Event) error {
	done := make(chan error, 1)
	if err := w.put(e, done); err != nil {
		return err
	}
	count(ctx)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the audit event: %w", context.Cause(ctx))
	}
}

// put queues an event or refuses it.
func (w *Writer) put(e Event, done chan<- error) error {
	e = canonical(e)
	body, err := encode(e)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.refusal(); err != nil {
		return err
	}
	if len(w.queue) >= w.config.Queue {
		return fmt.Errorf("%w: %d events are waiting", ErrUnavailable, len(w.queue))
	}
	w.queue = append(w.queue, entry{e, body, done})
	switch {
	case done != nil:
		w.hurry()
	case len(w.queue) == 1:
		time.AfterFunc(w.config.Group, w.hurry)
	case len(w.queue) == w.config.Queue/2+1:
		w.hurry()
	}
	return nil
}

// refusal is why the writer takes nothing now. The caller holds mu.
func (w *Writer) refusal() error {
	switch {
	case w.closed:
		return fmt.Errorf("%w: it is closed", ErrUnavailable)
	case w.failed != nil:
		w.refused++
		return fmt.Errorf("%w: %w", ErrUnavailable, w.failed)
	}
	return nil
}

// Waiting returns how many events are queued and not yet written.
func (w *Writer) Waiting() int { return w.queued() }

// Err says why the writer takes nothing now, nil when it does.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fmt.Errorf("%w: it is closed", ErrUnavailable)
	}
	if w.failed != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, w.failed)
	}
	return nil
}

// With writes the event together with the change that it records. It writes
// what was queued before, signs the event and hands it to commit, which puts
// the change and the record into one transaction of its own. The chain moves on
// when commit returns nil; any other error is returned as it is and leaves the
// chain as it was, without the event. A refusal of the writer has
// ErrUnavailable in it, and then nothing was changed.
//
// Where commit answers ErrBehind it is called again with the record signed
// anew, so that it must begin its transaction itself. It must not use the
// writer.
func (w *Writer) With(ctx context.Context, e Event, commit func(Record) error) error {
	e = canonical(e)
	body, err := encode(e)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := w.takeTurn(ctx); err != nil {
		return err
	}
	defer w.passTurn()
	if err := w.ready(); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	record, err := w.commitOne(entry{event: e, body: body}, commit)
	if err != nil {
		return err
	}
	w.chain.advance(record)
	count(ctx)
	if err := w.writeHead(true); err != nil {
		_ = w.fail(err) // the change is made: only what comes next can be refused
	}
	return nil
}

func (w *Writer) commitOne(e entry, commit func(Record) error) (Record, error) {
	for try := 1; ; try++ {
		record, err := w.chain.next(w.config.Key, e)
		if err != nil {
			return Record{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		err = commit(record)
		if err == nil || !errors.Is(err, ErrBehind) || try == behindTries {
			return record, err
		}
		if err := w.catchUp(); err != nil {
			return Record{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

func (w *Writer) ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refusal()
}

// Close refuses new events, writes those that were accepted, trying until ctx
// ends, and says how many it had to leave.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	again := w.closed
	w.closed = true
	w.mu.Unlock()
	if again {
		return nil
	}
	stop := context.AfterFunc(ctx, w.cancel) // an append must not outlast the caller's patience
	defer stop()
	err := w.drain(ctx)
	w.cancel()
	<-w.ended
	w.mu.Lock()
	defer w.mu.Unlock()
	tell(w.queue, err) // nobody is left who would
	return err
}
