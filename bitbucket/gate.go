package bitbucket

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// gateWidth is how many requests of one account may be under way at once.
	gateWidth = 12
	// lowShare of its limit left, an account is slowed down.
	lowShare = 10 // per cent
	// nearLimitPace is the gap between requests when Bitbucket says that the
	// limit is near (less than 20 % left) and not how near.
	nearLimitPace = 250 * time.Millisecond
	maxPace       = 2 * time.Second
	// defaultPause follows a 429 that does not say how long to wait.
	defaultPause = time.Second
	// maxPause is Bitbucket's window: one wrong header must not lock an
	// account out for longer.
	maxPause = time.Hour
)

// gates holds one gate for each account, since Bitbucket counts requests by
// user or by access token
// (https://support.atlassian.com/bitbucket-cloud/docs/api-request-limits/).
type gates struct {
	mu    sync.Mutex
	gates map[[sha256.Size]byte]*gate
}

// of returns the gate of an account. The user name, or the token where there
// is none, stands in the authorization header; only a digest of it is kept.
func (g *gates) of(api, authorization string) *gate {
	key := sha256.Sum256([]byte(api + "\x00" + accountName(authorization)))
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gates == nil {
		g.gates = map[[sha256.Size]byte]*gate{}
	}
	if g.gates[key] == nil {
		g.gates[key] = &gate{queues: map[string][]chan struct{}{}}
	}
	return g.gates[key]
}

// accountName returns what Bitbucket counts by: the user name of HTTP Basic,
// whichever of the user's tokens is used, or the whole bearer token.
func accountName(authorization string) string {
	request := http.Request{Header: http.Header{"Authorization": {authorization}}}
	if user, _, ok := request.BasicAuth(); ok {
		return strings.ToLower(user)
	}
	return authorization
}

// A gate lets the requests of one account through: at most gateWidth at once,
// further apart when little is left, and in turn between callers, so that one
// who asks a lot does not use up what is left for the others.
type gate struct {
	mu      sync.Mutex
	active  int
	callers []string                   // who waits, in the order of their turns
	queues  map[string][]chan struct{} // what each of them waits with
	next    time.Time                  // no request starts before
	pace    time.Duration              // gap between two requests
}

// enter waits for the caller's turn. It answers RateLimited at once when the
// turn would come after the call's deadline.
func (g *gate) enter(ctx context.Context, caller string) error {
	if err := g.takeTurn(ctx, caller); err != nil {
		return err
	}
	if err := g.awaitStart(ctx); err != nil {
		g.leave()
		return err
	}
	return nil
}

// awaitStart waits until a request may start. Nothing is reserved meanwhile: a
// call that is refused or gives up must not push the others' starts away.
func (g *gate) awaitStart(ctx context.Context) error {
	for {
		wait := g.start()
		if wait <= 0 {
			return nil
		}
		if deadline, ok := ctx.Deadline(); ok && wait >= time.Until(deadline) {
			return outOfTime{&RateLimited{After: wait}}
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (g *gate) takeTurn(ctx context.Context, caller string) error {
	g.mu.Lock()
	if g.active < gateWidth && len(g.callers) == 0 {
		g.active++
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	if len(g.queues[caller]) == 0 {
		g.callers = append(g.callers, caller)
	}
	g.queues[caller] = append(g.queues[caller], turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		g.giveUp(caller, turn)
		return ctx.Err()
	}
}

// giveUp takes a waiter out of its queue, or passes its turn on when it has
// just been given one.
func (g *gate) giveUp(caller string, turn chan struct{}) {
	g.mu.Lock()
	queue := g.queues[caller]
	for i, waiting := range queue {
		if waiting == turn {
			g.setQueue(caller, append(queue[:i:i], queue[i+1:]...))
			g.mu.Unlock()
			return
		}
	}
	g.mu.Unlock()
	g.leave()
}

// leave ends a turn and gives it to the next caller in line.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.callers) == 0 {
		g.active--
		return
	}
	caller := g.callers[0]
	queue := g.queues[caller]
	close(queue[0])
	g.callers = append(g.callers[1:], caller) // to the end of the line
	g.setQueue(caller, queue[1:])
}

// setQueue replaces a caller's queue; a caller with nothing waiting leaves the
// line.
func (g *gate) setQueue(caller string, queue []chan struct{}) {
	if len(queue) > 0 {
		g.queues[caller] = queue
		return
	}
	delete(g.queues, caller)
	g.callers = slices.DeleteFunc(g.callers, func(c string) bool { return c == caller })
}

// start lets a request start now and returns 0, or returns how far away the
// next start is.
func (g *gate) start() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if wait := g.next.Sub(now); wait > 0 {
		return wait
	}
	g.next = now.Add(g.pace)
	return 0
}

// heed slows the account down by what an answer says of its limit.
func (g *gate) heed(status int, header http.Header) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace = pace(header)
	if status != http.StatusTooManyRequests {
		return
	}
	pause := min(retryAfter(header), maxPause)
	if pause == 0 {
		pause = defaultPause
	}
	if next := time.Now().Add(pause); next.After(g.next) {
		g.next = next
	}
}

// pace spreads what is left of a limit over the time until it is reset. The
// headers are documented in part only, so that each may be missing.
func pace(header http.Header) time.Duration {
	remaining, left := firstInteger(header.Get("X-RateLimit-Remaining"))
	limit, limited := firstInteger(header.Get("X-RateLimit-Limit"))
	if left && limited && remaining*100 < limit*lowShare {
		if reset, ok := firstInteger(header.Get("X-RateLimit-Reset")); ok {
			return min(time.Duration(reset)*time.Second/time.Duration(remaining+1), maxPace)
		}
		return nearLimitPace
	}
	if strings.EqualFold(header.Get("X-RateLimit-NearLimit"), "true") {
		return nearLimitPace
	}
	return 0
}

// firstInteger reads the number that a header begins with, as in
// "60, 60;w=3600".
func firstInteger(text string) (int, bool) {
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		text = text[:end]
	}
	n, err := strconv.Atoi(text)
	return min(n, 1_000_000_000), err == nil // far above any limit, far below an overflow
}
