package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errDisk = errors.New("the disk is full")

// An allowed call of an agent waits for others and not for the store; all else
// is there when the method returns.
func TestTheTwoPromises(t *testing.T) {
	admin, unclear := read("admin"), read("unclear")
	admin.Role, unclear.Decision = "admin", ""
	for name, test := range map[string]struct {
		write     func(*Writer, context.Context) error
		committed bool
	}{
		"an allowed call of an agent":   {func(w *Writer, ctx context.Context) error { return w.Record(ctx, read("x")) }, false},
		"a refused call":                {func(w *Writer, ctx context.Context) error { return w.Record(ctx, event("x")) }, true},
		"an admin's call":               {func(w *Writer, ctx context.Context) error { return w.Record(ctx, admin) }, true},
		"an event without a decision":   {func(w *Writer, ctx context.Context) error { return w.Record(ctx, unclear) }, true},
		"an allowed call, to be commit": {func(w *Writer, ctx context.Context) error { return w.Commit(ctx, read("x")) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				w := openWriter(t, m.config("one"))
				require.NoError(t, test.write(w, t.Context()))
				_, records := m.count()
				assert.Equal(t, test.committed, records == 1)
				require.NoError(t, w.Close(t.Context()))
				_, records = m.count()
				assert.Equal(t, 1, records)
			})
		})
	}
}

func TestAllowedReadsAreGroupedWithinTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		w := openWriter(t, m.config("one"))
		for i := range 30 {
			require.NoError(t, w.Record(t.Context(), read(fmt.Sprint(i))))
			time.Sleep(time.Millisecond)
		}
		_, records := m.count()
		require.Zero(t, records)
		time.Sleep(DefaultGroup - 30*time.Millisecond)
		synctest.Wait()
		require.Equal(t, []int{30}, m.groups, "one append, when the first has waited that long")

		require.NoError(t, w.Record(t.Context(), read("later")))
		time.Sleep(MaxGroup)
		synctest.Wait()
		require.Equal(t, []int{30, 1}, m.groups, "within what is promised")
	})
}

// A refusal takes along what was queued before it, in one append, and those
// that come while an append runs share the next one.
func TestRefusalsShareAnAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.slow = 10 * time.Millisecond
		w := openWriter(t, m.config("one"))
		require.NoError(t, w.Record(t.Context(), read("read")))
		began := time.Now()
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				time.Sleep(time.Duration(i/20) * time.Millisecond) // 20 now, 20 while the append runs
				assert.NoError(t, w.Record(t.Context(), event("refused")))
			})
		}
		all.Wait()
		assert.LessOrEqual(t, time.Since(began), 3*m.slow)
		appends, records := m.count()
		assert.Equal(t, 41, records)
		assert.LessOrEqual(t, appends, 3)
		assert.Equal(t, "read", m.targets("one")[0])
	})
}

