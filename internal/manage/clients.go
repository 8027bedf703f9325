package manage

import (
	"context"
	"errors"
	"slices"
	"time"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
)

// A Client is an agent or an admin that connects with a key of its own.
type Client struct {
	Name      string
	Role      string        // "agent" or "admin"; agent where it is empty
	Scopes    []string      // none means none
	ExpiresIn time.Duration // of the key; 0 is never
}

// CreateClient adds a client and returns its key, which is shown once and
// stored as a hash only.
func (s *Service) CreateClient(ctx context.Context, actor Actor, c Client) (store.Client, secret.Text, error) {
	key, prefix, hash := secret.NewClientKey()
	created, err := s.createClient(ctx, actor, c, prefix, hash)
	if err != nil {
		return store.Client{}, secret.Text{}, err
	}
	return created, key, nil
}

// CreateClientWithoutKey adds a client that cannot connect before
// ReplaceClientKey makes its first key. It is for a face that must not show a
// key: one that nobody has seen should not be good.
func (s *Service) CreateClientWithoutKey(ctx context.Context, actor Actor, c Client) (store.Client, error) {
	return s.createClient(ctx, actor, c, "", nil)
}

func (s *Service) createClient(ctx context.Context, actor Actor, c Client, prefix string, hash []byte) (store.Client, error) {
	var created store.Client
	err := s.change(ctx, action{actor: actor, tool: "create_client", target: c.Name}, func(tx *store.Tx) error {
		record, err := clientRecord(tx, actor, c)
		if err != nil {
			return err
		}
		record.KeyPrefix, record.KeyHash = prefix, hash
		created, err = tx.CreateClient(record)
		return err
	})
	return created, err
}

// UpdateClient replaces the role, scopes and, where it is given, the expiry of
// a client. Its key stays.
func (s *Service) UpdateClient(ctx context.Context, actor Actor, version int64, c Client) (store.Client, error) {
	var updated store.Client
	err := s.change(ctx, action{actor: actor, tool: "update_client", target: c.Name}, func(tx *store.Tx) error {
		current, err := findClient(tx, c.Name)
		if err != nil {
			return err
		}
		record, err := clientRecord(tx, actor, c)
		if err != nil {
			return err
		}
		next := current
		next.Role, next.Scopes, next.UpdatedBy = record.Role, record.Scopes, actor.Name
		if c.ExpiresIn != 0 {
			next.ExpiresAt = record.ExpiresAt
		}
		if version != 0 {
			next.Version = version
		}
		updated, err = tx.UpdateClient(next)
		return err
	})
	return updated, err
}

// ReplaceClientKey gives a client a new key. The old one is not taken any
// more. version is the client's, or 0 for whatever there is: a form that is
// sent a second time must not take away the key that the first one made.
func (s *Service) ReplaceClientKey(ctx context.Context, actor Actor, version int64, name string) (store.Client, secret.Text, error) {
	key, prefix, hash := secret.NewClientKey()
	var updated store.Client
	err := s.change(ctx, action{actor: actor, tool: "replace_client_key", target: name}, func(tx *store.Tx) error {
		current, err := findClient(tx, name)
		if err != nil {
			return err
		}
		current.KeyPrefix, current.KeyHash, current.UpdatedBy = prefix, hash, actor.Name
		if version != 0 {
			current.Version = version
		}
		updated, err = tx.UpdateClient(current)
		return err
	})
	if err != nil {
		return store.Client{}, secret.Text{}, err
	}
	return updated, key, nil
}

// RevokeClient takes the key of a client away for good; its name stays for the
// audit log.
func (s *Service) RevokeClient(ctx context.Context, actor Actor, name string) error {
	return s.change(ctx, action{actor: actor, tool: "delete_client", target: name}, func(tx *store.Tx) error {
		current, err := findClient(tx, name)
		if err != nil {
			return err
		}
		current.RevokedAt, current.UpdatedBy = tx.Now(), actor.Name
		_, err = tx.UpdateClient(current)
		return err
	})
}

// Clients returns all clients in the order of their names, revoked ones too.
func (s *Service) Clients(ctx context.Context) ([]store.Client, error) {
	var list []store.Client
	err := s.config.Store.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Clients()
		return err
	})
	return list, err
}

func clientRecord(tx *store.Tx, actor Actor, c Client) (store.Client, error) {
	if c.Role == "" {
		c.Role = "agent"
	}
	wrong := []error{checkName("client", c.Name), checkRole(c.Role)}
	for _, name := range c.Scopes {
		_, err := findScope(tx, name)
		wrong = append(wrong, at("scopes", err))
	}
	if err := together(wrong...); err != nil {
		return store.Client{}, err
	}
	scopes := slices.Compact(slices.Sorted(slices.Values(c.Scopes)))
	record := store.Client{Meta: store.Meta{UpdatedBy: actor.Name}, Name: c.Name, Role: c.Role, Scopes: scopes}
	if c.ExpiresIn != 0 {
		// From the very instant that becomes CreatedAt: with another one an
		// export of a client that has 90d would say 2159h59m59s.
		record.ExpiresAt = tx.Now().Add(c.ExpiresIn)
	}
	return record, nil
}

func checkRole(role string) error {
	if role != "agent" && role != "admin" {
		return refuseAt("role", "there is no role %q; it is agent or admin", role)
	}
	return nil
}

// findClient returns a client that is not revoked.
func findClient(tx *store.Tx, name string) (store.Client, error) {
	c, err := tx.Client(name)
	if err == nil && !c.RevokedAt.IsZero() {
		return store.Client{}, refusef("the client %q was revoked; create one of another name", name)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	all, err := tx.Clients()
	if err != nil {
		return store.Client{}, err
	}
	var known []string
	for _, c := range all {
		if c.RevokedAt.IsZero() {
			known = append(known, c.Name)
		}
	}
	return store.Client{}, unknown("client", name, known)
}
