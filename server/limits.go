package server

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits are what one client may ask of the server. They keep a client that
// runs wild from starving the others.
type Limits struct {
	PerSecond  int // requests; twice as many at once
	Concurrent int // requests at once
	Streams    int // that stay open
}

// The defaults are far beyond what an agent does.
const (
	DefaultPerSecond  = 2000
	DefaultConcurrent = 128
	defaultStreams    = 256
)

func (l Limits) orDefaults() Limits {
	if l.PerSecond == 0 {
		l.PerSecond = DefaultPerSecond
	}
	if l.Concurrent == 0 {
		l.Concurrent = DefaultConcurrent
	}
	if l.Streams == 0 {
		l.Streams = defaultStreams
	}
	return l
}

// floodTold is how long one event stands for all refusals of its kind.
const floodTold = time.Minute

// clients are those that have asked since the start.
type clients struct {
	limits Limits
	mu     sync.Mutex
	known  map[Principal]*client
}

// A client is what is counted of one.
type client struct {
	limits Limits
	rate   *rate.Limiter

	mu       sync.Mutex
	reading  int
	running  int
	streams  int
	silentTo time.Time
}

func newClients(limits Limits) *clients {
	return &clients{limits: limits, known: map[Principal]*client{}}
}

// of returns the counts of a client, the same on both transports.
func (c *clients) of(p Principal) *client {
	p.Transport = ""
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.known[p]
	if known == nil {
		known = &client{limits: c.limits, rate: rate.NewLimiter(rate.Limit(c.limits.PerSecond), 2*c.limits.PerSecond)}
		c.known[p] = known
	}
	return known
}

func (c *client) mayAsk() bool { return c.rate.Allow() }

// mayTell reports whether a limit that was met is to be written down.
func (c *client) mayTell() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.silentTo) {
		return false
	}
	c.silentTo = now.Add(floodTold)
	return true
}

// beginReading counts a message that is on its way, and endReading forgets it;
// false when there are too many. They have a count of their own, so that who
// has as many calls under way as are allowed can still cancel one.
func (c *client) beginReading() bool { return c.take(&c.reading, c.limits.Concurrent) }
func (c *client) endReading()        { c.give(&c.reading) }

// begin counts a request that runs, and end forgets it; false when there are
// too many.
func (c *client) begin() bool { return c.take(&c.running, c.limits.Concurrent) }
func (c *client) end()        { c.give(&c.running) }

func (c *client) openStream() bool { return c.take(&c.streams, c.limits.Streams) }
func (c *client) closeStream()     { c.give(&c.streams) }

func (c *client) take(count *int, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *count >= most {
		return false
	}
	*count++
	return true
}

func (c *client) give(count *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*count--
}

const (
	// From one address, so many refusals at once leave an event each, and then
	// one in each second.
	strangerBurst = 100
	strangerRate  = rate.Limit(1)
	// From all addresses together.
	allStrangersBurst = 2000
	allStrangersRate  = rate.Limit(50)
	maxStrangers      = 10_000 // addresses that are told apart
)

// strangers are the addresses of which requests were refused.
type strangers struct {
	now   func() time.Time
	mu    sync.Mutex
	all   stranger
	known map[netip.Prefix]*stranger
	swept time.Time // when those that have been quiet were last looked for
}

type stranger struct {
	rate     *rate.Limiter
	silentTo time.Time
}

// A flood says what a refusal is part of.
type flood int

const (
	oneOfFew flood = iota
	firstOfMany
	oneOfMany
)

func newStrangers() *strangers {
	return &strangers{
		now: time.Now, known: map[netip.Prefix]*stranger{},
		all: stranger{rate: rate.NewLimiter(allStrangersRate, allStrangersBurst)},
	}
}

// count counts a refusal for its address.
func (s *strangers) count(from netip.Addr) flood {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if one := s.of(network(from), now); one != nil {
		if f := one.count(now); f != oneOfFew {
			return f
		}
	}
	return s.all.count(now)
}

func (s *stranger) count(now time.Time) flood {
	switch {
	case s.rate.AllowN(now, 1):
		return oneOfFew
	case now.Before(s.silentTo):
		return oneOfMany
	}
	s.silentTo = now.Add(floodTold)
	return firstOfMany
}

// sweepEvery is how often those that have been quiet are looked for: each
// refusal would otherwise cost a look at all that are known, and whoever has
// many addresses could keep the processor busy with it.
const sweepEvery = time.Second

// of returns what is known of a network. Where there are too many, those that
// have been quiet are forgotten; nil where there are still too many.
func (s *strangers) of(from netip.Prefix, now time.Time) *stranger {
	if known := s.known[from]; known != nil {
		return known
	}
	if len(s.known) >= maxStrangers && now.Sub(s.swept) >= sweepEvery {
		s.swept = now
		for network, known := range s.known {
			if known.rate.TokensAt(now) >= strangerBurst {
				delete(s.known, network)
			}
		}
	}
	if len(s.known) >= maxStrangers {
		return nil
	}
	known := &stranger{rate: rate.NewLimiter(strangerRate, strangerBurst)}
	s.known[from] = known
	return known
}

// network is what one stranger has all the addresses of.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
