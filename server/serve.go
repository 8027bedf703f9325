package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// The time-outs of a listener. A stream has none as a whole, but each write to
// it has one.
const (
	readHeaderTime = 10 * time.Second
	readTime       = 30 * time.Second
	answerTime     = 2 * time.Minute // what is asked, done and written, longer than any call takes
	idleTime       = 2 * time.Minute
	maxHeader      = 64 << 10
)

// Serve answers on the listener until ctx ends. Then nothing new is taken, and
// what runs is awaited for up to a minute before it is canceled.
func (h *HTTP) Serve(ctx context.Context, listener net.Listener) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTime,
		ReadTimeout:       readTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(h.config.Log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	h.Drain()
	return shutdown(s, cancel)
}

// Drain ends all streams, once what runs on them is answered. Serve does it by
// itself.
func (h *HTTP) Drain() { h.drainOnce.Do(func() { close(h.draining) }) }

func shutdown(s *http.Server, cancel context.CancelFunc) error {
	waiting, stop := context.WithTimeout(context.Background(), farewell)
	defer stop()
	err := s.Shutdown(waiting)
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	cancel()
	leaving, stop := context.WithTimeout(context.Background(), parting)
	defer stop()
	_ = s.Shutdown(leaving)
	return errors.Join(errors.New("some calls did not end in time and were canceled"), s.Close())
}

// readying asks whether the server is ready for one at a time: anybody may ask
// that, as often as they can, and each time costs a query. Who came before the
// last was asked gets its answer.
type readying struct {
	mu     sync.Mutex
	began  time.Time // when the last was asked
	broken int
	err    error
}

func (r *readying) ask(ctx context.Context, ready func(context.Context) (int, error)) (broken int, err error) {
	came := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.began.After(came) {
		r.began = time.Now()
		// Others may get the answer, who have not gone.
		r.broken, r.err = ready(context.WithoutCancel(ctx))
	}
	return r.broken, r.err
}

// ready says whether the server can do its work. Anybody may ask, so that it
// tells no names and no causes.
func (h *HTTP) ready(w http.ResponseWriter, r *http.Request) {
	type state struct {
		Status string `json:"status"`
		Broken int    `json:"broken_scopes"`
	}
	broken, err := h.readying.ask(r.Context(), h.config.Ready)
	now, status := state{"ready", broken}, http.StatusOK
	switch {
	case err != nil:
		h.config.Log.Error("not ready", "error", err)
		now.Status, status = "unavailable", http.StatusServiceUnavailable
	case broken > 0:
		now.Status = "degraded"
	}
	body, _ := json.Marshal(now)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
