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

// LogIn returns the admin whose key it is. It leaves one audit event either
// way. Every key that does not open gets the same words: they must not tell
// whether it was ever a good one.
func (s *Service) LogIn(ctx context.Context, key secret.Text, transport string) (Admin, error) {
	caller, why, admin, err := s.judgeKey(ctx, key.Reveal())
	if err != nil {
		return Admin{}, err
	}
	a := action{actor: Actor{Name: caller, Transport: transport}, tool: "log_in", target: caller}
	event := a.event(audit.Allowed, "")
	if why != "" {
		event = a.event(audit.Denied, why)
	}
	if err := s.config.Audit.Commit(context.WithoutCancel(ctx), event); err != nil {
		return Admin{}, err
	}
	if why != "" {
		return Admin{}, &Refused{Words: "this key does not open the console: it is mistyped, expired, revoked or replaced, or not the key of an admin", Field: "key", Err: ErrNoAdmin}
	}
	return admin, nil
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
