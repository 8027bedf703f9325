package manage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// A Doorkeeper says whose key a key is. All clients are in memory, loaded anew
// after each change, whoever made it: a call reads no database, and a key that
// is revoked or replaced opens nothing within a second.
type Doorkeeper struct {
	store *store.Store
	log   *slog.Logger
	clock func() time.Time
	now   atomic.Pointer[entrants]
	used  chan use

	loading sync.Mutex    // one load at a time: an older one must not replace a newer
	again   *rate.Limiter // looks into the database by those whose key is not known
}

// entrants are the clients at one moment.
type entrants struct {
	byPrefix map[string]*entrant
	byName   map[string]*entrant
}

type entrant struct {
	store.Client
	touched *atomic.Int64 // when its use was last written down, in nanoseconds; outlives a reload
}

// A use is that of a client, to be written down.
type use struct {
	client string
	at     time.Time
}

const (
	// touchEvery is how often the use of one client is written down.
	touchEvery = time.Minute
	touchTime  = 10 * time.Second
	// looksPerSecond bounds what callers with bad keys can make the database
	// do.
	looksPerSecond = 20
)

// An Entrant is a client that has shown its key.
type Entrant struct {
	Name string
	Role string
}

// A KeyRefused is a key that opens nothing, and why, for the audit log.
type KeyRefused struct {
	Client string // whose key it is or was; "" where that is not proven
	Role   string
	Reason string // holds nothing of the key but its public prefix
}

func (e *KeyRefused) Error() string { return e.Reason }

var errNotLoaded = errors.New("the clients cannot be read")

// NewDoorkeeper loads the clients and keeps them up to date until ctx ends.
func NewDoorkeeper(ctx context.Context, db *store.Store, log *slog.Logger) (*Doorkeeper, error) {
	d := &Doorkeeper{store: db, log: log, clock: time.Now, used: make(chan use, 1024), again: rate.NewLimiter(looksPerSecond, looksPerSecond)}
	err := follower{store: db, log: log, what: "the clients", load: d.load, forget: d.forget}.follow(ctx)
	if err != nil {
		return nil, err
	}
	go d.writeUses(ctx)
	return d, nil
}

func (d *Doorkeeper) load(ctx context.Context) error {
	d.loading.Lock()
	defer d.loading.Unlock()
	var list []store.Client
	err := d.store.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Clients()
		return err
	})
	if err != nil {
		return fmt.Errorf("loading the clients: %w", err)
	}
	before := d.now.Load()
	next := &entrants{byPrefix: make(map[string]*entrant, len(list)), byName: make(map[string]*entrant, len(list))}
	for _, c := range list {
		e := &entrant{Client: c, touched: new(atomic.Int64)}
		if before != nil && before.byName[c.Name] != nil && before.byName[c.Name].ID == c.ID {
			e.touched = before.byName[c.Name].touched
		}
		next.byName[c.Name] = e
		if c.KeyPrefix != "" {
			next.byPrefix[c.KeyPrefix] = e
		}
	}
	d.now.Store(next)
	return nil
}

func (d *Doorkeeper) forget() {
	d.loading.Lock()
	defer d.loading.Unlock()
	d.now.Store(nil)
}

// noHash is compared with where there is no client, so that a prefix that
// nobody has costs what another costs.
var noHash = make([]byte, sha256.Size)

