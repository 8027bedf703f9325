package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"bucketgate/internal/audit"
	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/internal/store/storetest"
	"bucketgate/policy"
)

// large makes 1,000 scopes and 10,000 clients, and returns a credential and the
// prefix of a key.
func large(b *testing.B, scopes, clients int) (config store.Config, credentialID, prefix string) {
	b.Helper()
	config = newConfig(b)
	s := open(b, config)
	c := storetest.MustCredential(b, s, storetest.MustProvider(b, s, "acme"), "ci", "0123456789abcdef")
	storetest.MustUpdate(b, s, func(tx *store.Tx) error {
		for i := range scopes {
			_, err := tx.CreateScope(store.Scope{Name: fmt.Sprintf("scope-%04d", i), ProviderID: c.ProviderID, CredentialID: c.ID,
				Repositories: []string{"^web-.*", "^api-.*"}, Branches: []string{"main"}, Actions: []policy.Action{policy.Read}})
			if err != nil {
				return err
			}
		}
		for i := range clients {
			var hash []byte
			_, prefix, hash = secret.NewClientKey()
			_, err := tx.CreateClient(store.Client{Name: fmt.Sprintf("client-%05d", i), KeyPrefix: prefix, KeyHash: hash, Scopes: []string{fmt.Sprintf("scope-%04d", i%scopes)}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(b, s.Close())
	return config, c.ID, prefix
}

func BenchmarkStore(b *testing.B) {
	for _, size := range []struct{ scopes, clients int }{{1, 1}, {100, 100}, {1000, 10000}} {
		config, credentialID, prefix := large(b, size.scopes, size.clients)
		name := func(what string) string { return fmt.Sprintf("%s/%d scopes", what, size.scopes) }
		b.Run(name("open"), func(b *testing.B) {
			for b.Loop() {
				s, err := store.Open(context.Background(), config)
				require.NoError(b, err)
				require.NoError(b, s.Close())
			}
		})
		s := open(b, config)
		views := map[string]func(*store.Tx) error{
			"all definitions": func(tx *store.Tx) error { _, err := tx.Definitions(); return err },
			"one definition":  func(tx *store.Tx) error { _, err := tx.Definitions("scope-0000"); return err },
			"client by key":   func(tx *store.Tx) error { _, err := tx.ClientByKeyPrefix(prefix); return err },
			"all clients":     func(tx *store.Tx) error { _, err := tx.Clients(); return err },
		}
		for what, view := range views {
			b.Run(name(what), func(b *testing.B) {
				for b.Loop() {
					storetest.MustView(b, s, view)
				}
			})
		}
		b.Run(name("key of a credential"), func(b *testing.B) {
			for b.Loop() {
				_, err := s.CredentialKey(context.Background(), credentialID)
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkAudit appends groups to a long log and lists it: BENCH_AUDIT_EVENTS
// of them, or 100,000.
func BenchmarkAudit(b *testing.B) {
	s := open(b, newConfig(b))
	seq := fillAudit(b, s, auditEvents())
	for name, f := range map[string]audit.Filter{
		"all": {}, "denied": {Decision: audit.Denied}, "one of many callers": {Caller: "client-7"}, "a caller's denied": {Caller: "client-7", Decision: audit.Denied},
		"a rare tool": {Tool: "rare"}, "a caller's rare tool": {Caller: "client-7", Tool: "rare"}, "a common scope": {Scope: "web"}, "a rare scope": {Scope: "rare"},
		"a scope's denied": {Scope: "web", Decision: audit.Denied}, "a scope's rare tool": {Scope: "web", Tool: "rare"}, "nothing": {Caller: "nobody"},
		"an hour": {Since: auditStart, Until: auditStart.Add(3600e9)}, "a caller's hour": {Caller: "client-7", Since: auditStart, Until: auditStart.Add(3600e9)},
		"allowed and rare": {Decision: audit.Allowed, Tool: "rare"},
	} {
		b.Run("list/"+name, func(b *testing.B) {
			for b.Loop() {
				_, _, err := s.ListAudit(context.Background(), f, 50, "")
				require.NoError(b, err)
			}
		})
	}
	b.Run("writers", func(b *testing.B) {
		for b.Loop() {
			_, err := s.AuditWriters(context.Background())
			require.NoError(b, err)
		}
	})
	for _, group := range []int64{1, 10, 100} {
		b.Run(fmt.Sprintf("append/%d", group), func(b *testing.B) {
			for b.Loop() {
				var records []audit.Record
				for range group {
					seq++
					records = append(records, benchRecord(seq))
				}
				require.NoError(b, s.AppendAudit(context.Background(), records))
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(group), "us/event")
		})
	}
}