func TestManyGoroutinesEachEventOnceAndInOrder(t *testing.T) {
	m := newMemory()
	w := openWriter(t, m.config("one"))
	const goroutines, each = 32, 150
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := range each {
				target := fmt.Sprintf("%d-%d", g, i)
				switch {
				case i%7 == 0:
					assert.NoError(t, w.Record(t.Context(), event(target)))
				case i%31 == 0:
					assert.NoError(t, w.With(t.Context(), event(target), m.commit))
				default:
					for w.Record(t.Context(), read(target)) != nil { // full
						time.Sleep(time.Millisecond)
					}
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, w.Close(t.Context()))
	require.True(t, m.verify(t, nil).OK())
	requireOrder(t, m.targets("one"), goroutines, each)
}

// requireOrder says that the events of each goroutine are there once and in
// its order.
func requireOrder(t *testing.T, targets []string, goroutines, each int) {
	t.Helper()
	require.Len(t, targets, goroutines*each)
	next := make([]int, goroutines)
	for _, target := range targets {
		var g, i int
		_, err := fmt.Sscanf(target, "%d-%d", &g, &i)
		require.NoError(t, err)
		require.Equal(t, next[g], i, "goroutine %d", g)
		next[g]++
	}
}

// Appends fail now and then, before writing or after it; what was accepted is
// there once, in order, and what was refused is not.
func TestAStoreThatFailsNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var count atomic.Int64
		config := m.config("one")
		config.Append = func(ctx context.Context, records []Record) error {
			switch n := count.Add(1); {
			case n%5 == 2:
				return errDisk
			case n%5 == 4:
				return errors.Join(m.append(ctx, records), errDisk)
			}
			return m.append(ctx, records)
		}
		w := openWriter(t, config)
		var mu sync.Mutex
		accepted := map[string]bool{}
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				for i := range 100 {
					target := fmt.Sprintf("%d-%d", g, i)
					if w.Record(t.Context(), read(target)) == nil {
						mu.Lock()
						accepted[target] = true
						mu.Unlock()
					}
					time.Sleep(7 * time.Millisecond)
				}
			})
		}
		all.Wait()
		require.NoError(t, w.Close(t.Context()))
		require.True(t, m.verify(t, nil).OK())
		written := map[string]bool{}
		for _, target := range m.targets("one") {
			require.False(t, written[target], "written twice")
			written[target] = true
		}
		require.Equal(t, accepted, written)
		require.Less(t, len(accepted), 800, "some were refused")
		require.Greater(t, count.Load(), int64(10))
	})
}

func TestAFailedWriterRefusesUntilAnAppendSucceeds(t *testing.T) {
	for name, fails := range map[string]func(*memory){
		"nothing was written": func(m *memory) { m.fail(errDisk, nil) },
		"all was written":     func(m *memory) { m.fail(nil, errDisk) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				m := newMemory()
				config := m.config("one")
				config.Log = slog.New(slog.NewTextHandler(&log, nil))
				w := openWriter(t, config)
				fails(m)
				require.NoError(t, w.Record(t.Context(), read("queued")))
				err := w.Record(t.Context(), event("refused"))
				require.ErrorIs(t, err, ErrUnavailable)
				require.ErrorIs(t, err, errDisk)

				called := false
				commit := func(Record) error { called = true; return nil }
				for range 3 {
					require.ErrorIs(t, w.Record(t.Context(), read("later")), ErrUnavailable)
					require.ErrorIs(t, w.Record(t.Context(), event("later")), ErrUnavailable)
					require.ErrorIs(t, w.With(t.Context(), event("later"), commit), ErrUnavailable)
					time.Sleep(time.Second)
				}
				require.False(t, called, "no change without its event")
				m.fail(nil, nil)
				require.ErrorIs(t, w.Record(t.Context(), read("later")), ErrUnavailable, "it has not tried yet")
				time.Sleep(longestWait)
				synctest.Wait()
				require.NoError(t, w.Record(t.Context(), event("again")))
				m.requireTargets(t, "one", "queued", "refused", "again")
				assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"))
				assert.Contains(t, log.String(), "can be written again\" writer=one refused=10")
			})
		})
	}
}

// failDuring leaves a failed writer that was given "second" and "third" while
// the append of "first" was failing.
func failDuring(t *testing.T, m *memory) *Writer {
	t.Helper()
	m.slow = 20 * time.Millisecond
	m.fail(errDisk, nil)
	w := openWriter(t, m.config("one"))
	var all sync.WaitGroup
	all.Go(func() { assert.ErrorIs(t, w.Record(t.Context(), event("first")), errDisk) })
	time.Sleep(5 * time.Millisecond)
	all.Go(func() { assert.ErrorIs(t, w.Record(t.Context(), event("second")), errDisk) })
	time.Sleep(5 * time.Millisecond)
	require.NoError(t, w.Record(t.Context(), read("third")))
	all.Wait()
	return w
}