// Admit returns the client whose key it is. A *KeyRefused says that it is
// nobody's, or opens nothing any more; any other error, that nobody can be let
// in.
func (d *Doorkeeper) Admit(ctx context.Context, key string) (Entrant, error) {
	now := d.now.Load()
	if now == nil {
		return Entrant{}, errNotLoaded
	}
	prefix, hash, ok := secret.HashClientKey(key)
	if !ok {
		return Entrant{}, &KeyRefused{Reason: "a key that was not made here, or was cut"}
	}
	e, same := now.find(prefix, hash)
	if !same && d.justMade(ctx, prefix, hash) {
		if now = d.now.Load(); now == nil {
			return Entrant{}, errNotLoaded
		}
		e, same = now.find(prefix, hash)
	}
	switch {
	case e == nil:
		return Entrant{}, &KeyRefused{Reason: fmt.Sprintf("no client has the key %q", prefix)}
	case !same:
		return Entrant{}, &KeyRefused{Reason: fmt.Sprintf("a wrong key with the prefix %q, that of the client %s", prefix, e.Name)}
	}
	if reason := e.over(d.clock()); reason != "" {
		return Entrant{}, &KeyRefused{Client: e.Name, Role: e.Role, Reason: reason}
	}
	d.touch(e)
	return Entrant{Name: e.Name, Role: e.Role}, nil
}

// find returns the client of a prefix, nil where there is none, and whether
// the key is its key.
func (n *entrants) find(prefix string, hash []byte) (e *entrant, same bool) {
	e, known := n.byPrefix[prefix]
	stored := noHash
	if known {
		stored = e.KeyHash
	}
	return e, secret.SameHash(stored, hash) && known
}

// justMade reports whether the key is in the database and was not yet seen
// there, and loads it: a script uses a key in the moment that it gets it.
func (d *Doorkeeper) justMade(ctx context.Context, prefix string, hash []byte) bool {
	if !d.again.Allow() {
		return false
	}
	var found store.Client
	err := d.store.View(ctx, func(tx *store.Tx) (err error) {
		found, err = tx.ClientByKeyPrefix(prefix)
		return err
	})
	return err == nil && secret.SameHash(found.KeyHash, hash) && d.load(ctx) == nil
}

// over says why a client is let in no more, "" when it is.
func (e *entrant) over(now time.Time) string {
	switch {
	case !e.RevokedAt.IsZero():
		return "the key " + e.KeyPrefix + " was revoked on " + e.RevokedAt.UTC().Format(time.DateOnly)
	case !e.ExpiresAt.IsZero() && !now.Before(e.ExpiresAt):
		return "the key " + e.KeyPrefix + " expired on " + e.ExpiresAt.UTC().Format(time.DateOnly)
	}
	return ""
}

// Err says why nobody is let in now, nil when clients are.
func (d *Doorkeeper) Err() error {
	if d.now.Load() == nil {
		return errNotLoaded
	}
	return nil
}

// Scopes returns the names of the scopes that a client holds now: none where
// it is not let in any more, or has another role by now.
func (d *Doorkeeper) Scopes(client Entrant) []string {
	now := d.now.Load()
	if now == nil {
		return nil
	}
	e := now.byName[client.Name]
	if e == nil || e.Role != client.Role || e.over(d.clock()) != "" {
		return nil
	}
	return slices.Clone(e.Scopes)
}

// touch has the use of a client written down, once in a while and not by the
// call that it is made of.
func (d *Doorkeeper) touch(e *entrant) {
	now, last := d.clock(), e.touched.Load()
	if now.UnixNano()-last < int64(touchEvery) || !e.touched.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	select {
	case d.used <- use{e.ID, now.UTC()}:
	default: // so many at once: the next minute will do
	}
}

func (d *Doorkeeper) writeUses(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-d.used:
			if err := d.write(ctx, append(d.waiting(), first)); err != nil && ctx.Err() == nil {
				d.log.Warn("writing when clients were last used", "error", err)
			}
		}
	}
}

// waiting takes the uses that have come up meanwhile.
func (d *Doorkeeper) waiting() []use {
	var list []use
	for {
		select {
		case u := <-d.used:
			list = append(list, u)
		default:
			return list
		}
	}
}

func (d *Doorkeeper) write(ctx context.Context, uses []use) error {
	ctx, cancel := context.WithTimeout(ctx, touchTime)
	defer cancel()
	return d.store.Update(ctx, func(tx *store.Tx) error {
		for _, u := range uses {
			if err := tx.TouchClient(u.client, u.at); err != nil {
				return err
			}
		}
		return nil
	})
}
