package manage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bucketgate/internal/store"
)

// Provider returns the provider of this name.
func (s *Service) Provider(ctx context.Context, name string) (store.Provider, error) {
	return viewed(ctx, s, func(tx *store.Tx) (store.Provider, error) { return findProvider(tx, name) })
}

// Credential returns the credential of this name. provider may be empty where
// only one provider has one of the name.
func (s *Service) Credential(ctx context.Context, provider, name string) (store.Credential, error) {
	return viewed(ctx, s, func(tx *store.Tx) (store.Credential, error) {
		if provider != "" {
			return findCredential(tx, provider, name)
		}
		return findCredentialByName(tx, name)
	})
}

// Scope returns the scope of this name.
func (s *Service) Scope(ctx context.Context, name string) (store.Scope, error) {
	return viewed(ctx, s, func(tx *store.Tx) (store.Scope, error) { return findScope(tx, name) })
}

// Client returns the client of this name, unless it was revoked.
func (s *Service) Client(ctx context.Context, name string) (store.Client, error) {
	return viewed(ctx, s, func(tx *store.Tx) (store.Client, error) { return findClient(tx, name) })
}

func viewed[R any](ctx context.Context, s *Service, find func(*store.Tx) (R, error)) (R, error) {
	var found R
	err := s.config.Store.View(ctx, func(tx *store.Tx) (err error) {
		found, err = find(tx)
		return err
	})
	return found, err
}

func findCredentialByName(tx *store.Tx, name string) (store.Credential, error) {
	all, err := tx.Credentials("")
	if err != nil {
		return store.Credential{}, err
	}
	var found []store.Credential
	var known, providers []string
	for _, c := range all {
		known = append(known, c.Name)
		if c.Name == name {
			found = append(found, c)
			providers = append(providers, c.Provider)
		}
	}
	switch len(found) {
	case 0:
		return store.Credential{}, unknown("credential", name, known)
	case 1:
		return found[0], nil
	}
	return store.Credential{}, refusef("several providers have a credential %q: say --provider, one of %s", name, strings.Join(providers, ", "))
}

// KeyWords says of a credential's key what may be shown of it.
func KeyWords(c store.Credential) string {
	switch {
	case !c.KeySet:
		return "not set"
	case c.KeyHint == "":
		return fmt.Sprintf("set on %s by %s", c.KeySetAt.UTC().Format(time.DateOnly), c.KeySetBy)
	}
	return fmt.Sprintf("set, ends in …%s, on %s by %s", c.KeyHint, c.KeySetAt.UTC().Format(time.DateOnly), c.KeySetBy)
}

// ParseLasting is [ParseDuration] with a refusal in words.
func ParseLasting(text string) (time.Duration, error) {
	if lasts, ok := ParseDuration(text); ok {
		return lasts, nil
	}
	return 0, refusef("%q is no duration; write one such as 36h or 90d", text)
}
