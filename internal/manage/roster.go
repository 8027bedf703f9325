package manage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"bucketgate/bitbucket"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// A Roster is what calls are judged with: the stored scopes, compiled, and the
// credentials behind them. It is loaded anew after each change, whoever made
// it, so that a call that begins a second later is judged by it.
type Roster struct {
	store *store.Store
	names []string // of the scopes that are wanted; empty for all
	log   *slog.Logger
	now   atomic.Pointer[roll]

	loading sync.Mutex // a load must not end after one that began later
}

// A roll is a roster at one moment.
type roll struct {
	stamp   string                  // of the records that it was made from
	scopes  map[string]policy.Scope // by name
	broken  map[string]error        // scopes that do not compile
	private map[string]bool         // addresses that were named on purpose

	mu          sync.Mutex
	credentials map[string]bitbucket.Credential // by ID, opened when they are first used
}

// NewRoster loads the scopes of these names, or all where there is none, and
// keeps them up to date until ctx ends.
func NewRoster(ctx context.Context, db *store.Store, log *slog.Logger, names ...string) (*Roster, error) {
	r := &Roster{store: db, names: names, log: log}
	err := follower{store: db, log: log, what: "the scopes", load: r.load, forget: func() { r.now.Store(&roll{}) }}.follow(ctx)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Refresh returns when every change that was made before it counts. Without it
// that takes a moment, which who asks right after a change would see.
func (r *Roster) Refresh(ctx context.Context) error {
	var stamp string
	err := r.store.View(ctx, func(tx *store.Tx) (err error) { stamp, err = tx.Stamp(); return err })
	if err != nil || stamp == r.now.Load().stamp {
		return err
	}
	return r.load(ctx)
}

func (r *Roster) load(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	next := &roll{scopes: map[string]policy.Scope{}, broken: map[string]error{}, private: map[string]bool{}, credentials: map[string]bitbucket.Credential{}}
	var definitions []policy.Definition
	err := r.store.View(ctx, func(tx *store.Tx) (err error) {
		if next.stamp, err = tx.Stamp(); err == nil {
			definitions, err = tx.Definitions(r.names...)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("loading the scopes: %w", err)
	}
	for _, d := range definitions {
		scope, err := policy.Compile(d)
		if err != nil {
			// One row that somebody broke must not open, nor close, the others.
			next.broken[d.Name] = err
			r.log.Error("a stored scope does not compile and is disabled", "scope", d.Name, "error", err)
			continue
		}
		next.scopes[d.Name] = scope
		if d.API != bitbucket.DefaultAPI {
			next.private[bitbucket.HostPort(d.API)] = true
		}
	}
	r.now.Store(next)
	return nil
}

// Grant returns what a caller holds that may use the scopes of these names.
// One that does not exist, or does not compile, counts as not held.
func (r *Roster) Grant(caller string, names []string) policy.Grant {
	now := r.now.Load()
	var held []policy.Scope
	for _, name := range names {
		if scope, ok := now.scopes[name]; ok {
			held = append(held, scope)
		}
	}
	return policy.NewGrant(caller, held...)
}

// Names returns the names of the scopes that work, in order.
func (r *Roster) Names() []string {
	var names []string
	for name := range r.now.Load().scopes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Broken returns the stored scopes that do not compile, and why: they are
// disabled.
func (r *Roster) Broken() map[string]error { return r.now.Load().broken }

// Scope returns a compiled scope, the zero one where there is none of the
// name.
func (r *Roster) Scope(name string) policy.Scope { return r.now.Load().scopes[name] }

// AllowAddress reports whether an address may be dialled although it is
// private: when a stored provider names it, which took the command line, or
// the server's word.
func (r *Roster) AllowAddress(hostPort string) bool { return r.now.Load().private[hostPort] }

// Credential returns the credential with this ID. It is opened when it is
// first used, and again after each change.
func (r *Roster) Credential(ctx context.Context, id string) (bitbucket.Credential, error) {
	now := r.now.Load()
	now.mu.Lock()
	credential, ok := now.credentials[id]
	now.mu.Unlock()
	if ok {
		return credential, nil
	}
	credential, err := OpenCredential(ctx, r.store, id)
	if err != nil {
		r.log.Error("a stored credential cannot be used", "error", err)
		return bitbucket.Credential{}, err
	}
	now.mu.Lock()
	defer now.mu.Unlock()
	if now.credentials != nil {
		now.credentials[id] = credential
	}
	return credential, nil
}

// OpenCredential reads a credential with its key. One without a key, or with one
// that does not open, is a [Refused] that is [bitbucket.ErrCredentialRejected].
func OpenCredential(ctx context.Context, db *store.Store, id string) (bitbucket.Credential, error) {
	var credential bitbucket.Credential
	err := db.View(ctx, func(tx *store.Tx) error {
		c, err := tx.CredentialByID(id)
		if err != nil {
			return err
		}
		p, err := tx.ProviderByID(c.ProviderID)
		if err != nil {
			return err
		}
		credential = bitbucket.Credential{API: p.API, Username: c.Username}
		return nil
	})
	if err != nil {
		return bitbucket.Credential{}, err
	}
	credential.APIKey, err = db.CredentialKey(ctx, id)
	if errors.Is(err, store.ErrNoKey) || errors.Is(err, secret.ErrNotOpened) || errors.Is(err, secret.ErrUnknownKey) {
		words := err.Error()
		if errors.Is(err, store.ErrNoKey) {
			words += "; set it with bucketgate credential update"
		}
		// An admin has to set it, as one that Bitbucket does not take.
		err = &Refused{Words: words, Err: fmt.Errorf("%w: %w", bitbucket.ErrCredentialRejected, err)}
	}
	return credential, err
}
