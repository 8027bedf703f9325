package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/store"
	"bucketgate/policy"
)

// pages goes through lists in parts, as the console shows them.
func pages(t *testing.T, open Open) {
	s := open(t)
	c := MustCredential(t, s, MustProvider(t, s, "acme"), "reader", "0123456789abcdef")
	MustProvider(t, s, "bare")
	now := time.Now()
	MustUpdate(t, s, func(tx *store.Tx) error {
		for _, name := range []string{"web", "api", "100%", "a_b", "axb", `back\slash`} {
			_, err := tx.CreateScope(store.Scope{Name: name, ProviderID: c.ProviderID, CredentialID: c.ID, Actions: []policy.Action{policy.Read}})
			if err != nil {
				return err
			}
		}
		for i, client := range []store.Client{
			{Name: "one", Role: "agent", Scopes: []string{"web", "api"}, LastUsedAt: now},
			{Name: "two", Role: "agent", Scopes: []string{"web"}},
			{Name: "gone", Role: "admin", Scopes: []string{"web"}, RevokedAt: now},
			{Name: "Boss", Role: "admin"},
			{Name: "late", Role: "admin", ExpiresAt: now.Add(-time.Second)},
		} {
			client.KeyPrefix = fmt.Sprintf("key%d", i)
			if _, err := tx.CreateClient(client); err != nil {
				return err
			}
		}
		_, err := tx.CreateClient(store.Client{Name: "keyless", Role: "admin"})
		return err
	})
	MustView(t, s, func(tx *store.Tx) error {
		summaries, err := tx.ProviderSummaries()
		require.NoError(t, err)
		require.Len(t, summaries, 2)
		assert.Equal(t, "acme", summaries[0].Name)
		assert.Equal(t, []int{1, 6, 0, 0}, []int{summaries[0].Credentials, summaries[0].Scopes, summaries[1].Credentials, summaries[1].Scopes})

		scopePage := func(provider string, page store.Page) ([]string, bool) {
			list, more, err := tx.ScopePage(provider, page)
			require.NoError(t, err)
			return names(list, func(s store.Scope) string { return s.Name }), more
		}
		page, more := scopePage("acme", store.Page{Limit: 2})
		assert.Equal(t, []string{"100%", "a_b"}, page)
		assert.True(t, more)
		page, more = scopePage("acme", store.Page{After: "api", Limit: 3})
		assert.Equal(t, []string{"axb", `back\slash`, "web"}, page)
		assert.False(t, more, "exactly the rest")
		for search, want := range map[string][]string{"%": {"100%"}, "_": {"a_b"}, `\`: {`back\slash`}, "A": {"a_b", "api", "axb", `back\slash`}, "zzz": nil} {
			page, _ = scopePage("acme", store.Page{Search: search, Limit: 10})
			assert.ElementsMatch(t, want, page, search)
		}
		page, _ = scopePage("bare", store.Page{Limit: 10})
		assert.Empty(t, page)
		all, err := tx.ScopeNames()
		require.NoError(t, err)
		assert.Equal(t, []string{"100%", "a_b", "api", "axb", `back\slash`, "web"}, all)

		clients, more, err := tx.ClientPage(store.Page{Limit: 3}, false)
		require.NoError(t, err)
		assert.True(t, more)
		assert.Equal(t, []string{"Boss", "keyless", "late"}, names(clients, func(c store.Client) string { return c.Name }))
		clients, more, err = tx.ClientPage(store.Page{After: "late", Limit: 3}, false)
		require.NoError(t, err)
		assert.False(t, more)
		require.Equal(t, []string{"one", "two"}, names(clients, func(c store.Client) string { return c.Name }))
		assert.Equal(t, []string{"api", "web"}, clients[0].Scopes)
		assert.Equal(t, []string{"web"}, clients[1].Scopes)
		clients, _, err = tx.ClientPage(store.Page{Search: "GON", Limit: 3}, true)
		require.NoError(t, err)
		assert.Equal(t, []string{"gone"}, names(clients, func(c store.Client) string { return c.Name }))

		counts, err := tx.Counts(now)
		require.NoError(t, err)
		assert.Equal(t, store.Counts{Providers: 2, Credentials: 1, Scopes: 6, Clients: 5, Admins: 1, Used: 1}, counts)

		users, err := tx.ProviderUsers(c.ProviderID, 3)
		require.NoError(t, err)
		assert.Equal(t, []store.User{{Kind: "credential", Name: "reader"}, {Kind: "scope", Name: "100%"}, {Kind: "scope", Name: "a_b"}}, users)
		users, err = tx.CredentialUsers(c.ID, 1)
		require.NoError(t, err)
		assert.Equal(t, []store.User{{Kind: "scope", Name: "100%"}}, users)
		web, err := tx.Scope("web")
		require.NoError(t, err)
		users, err = tx.ScopeUsers(web.ID, 10)
		require.NoError(t, err)
		assert.Equal(t, []store.User{{Kind: "client", Name: "one"}, {Kind: "client", Name: "two"}}, users, "a revoked client needs nothing")
		return nil
	})
}
