package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
	"bucketgate/internal/secretpage"
)

const (
	// linkLinger is how long the listener stays when no link is open any more:
	// who has just used one, or comes late, reads so.
	linkLinger = time.Minute
	// linkFarewell is how long requests may take when it ends.
	linkFarewell = 5 * time.Second
)

// A linkListener serves the pages of one-time links to the person at this
// machine, where there is no other listener. It is there while a link is open.
type linkListener struct {
	links  secretpage.Links
	log    *slog.Logger
	linger time.Duration

	mu     sync.Mutex
	open   map[string]time.Time // when each open link expires, by its token's hash
	server *http.Server         // nil while there is none
	origin string
	timer  *time.Timer
}

func newLinkListener(links secretpage.Links, log *slog.Logger) *linkListener {
	return &linkListener{links: links, log: log, linger: linkLinger, open: map[string]time.Time{}}
}

// url returns the address of a link's page, and starts the listener where there
// is none.
func (l *linkListener) url(token secret.Text, expires time.Time) (string, error) {
	hash, ok := secret.HashLinkToken(token.Reveal())
	if !ok {
		return "", errors.New("the token of a one-time link is none")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == nil {
		if err := l.start(); err != nil {
			l.log.Error("the page of a one-time link cannot be served", "error", err)
			return "", err
		}
	}
	l.open[string(hash)] = expires
	l.schedule()
	return l.origin + secretpage.Path + token.Reveal(), nil
}

// start listens on this machine only, at a free port. The caller holds mu.
func (l *linkListener) start() error {
	page, err := secretpage.New(secretpage.Config{Links: l, Log: l.log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for the page of a one-time link: %w", err)
	}
	host := listener.Addr().String()
	mux := http.NewServeMux()
	mux.Handle(secretpage.Path, page)
	l.origin = "http://" + host
	l.server = &http.Server{
		Handler: onlyHost(host, mux), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(l.log.Handler(), slog.LevelWarn),
	}
	server := l.server
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			l.log.Error("serving the page of a one-time link", "error", err)
		}
	}()
	return nil
}

// onlyHost refuses another Host: a name that somebody points at this machine
// would make their page one of the same origin.
func onlyHost(host string, next http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(host)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host && r.Host != "localhost:"+port {
			http.Error(w, "This server has another name.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// schedule ends the listener a while after its last open link. The caller holds
// mu.
func (l *linkListener) schedule() {
	now := time.Now()
	last := now
	for hash, expires := range l.open {
		if !expires.After(now) {
			delete(l.open, hash)
		} else if expires.After(last) {
			last = expires
		}
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	if len(l.open) == 0 {
		l.timer = time.AfterFunc(l.linger, l.endIfIdle)
		return
	}
	l.timer = time.AfterFunc(time.Until(last), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.schedule()
	})
}

func (l *linkListener) endIfIdle() {
	l.mu.Lock()
	if len(l.open) > 0 {
		l.mu.Unlock()
		return
	}
	l.end()
}

// end ends the listener, if there is one. Requests are given a while. The
// caller holds mu, which is let go: a request that is being answered needs it.
func (l *linkListener) end() {
	server := l.server
	l.server = nil
	l.mu.Unlock()
	if server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), linkFarewell)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // who is still there has lost nothing that is theirs
	}
}

// LookAtLink asks the service.
func (l *linkListener) LookAtLink(ctx context.Context, token string) (manage.Asked, error) {
	return l.links.LookAtLink(ctx, token)
}

// UseLink asks the service, and notes that the link is not open any more.
func (l *linkListener) UseLink(ctx context.Context, token string, key secret.Text) (manage.Asked, error) {
	asked, err := l.links.UseLink(ctx, token, key)
	if err == nil {
		hash, _ := secret.HashLinkToken(token) // the service has taken it
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, string(hash))
		l.schedule()
	}
	return asked, err
}

// close ends the listener with the program.
func (l *linkListener) close() {
	l.mu.Lock()
	if l.timer != nil {
		l.timer.Stop()
	}
	clear(l.open)
	l.end()
}
