package audit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// hurry makes the loop look after the queue.
func (w *Writer) hurry() {
	select {
	case w.poke <- struct{}{}:
	default: // it is going to look anyway
	}
}

// run writes what is queued, whenever somebody hurries it.
func (w *Writer) run() {
	defer close(w.ended)
	for {
		select {
		case <-w.poke:
		case <-w.ctx.Done():
			return
		}
		if w.takeTurn(w.ctx) != nil {
			return
		}
		_ = w.flush() // who waits has been told, and a timer is set for the next try
		w.passTurn()
	}
}

func (w *Writer) takeTurn(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for its turn: %w", ErrUnavailable, context.Cause(ctx))
	}
}

func (w *Writer) passTurn() { <-w.turn }

// drain writes all that was accepted, and the head.
func (w *Writer) drain(ctx context.Context) error {
	if err := w.takeTurn(ctx); err != nil {
		return fmt.Errorf("closing the audit log with %d events or more unwritten: %w", w.queued(), err)
	}
	defer w.passTurn()
	for {
		err := w.flush()
		if err == nil && w.queued() > 0 {
			continue
		}
		if err == nil {
			err = w.writeHead(true)
		}
		if err == nil {
			return nil
		}
		select {
		case <-time.After(max(w.wait, w.config.Group)):
		case <-ctx.Done():
			return fmt.Errorf("closing the audit log with %d events unwritten: %w", len(w.group)+w.queued(), err)
		}
	}
}

func (w *Writer) queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// flush writes the group that an earlier flush had to leave or, where there is
// none, all that is queued now, and the head file if it is time. Then the
// writer is well; else it is failed. The caller holds the turn.
func (w *Writer) flush() error {
	if len(w.group) == 0 {
		w.takeGroup()
	}
	if err := w.writeGroup(); err != nil {
		return w.fail(fmt.Errorf("appending: %w", err))
	}
	written := w.group
	w.group = nil
	err := w.writeHead(w.wait > 0 || anybodyWaits(written))
	tell(written, err)
	if err != nil {
		return w.fail(err)
	}
	w.recovered()
	return nil
}

// takeGroup takes all that is queued, so that who came while a group was being
// written shares the next append.
func (w *Writer) takeGroup() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.group, w.queue = w.queue, nil
}

// writeGroup appends the group. After an error it keeps the signed records:
// that they may be there although the append seemed to fail is why the next
// try must bring the same.
func (w *Writer) writeGroup() error {
	if len(w.group) == 0 {
		return nil
	}
	for try := 1; ; try++ {
		if err := w.sign(); err != nil {
			return err
		}
		err := w.appendGroup()
		if err == nil {
			w.chain.advance(w.records[len(w.records)-1])
			w.records = nil
			return nil
		}
		if !errors.Is(err, ErrBehind) || try == behindTries {
			return err
		}
		w.records = nil // by ErrBehind none of them was written
		if err := w.catchUp(); err != nil {
			return err
		}
	}
}

// sign makes the group's records, unless an earlier try did.
func (w *Writer) sign() error {
	if w.records != nil {
		return nil
	}
	records := make([]Record, 0, len(w.group))
	c := w.chain // a copy: the chain moves on when the records are written
	for _, e := range w.group {
		record, err := c.next(w.config.Key, e)
		if err != nil {
			return err
		}
		records = append(records, record)
		c.advance(record)
	}
	w.records = records
	return nil
}

func (w *Writer) appendGroup() error {
	ctx, cancel := context.WithTimeout(w.ctx, appendTime)
	defer cancel()
	return w.config.Append(ctx, w.records)
}

// catchUp goes on where the chain in the store ends now. It only goes forward:
// a chain that has become shorter was cut, and must not look whole.
func (w *Writer) catchUp() error {
	ctx, cancel := context.WithTimeout(w.ctx, appendTime)
	defer cancel()
	last, err := w.config.Last(ctx)
	if err != nil {
		return fmt.Errorf("reading the end of the audit chain: %w", err)
	}
	if last.Seq <= w.chain.head.Seq {
		return fmt.Errorf("%w, and ends at number %d", ErrBehind, last.Seq)
	}
	w.chain.head = last
	return nil
}

// writeHead brings the head file up to date: at once where somebody was
// promised so, else when the last time was a while ago. A file that cannot be
// written fails the writer, for the operator asked that a cut tail be found.
func (w *Writer) writeHead(now bool) error {
	if w.config.HeadFile == nil || w.headSeq == w.chain.head.Seq {
		return nil
	}
	if wait := headEvery - time.Since(w.headTime); !now && w.wait == 0 && wait > 0 {
		if !w.headAlarm {
			w.headAlarm = true
			time.AfterFunc(wait, w.hurry)
		}
		return nil
	}
	if err := w.config.HeadFile.put(w.config.Writer, w.chain.head); err != nil {
		return err
	}
	w.headSeq, w.headTime, w.headAlarm = w.chain.head.Seq, time.Now(), false
	return nil
}

func anybodyWaits(group []entry) bool {
	for _, e := range group {
		if e.done != nil {
			return true
		}
	}
	return false
}

// tell ends the waiting of who waits for one of the entries.
func tell(group []entry, err error) {
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	for i := range group {
		if group[i].done != nil {
			group[i].done <- err
			group[i].done = nil
		}
	}
}

// fail refuses from now on, and tries again after a while. Nothing is dropped:
// what was accepted stays, and only the waiting for it ends.
func (w *Writer) fail(err error) error {
	w.wait = min(max(2*w.wait, w.config.Group), longestWait)
	time.AfterFunc(w.wait, w.hurry)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil && w.config.Log != nil {
		w.config.Log.Error("the audit log cannot be written: calls are refused until it can", "writer", w.config.Writer, "error", err)
	}
	w.failed = err
	tell(w.group, err)
	tell(w.queue, err)
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// recovered ends a failure, and sees to what was queued when it began.
func (w *Writer) recovered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		return
	}
	if w.config.Log != nil {
		w.config.Log.Warn("the audit log can be written again", "writer", w.config.Writer, "refused", w.refused)
	}
	w.failed, w.refused, w.wait = nil, 0, 0
	w.hurry()
}
