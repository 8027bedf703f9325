// Package storetest is what every engine of package store must pass.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

// An Open opens the database of the test t, which is empty at first. Called
// again with the same t it opens the same database a second time, as another
// process would. The test closes what it opens.
type Open func(t *testing.T) *store.Store

// Run holds a store to what package store promises, whatever its engine.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"providers":                              providers,
		"credentials":                            credentials,
		"fields of a credential":                 fields,
		"keys of credentials":                    credentialKeys,
		"an address is fixed under a credential": fixedAddress,
		"scopes":                                 scopes,
		"scopes and credentials of a provider":   scopeCredentials,
		"definitions":                            definitions,
		"clients":                                clients,
		"keys of clients":                        clientKeys,
		"pages of lists":                         pages,
		"what is in use stays":                   inUse,
		"all or nothing":                         allOrNothing,
		"what was refused is not committed":      spoiled,
		"View changes nothing":                   viewChangesNothing,
		"View has one picture":                   viewHasOnePicture,
		"an update made from an old version":     conflicts,
		"two stores write at once":               twoWriters,
		"Watch":                                  watch,
		"Watch overlooks what is no change":      watchOverlooks,
		"rotation":                               rotation,
		"rotation while others work":             rotationAtWork,
		"a database opened again":                openedAgain,
		"one-time links":                         secretLinks,
		"one of two gets a one-time link":        secretLinkRace,
		"audit: append":                          auditAppend,
		"audit: append many":                     auditAppendMany,
		"audit: with a change":                   auditWithChange,
		"audit: filters":                         auditFilters,
		"audit: pages":                           auditPages,
		"audit: chains":                          auditChains,
		"audit: any text":                        auditText,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// MustUpdate runs change and fails the test where it is refused.
func MustUpdate(t testing.TB, s *store.Store, change func(*store.Tx) error) {
	t.Helper()
	require.NoError(t, s.Update(context.Background(), change))
}

// MustView runs read and fails the test where it is refused.
func MustView(t testing.TB, s *store.Store, read func(*store.Tx) error) {
	t.Helper()
	require.NoError(t, s.View(context.Background(), read))
}

// MustProvider creates a provider of this name with the workspace of that name.
func MustProvider(t testing.TB, s *store.Store, name string) store.Provider {
	t.Helper()
	var p store.Provider
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		p, err = tx.CreateProvider(store.Provider{Meta: by("test"), Name: name, Type: "bitbucket", Workspace: name, API: "https://api.bitbucket.org/2.0"})
		return err
	})
	return p
}

// MustCredential creates a credential with a key.
func MustCredential(t testing.TB, s *store.Store, p store.Provider, name, key string) store.Credential {
	t.Helper()
	var c store.Credential
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		c, err = tx.CreateCredential(store.Credential{Meta: by("test"), ProviderID: p.ID, Name: name, Key: secret.NewText(key)})
		return err
	})
	return c
}

// MustScope creates a scope with a credential.
func MustScope(t testing.TB, s *store.Store, c store.Credential, name string) store.Scope {
	t.Helper()
	var scope store.Scope
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		scope, err = tx.CreateScope(store.Scope{Meta: by("test"), Name: name, ProviderID: c.ProviderID, CredentialID: c.ID, Actions: []policy.Action{policy.Read}})
		return err
	})
	return scope
}

// MustClient creates a client that holds the scopes.
func MustClient(t testing.TB, s *store.Store, name string, scopes ...string) store.Client {
	t.Helper()
	var c store.Client
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		c, err = tx.CreateClient(store.Client{Meta: by("test"), Name: name, Role: "agent", Scopes: scopes})
		return err
	})
	return c
}

func by(who string) store.Meta { return store.Meta{UpdatedBy: who} }

// assertKey holds that the key of a credential is this one.
func assertKey(t testing.TB, s *store.Store, c store.Credential, want string) {
	t.Helper()
	key, err := s.CredentialKey(context.Background(), c.ID)
	require.NoError(t, err)
	require.True(t, key.Equal(secret.NewText(want)), "another key than %q", want)
}

func requireRecent(t testing.TB, at time.Time) {
	t.Helper()
	require.WithinDuration(t, time.Now(), at, time.Minute)
	require.Equal(t, time.UTC, at.Location())
}
