package manage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// An Admin is who has shown an admin's key and goes on without it, in a
// session of the console.
type Admin struct {
	Name     string
	ClientID string
	KeyHash  []byte // of the key that was shown
}

// ErrNoAdmin is in the refusal of a key that does not open the console.
var ErrNoAdmin = errors.New("it is not the key of an admin")

// ErrTooMany is in the refusal of one more stranger where there were many.
var ErrTooMany = errors.New("too many were refused at this address")

// A Tally says how the refusal of a stranger is written down. Each leaves its
// event, until there are so many from one address that they are meant to fill
// the log; then there is one for all of a minute.
type Tally int

// The ways.
const (
	OneOfFew Tally = iota
	FirstOfMany
	OneOfMany
)

// refuse returns the event of a refused stranger; ok is false where there is
// none.
func (t Tally) refuse(a action, why string) (e audit.Event, ok bool) {
	if t == FirstOfMany {
		why = "so many refused log-ins that those of the next minute are not written down one by one; this one: " + why
	}
	return a.event(audit.Denied, why), t != OneOfMany
}

// LogIn returns the admin whose key it is. It leaves one audit event either
// way; count, which may be nil, is asked about a key that is refused. Every key
// that does not open gets the same words: they must not tell whether it was
// ever a good one. One that opens does so however many were refused: of 2^256
// keys none is guessed, and a stranger must not be able to keep an admin out.
func (s *Service) LogIn(ctx context.Context, from Actor, key secret.Text, count func() Tally) (Admin, error) {
	caller, why, admin, err := s.judgeKey(ctx, key.Reveal())
	if err != nil {
		return Admin{}, err
	}
	from.Name = caller
	a := action{actor: from, tool: "log_in", target: caller}
	if why == "" {
		if err := s.config.Audit.Commit(context.WithoutCancel(ctx), a.event(audit.Allowed, "")); err != nil {
			return Admin{}, err
		}
		return admin, nil
	}
	return Admin{}, s.turnAway(ctx, a, why, count, &Refused{Words: "this key does not open the console: it is mistyped, expired, revoked or replaced, or not the key of an admin", Field: "key", Err: ErrNoAdmin})
}

// turnAway writes down that a stranger was refused, and returns the refusal.
func (s *Service) turnAway(ctx context.Context, a action, why string, count func() Tally, refused *Refused) error {
	tally := OneOfFew
	if count != nil {
		tally = count()
	}
	if event, ok := tally.refuse(a, why); ok {
		if err := s.config.Audit.Commit(context.WithoutCancel(ctx), event); err != nil {
			return err
		}
	}
	if tally != OneOfFew {
		return &Refused{Words: "too many were refused at this address: wait a minute, and see to the key", Field: refused.Field, Err: errors.Join(ErrTooMany, refused.Err)}
	}
	return refused
}

// ErrNoLink is in the refusal of a link that makes no first admin.
var ErrNoLink = errors.New("it is no link for the first admin")

// RefuseFirstAdmin writes down that somebody came with a link for the first
// admin that is not good, and returns the refusal. count is as for LogIn.
func (s *Service) RefuseFirstAdmin(ctx context.Context, actor Actor, count func() Tally) error {
	a := action{actor: actor, tool: "create_first_admin"}
	return s.turnAway(ctx, a, "the link is used, expired or none", count, &Refused{Words: "the link was used, has expired, or is none", Err: ErrNoLink})
}