// What was queued while the append that failed was running is kept too, and is
// written, without anybody asking, as soon as the store is well.
func TestWhatCameDuringAFailureIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		failDuring(t, m)
		time.Sleep(20 * time.Second)
		m.fail(nil, nil)
		for len(m.targets("one")) == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(m.slow + time.Millisecond)
		m.requireTargets(t, "one", "first", "second", "third")
	})
}

func TestCloseWritesWhatCameDuringAFailure(t *testing.T) {
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			w := failDuring(t, m)
			time.Sleep(20 * time.Second) // now the writer seldom tries, and Close comes first
			m.fail(nil, nil)
			require.NoError(t, w.Close(t.Context()))
			m.requireTargets(t, "one", "first", "second", "third")
		})
	}
}

// A turningKey signs each time as another key of the keyset would.
type turningKey struct{ n *atomic.Int64 }

func (k turningKey) MAC(data []byte) ([]byte, error) {
	mac, err := testKey.MAC(data)
	return append(mac, byte(k.n.Add(1))), err
}

func (k turningKey) VerifyMAC(mac, data []byte) error {
	return testKey.VerifyMAC(mac[:len(mac)-1], data)
}

// A retry after a rotation of the keys brings the MACs that may be there.
func TestARetryBringsTheSameRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		config := m.config("one")
		config.Key = turningKey{new(atomic.Int64)}
		m.key = config.Key
		w := openWriter(t, config)
		m.fail(nil, errDisk)
		require.ErrorIs(t, w.Record(t.Context(), event("once")), errDisk)
		m.fail(nil, nil)
		time.Sleep(longestWait)
		synctest.Wait()
		require.NoError(t, w.Record(t.Context(), event("next")))
		m.requireTargets(t, "one", "once", "next")
	})
}

func TestAFullQueueRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.slow = time.Second
		config := m.config("one")
		config.Queue = 10
		w := openWriter(t, config)
		var accepted []string
		for i := range 50 {
			if err := w.Record(t.Context(), read(fmt.Sprint(i))); err == nil {
				accepted = append(accepted, fmt.Sprint(i))
			} else {
				require.ErrorIs(t, err, ErrUnavailable)
			}
			time.Sleep(time.Millisecond)
		}
		require.Less(t, len(accepted), 50)
		require.LessOrEqual(t, len(accepted), 20, "a group on its way and a queue")
		require.ErrorIs(t, w.Record(t.Context(), event("refused")), ErrUnavailable)
		time.Sleep(3 * time.Second)
		require.NoError(t, w.Record(t.Context(), read("after")), "there is room again")
		require.NoError(t, w.Close(t.Context()))
		m.requireTargets(t, "one", append(accepted, "after")...)
	})
}

// A queue that fills is written before its time.
func TestABurstDoesNotWaitForTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		config := m.config("one")
		config.Queue = 10
		w := openWriter(t, config)
		for i := range 100 {
			require.NoError(t, w.Record(t.Context(), read(fmt.Sprint(i))))
			synctest.Wait() // no time passes
		}
	})
}

func TestWhoGoesAwayIsWrittenAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.slow = time.Second
		w := openWriter(t, m.config("one"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, w.Record(ctx, event("gone")), context.DeadlineExceeded)
		require.ErrorIs(t, w.Record(ctx, event("gone before")), context.DeadlineExceeded)
		require.NoError(t, w.Record(ctx, read("gone reader")))
		require.NoError(t, w.Record(t.Context(), event("next")), "and the writer is well")
		m.requireTargets(t, "one", "gone", "gone before", "gone reader", "next")
	})
}

func TestCloseWritesWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		w := openWriter(t, m.config("one"))
		require.NoError(t, w.Record(t.Context(), read("a")))
		require.NoError(t, w.Record(t.Context(), read("b")))
		require.NoError(t, w.Close(t.Context()))
		m.requireTargets(t, "one", "a", "b")
		require.ErrorIs(t, w.Record(t.Context(), read("late")), ErrUnavailable)
		require.ErrorIs(t, w.Record(t.Context(), event("late")), ErrUnavailable)
		require.ErrorIs(t, w.With(t.Context(), event("late"), m.commit), ErrUnavailable)
		require.NoError(t, w.Close(t.Context()))
		m.requireTargets(t, "one", "a", "b")
	})
}

func TestCloseTriesUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.fail(errDisk, nil)
		w := openWriter(t, m.config("one"))
		require.NoError(t, w.Record(t.Context(), read("a")))
		time.AfterFunc(5*time.Second, func() { m.fail(nil, nil) })
		require.NoError(t, w.Close(t.Context()))
		m.requireTargets(t, "one", "a")

		m.fail(errDisk, nil)
		w = openWriter(t, m.config("two"))
		require.NoError(t, w.Record(t.Context(), read("a")))
		require.NoError(t, w.Record(t.Context(), read("b")))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := w.Close(ctx)
		require.ErrorIs(t, err, errDisk)
		require.ErrorContains(t, err, "2 events unwritten")
	})
}

// An append that does not end is an error after a while, and Close does not
// wait for it longer than its caller.
func TestAnAppendThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		config := m.config("one")
		config.Append = func(ctx context.Context, _ []Record) error { <-ctx.Done(); return ctx.Err() }
		w := openWriter(t, config)
		began := time.Now()
		require.ErrorIs(t, w.Record(t.Context(), event("x")), ErrUnavailable)
		require.Equal(t, appendTime, time.Since(began))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		require.Error(t, w.Close(ctx))
		require.Equal(t, time.Second, time.Since(began))
	})
}

// Somebody's long transaction must not leave those waiting who wait for an
// event that is not going to be written.
func TestCloseTellsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		w := openWriter(t, m.config("one"))
		go func() {
			_ = w.With(context.Background(), event("slow"), func(r Record) error { time.Sleep(time.Minute); return m.commit(r) })
		}()
		time.Sleep(time.Second)
		told := make(chan error, 1)
		go func() { told <- w.Record(context.Background(), event("waits")) }()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorContains(t, w.Close(ctx), "1 events or more unwritten")
		require.ErrorIs(t, <-told, ErrUnavailable)
		time.Sleep(time.Minute)
		m.requireTargets(t, "one", "slow")
	})
}

func TestWithWritesTheChangeAndItsEventTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		w := openWriter(t, m.config("one"))
		require.NoError(t, w.Record(t.Context(), read("queued before")))
		conflict := errors.New("the version is stale")
		err := w.With(t.Context(), event("rolled back"), func(r Record) error {
			assert.Equal(t, int64(2), r.Seq)
			return conflict
		})
		require.Equal(t, conflict, err, "as it is")
		m.requireTargets(t, "one", "queued before")
		require.NoError(t, w.With(t.Context(), event("change"), m.commit))
		require.NoError(t, w.Record(t.Context(), event("after")))
		m.requireTargets(t, "one", "queued before", "change", "after")
	})
}

func TestWithAfterAPanic(t *testing.T) {
	m := newMemory()
	w := openWriter(t, m.config("one"))
	require.Panics(t, func() { w.With(t.Context(), event("x"), func(Record) error { panic("programmer") }) })
	require.NoError(t, w.With(t.Context(), event("change"), m.commit))
	m.requireTargets(t, "one", "change")
}

// A commit that is in doubt (the connection broke while it was on its way) may
// have been written. The chain goes on after it.
func TestWithThatSeemedToFail(t *testing.T) {
	m := newMemory()
	w := openWriter(t, m.config("one"))
	m.fail(nil, errDisk)
	require.ErrorIs(t, w.With(t.Context(), event("in doubt"), m.commit), errDisk)
	m.fail(nil, nil)
	require.NoError(t, w.Record(t.Context(), event("next")))
	require.NoError(t, w.With(t.Context(), event("change"), m.commit))
	m.requireTargets(t, "one", "in doubt", "next", "change")
}

func TestWithWaitsForItsTurnAsLongAsItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.slow = 5 * time.Second
		w := openWriter(t, m.config("one"))
		go func() { _ = w.Record(context.Background(), event("slow")) }()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := w.With(ctx, event("x"), m.commit)
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// Processes that share a chain take turns by ErrBehind.
func TestTwoWritersOfOneChain(t *testing.T) {
	m := newMemory()
	writers := []*Writer{openWriter(t, m.config("one")), openWriter(t, m.config("one"))}
	const each = 60
	var all sync.WaitGroup
	for g, w := range writers {
		all.Go(func() {
			for i := range each {
				target := fmt.Sprintf("%d-%d", g, i)
				write := func() error { return w.Record(t.Context(), read(target)) }
				if i%3 == 0 {
					write = func() error { return w.With(t.Context(), event(target), m.commit) }
				}
				for write() != nil {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	all.Wait()
	for _, w := range writers {
		require.NoError(t, w.Close(t.Context()))
	}
	require.True(t, m.verify(t, nil).OK())
	requireOrder(t, m.targets("one"), 2, each)
}

// A chain that became shorter while the writer ran was cut; to go on from
// there would make it look whole.
func TestAWriterDoesNotGoBack(t *testing.T) {
	m := newMemory()
	w := openWriter(t, m.config("one"))
	for range 3 {
		require.NoError(t, w.Record(t.Context(), event("x")))
	}
	w.config.Append = func(context.Context, []Record) error { return ErrBehind }
	m.chains["one"] = m.chains["one"][:1]
	require.ErrorContains(t, w.Record(t.Context(), event("y")), "ends at number 1")
}

func TestAWriterGoesOnWhereTheChainEnds(t *testing.T) {
	m := newMemory()
	for i := range 3 {
		w := openWriter(t, m.config("one"))
		require.NoError(t, w.Record(t.Context(), event(fmt.Sprint(i))))
		require.NoError(t, w.Close(t.Context()))
	}
	m.requireTargets(t, "one", "0", "1", "2")
}

// What a caller sends must not make every later append fail.
func TestTextThatAStoreCannotHold(t *testing.T) {
	m := newMemory()
	w := openWriter(t, m.config("one"))
	require.NoError(t, w.Record(t.Context(), event("a\x00\xff")))
	m.requireTargets(t, "one", "a\uFFFD\uFFFD")
}

type brokenKey struct{ hmacKey }

func (brokenKey) MAC([]byte) ([]byte, error) { return nil, errDisk }

type emptyKey struct{ hmacKey }

func (emptyKey) MAC([]byte) ([]byte, error) { return nil, nil }

func TestAKeyThatDoesNotSign(t *testing.T) {
	for _, key := range []Key{brokenKey{}, emptyKey{}} {
		m := newMemory()
		config := m.config("one")
		config.Key = key
		w := openWriter(t, config)
		require.ErrorIs(t, w.With(t.Context(), event("x"), m.commit), ErrUnavailable)
		require.ErrorIs(t, w.Record(t.Context(), event("x")), ErrUnavailable)
		appends, _ := m.count()
		require.Zero(t, appends)
	}
}

func TestAWriterNeedsWhatItWorksWith(t *testing.T) {
	m := newMemory()
	for name, change := range map[string]func(*Config){
		"no name":        func(c *Config) { c.Writer = "" },
		"a long name":    func(c *Config) { c.Writer = strings.Repeat("x", 201) },
		"no text":        func(c *Config) { c.Writer = "a\x00" },
		"no key":         func(c *Config) { c.Key = nil },
		"no append":      func(c *Config) { c.Append = nil },
		"no last":        func(c *Config) { c.Last = nil },
		"a longer group": func(c *Config) { c.Group = MaxGroup + 1 },
		"negative queue": func(c *Config) { c.Queue = -1 },
		"a broken last":  func(c *Config) { c.Last = func(context.Context) (Head, error) { return Head{}, errDisk } },
	} {
		config := m.config("one")
		change(&config)
		_, err := NewWriter(t.Context(), config)
		assert.Error(t, err, name)
	}
}

// The head file under a writer.

func headConfig(t *testing.T, m *memory) (Config, string) {
	t.Helper()
	path := t.TempDir() + "/heads.json"
	file, err := OpenHeadFile(path, testKey)
	require.NoError(t, err)
	config := m.config("one")
	config.HeadFile = file
	return config, path
}

func moveHead(f *HeadFile, path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.path = path
}

func requireHead(t *testing.T, path string, seq int64) {
	t.Helper()
	heads, err := ReadHeads(path, testKey)
	require.NoError(t, err)
	require.Equal(t, seq, heads["one"].Seq)
}

func TestTheHeadFileFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		config, path := headConfig(t, m)
		w := openWriter(t, config)
		require.NoError(t, w.Record(t.Context(), event("refused")))
		requireHead(t, path, 1)
		require.NoError(t, w.With(t.Context(), event("change"), m.commit))
		requireHead(t, path, 2)

		for range 5 {
			require.NoError(t, w.Record(t.Context(), read("read")))
			time.Sleep(DefaultGroup)
		}
		synctest.Wait()
		_, records := m.count()
		require.Equal(t, 7, records)
		requireHead(t, path, 2) // not for each group of reads
		time.Sleep(headEvery)
		synctest.Wait()
		requireHead(t, path, 7) // but within its time, though nobody writes

		require.NoError(t, w.Record(t.Context(), read("last")))
		require.NoError(t, w.Close(t.Context()))
		requireHead(t, path, 8)
		heads, err := ReadHeads(path, testKey)
		require.NoError(t, err)
		require.Equal(t, m.chains["one"][7].Event.ID, heads["one"].ID)
		require.True(t, m.verify(t, heads).OK())
	})
}

func TestAHeadFileThatCannotBeWrittenFailsTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		config, path := headConfig(t, m)
		w := openWriter(t, config)
		moveHead(config.HeadFile, path+"/no/folder")
		require.NoError(t, w.With(t.Context(), event("change"), m.commit), "the change was made")
		require.ErrorIs(t, w.Record(t.Context(), read("x")), ErrUnavailable)
		moveHead(config.HeadFile, path)
		time.Sleep(longestWait)
		synctest.Wait()
		requireHead(t, path, 1)

		moveHead(config.HeadFile, path+"/no/folder")
		require.ErrorIs(t, w.Record(t.Context(), event("refused")), ErrUnavailable)
		moveHead(config.HeadFile, path)
		time.Sleep(longestWait)
		synctest.Wait()
		requireHead(t, path, 2)
		require.NoError(t, w.Record(t.Context(), event("again")))
		m.requireTargets(t, "one", "change", "refused", "again") // none twice
	})
}

// To go on after a cut would overwrite the proof of it.
func TestAWriterDoesNotGoOnAfterACut(t *testing.T) {
	m := newMemory()
	config, _ := headConfig(t, m)
	w := openWriter(t, config)
	for range 3 {
		require.NoError(t, w.Record(t.Context(), event("x")))
	}
	require.NoError(t, w.Close(t.Context()))
	whole := slices.Clone(m.chains["one"])

	m.chains["one"] = whole[:2]
	_, err := NewWriter(t.Context(), config)
	require.ErrorIs(t, err, ErrCut)
	require.ErrorContains(t, err, whole[2].Event.ID)

	m.chains["one"] = append(slices.Clone(whole[:2]), nextOf(t, whole[:2]))
	_, err = NewWriter(t.Context(), config)
	require.ErrorIs(t, err, ErrCut, "another event under the number")

	m.chains["one"] = append(slices.Clone(whole), nextOf(t, whole))
	_, err = NewWriter(t.Context(), config)
	require.NoError(t, err, "a crash may leave the head behind")
}