// judgeKey says why a key is not good, for the audit log; "" where it is. The
// key itself is in nothing that it returns: somebody may have typed another
// secret.
func (s *Service) judgeKey(ctx context.Context, key string) (caller, why string, admin Admin, err error) {
	prefix, hash, ok := secret.HashClientKey(key)
	if !ok {
		return "unknown", "what was typed is no key of a client", Admin{}, nil
	}
	err = s.config.Store.View(ctx, func(tx *store.Tx) error {
		client, err := tx.ClientByKeyPrefix(prefix)
		if errors.Is(err, store.ErrNotFound) || err == nil && !secret.SameHash(client.KeyHash, hash) {
			caller, why = "unknown", "no client has this key"
			return nil
		}
		if err != nil {
			return err
		}
		caller, admin = client.Name, Admin{Name: client.Name, ClientID: client.ID, KeyHash: client.KeyHash}
		why = notAdmin(client, time.Now())
		return nil
	})
	if err == nil && why == "" {
		err = s.config.Store.Update(ctx, func(tx *store.Tx) error { return tx.TouchClient(admin.ClientID, time.Now()) })
	}
	if err != nil {
		return "", "", Admin{}, fmt.Errorf("looking for the client of a key: %w", err)
	}
	return caller, why, admin, nil
}

// notAdmin says why a client may not manage now, "" where it may.
func notAdmin(c store.Client, now time.Time) string {
	switch {
	case !c.RevokedAt.IsZero():
		return "the client is revoked"
	case !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt):
		return "the client's key has expired"
	case c.Role != "admin":
		return "the client is not an admin"
	}
	return ""
}

// StillAdmin reports whether an admin who showed a key may still manage: the
// client was not revoked, has not expired, is an admin, and has that same key.
// Who answers an admin's request asks it first, so that a session ends with
// the right that began it.
func (s *Service) StillAdmin(ctx context.Context, a Admin) (bool, error) {
	var still bool
	err := s.config.Store.View(ctx, func(tx *store.Tx) error {
		client, err := tx.ClientByID(a.ClientID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		still = err == nil && notAdmin(client, time.Now()) == "" && len(a.KeyHash) > 0 && bytes.Equal(client.KeyHash, a.KeyHash)
		return err
	})
	return still && err == nil, err
}

// LogOut writes down that an admin has logged out.
func (s *Service) LogOut(ctx context.Context, actor Actor) error {
	a := action{actor: actor, tool: "log_out", target: actor.Name}
	return s.config.Audit.Commit(context.WithoutCancel(ctx), a.event(audit.Allowed, ""))
}

// HasAdmin reports whether any client is an admin whose key is good.
func (s *Service) HasAdmin(ctx context.Context) (bool, error) {
	counts, err := s.Counts(ctx)
	return counts.Admins > 0, err
}

// ErrHasAdmin is in the refusal to make a first admin where there is one.
var ErrHasAdmin = errors.New("there is an admin already")

// CreateFirstAdmin makes the admin of this name, and returns its key, if there
// is no other: who holds a link for the first admin must not become one more.
func (s *Service) CreateFirstAdmin(ctx context.Context, actor Actor, name string) (store.Client, secret.Text, error) {
	key, prefix, hash := secret.NewClientKey()
	var created store.Client
	err := s.change(ctx, action{actor: actor, tool: "create_first_admin", target: name}, func(tx *store.Tx) error {
		counts, err := tx.Counts(time.Now())
		if err != nil {
			return err
		}
		if counts.Admins > 0 {
			return &Refused{Words: "there is an admin already: log in with that one's key, or make another with bucketgate client create NAME --role admin", Err: ErrHasAdmin}
		}
		record, err := clientRecord(tx, actor, Client{Name: name, Role: "admin"})
		if err != nil {
			return err
		}
		record.KeyPrefix, record.KeyHash = prefix, hash
		created, err = tx.CreateClient(record)
		return err
	})
	if err != nil {
		return store.Client{}, secret.Text{}, err
	}
	return created, key, nil
}

// Note writes down something that an admin did, or was refused, that changes
// no record.
func (s *Service) Note(ctx context.Context, actor Actor, tool, target string, decision audit.Decision, reason string) error {
	return s.config.Audit.Commit(context.WithoutCancel(ctx), action{actor: actor, tool: tool, target: target}.event(decision, reason))
}
