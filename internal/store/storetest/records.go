package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/internal/secret"
	"bucketgate/internal/store"
	"bucketgate/policy"
)

func providers(t *testing.T, open Open) {
	s := open(t)
	made := MustProvider(t, s, "acme")
	assert.NotEmpty(t, made.ID)
	assert.EqualValues(t, 1, made.Version)
	assert.Equal(t, "test", made.UpdatedBy)
	requireRecent(t, made.CreatedAt)
	MustProvider(t, s, "Zeta")
	MustProvider(t, s, "Acme")

	var changed store.Provider
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		read, err := tx.Provider("acme")
		require.NoError(t, err)
		assert.Equal(t, made, read)
		read.Name, read.Description, read.Workspace, read.UpdatedBy = "umbrella", "ünïcode \u202e and 'quotes'", "umbrella", "somebody"
		changed, err = tx.UpdateProvider(read)
		return err
	})
	assert.EqualValues(t, 2, changed.Version)
	assert.Equal(t, "somebody", changed.UpdatedBy)
	assert.Equal(t, made.CreatedAt, changed.CreatedAt)

	MustView(t, s, func(tx *store.Tx) error {
		byID, err := tx.ProviderByID(made.ID)
		require.NoError(t, err)
		assert.Equal(t, changed, byID)
		_, err = tx.Provider("acme")
		assert.ErrorIs(t, err, store.ErrNotFound)
		assert.EqualError(t, err, `there is no provider "acme"`)
		list, err := tx.Providers()
		require.NoError(t, err)
		assert.Equal(t, []string{"Acme", "Zeta", "umbrella"}, names(list, func(p store.Provider) string { return p.Name }))
		return nil
	})

	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CreateProvider(store.Provider{Name: "umbrella"})
		return err
	})
	assert.ErrorIs(t, err, store.ErrExists)
	assert.EqualError(t, err, `there is a provider "umbrella" already`)
	err = s.Update(context.Background(), func(tx *store.Tx) error {
		p, err := tx.Provider("Zeta")
		require.NoError(t, err)
		p.Name = "Acme"
		_, err = tx.UpdateProvider(p)
		return err
	})
	assert.ErrorIs(t, err, store.ErrExists)

	MustUpdate(t, s, func(tx *store.Tx) error { return tx.DeleteProvider(changed.ID, 2) })
	err = s.Update(context.Background(), func(tx *store.Tx) error { return tx.DeleteProvider(changed.ID, 2) })
	assert.ErrorIs(t, err, store.ErrNotFound)
	err = s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.UpdateProvider(changed)
		return err
	})
	assert.ErrorIs(t, err, store.ErrNotFound)
}

func names[T any](list []T, name func(T) string) []string {
	var out []string
	for _, item := range list {
		out = append(out, name(item))
	}
	return out
}

func credentials(t *testing.T, open Open) {
	s := open(t)
	acme, zeta := MustProvider(t, s, "acme"), MustProvider(t, s, "zeta")
	expires := time.Date(2027, 3, 4, 0, 0, 0, 0, time.UTC)
	var made store.Credential
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		made, err = tx.CreateCredential(store.Credential{Meta: by("alice"), ProviderID: acme.ID, Name: "ci", Username: "ci@acme.test", ExpiresOn: expires})
		return err
	})
	assert.Equal(t, "acme", made.Provider)
	assert.Equal(t, expires, made.ExpiresOn)
	assert.False(t, made.KeySet)
	assert.True(t, made.KeySetAt.IsZero())

	// The same name of another provider is another credential.
	other := MustCredential(t, s, zeta, "ci", "ATATT-0123456789")
	assert.True(t, other.KeySet)
	assert.Equal(t, "6789", other.KeyHint)
	assert.Equal(t, "test", other.KeySetBy)
	requireRecent(t, other.KeySetAt)
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CreateCredential(store.Credential{ProviderID: acme.ID, Name: "ci"})
		return err
	})
	assert.ErrorIs(t, err, store.ErrExists)
	err = s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CreateCredential(store.Credential{ProviderID: "nobody", Name: "ci"})
		return err
	})
	assert.ErrorIs(t, err, store.ErrNotFound)

	MustView(t, s, func(tx *store.Tx) error {
		for provider, want := range map[string][]string{"": {"acme", "zeta"}, "acme": {"acme"}, "zeta": {"zeta"}, "none": nil} {
			list, err := tx.Credentials(provider)
			require.NoError(t, err)
			assert.Equal(t, want, names(list, func(c store.Credential) string { return c.Provider }))
		}
		read, err := tx.Credential("zeta", "ci")
		require.NoError(t, err)
		assert.Equal(t, other, read)
		_, err = tx.Credential("acme", "none")
		assert.ErrorIs(t, err, store.ErrNotFound)
		return nil
	})

	made.Name, made.Username, made.ExpiresOn = "ci-2", "", time.Time{}
	moved := made
	moved.ProviderID = zeta.ID
	err = s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.UpdateCredential(moved)
		return err
	})
	assert.ErrorContains(t, err, "cannot move to another")
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		made, err = tx.UpdateCredential(made)
		return err
	})
	assert.EqualValues(t, 2, made.Version)
	assert.Equal(t, "ci-2", made.Name)
	assert.True(t, made.ExpiresOn.IsZero())
	MustUpdate(t, s, func(tx *store.Tx) error { return tx.DeleteCredential(made.ID, made.Version) })
	_, err = s.CredentialKey(context.Background(), made.ID)
	assert.ErrorIs(t, err, store.ErrNotFound)
}

func fields(t *testing.T, open Open) {
	s := open(t)
	p := MustProvider(t, s, "acme")
	c := store.Credential{ProviderID: p.ID, Name: "ci", Fields: []store.Field{
		{Key: "owner", Value: "platform"},
		{Key: "pin", Sensitive: true, Secret: secret.NewText("4711")},
		{Key: "a", Value: ""},
	}}
	create := func(c store.Credential) (made store.Credential, err error) {
		err = s.Update(context.Background(), func(tx *store.Tx) error {
			made, err = tx.CreateCredential(c)
			return err
		})
		return made, err
	}
	update := func(c store.Credential) (store.Credential, error) {
		var changed store.Credential
		err := s.Update(context.Background(), func(tx *store.Tx) (err error) {
			changed, err = tx.UpdateCredential(c)
			return err
		})
		return changed, err
	}
	made, err := create(c)
	require.NoError(t, err)
	want := []store.Field{{Key: "owner", Value: "platform"}, {Key: "pin", Sensitive: true}, {Key: "a"}}
	assert.Equal(t, want, made.Fields, "in the order given, and what is sensitive does not come back")
	MustView(t, s, func(tx *store.Tx) error {
		list, err := tx.Credentials("acme")
		require.NoError(t, err)
		assert.Equal(t, want, list[0].Fields)
		return nil
	})

	made.Fields[0].Value = "security"
	made, err = update(made)
	require.NoError(t, err, "a sensitive field without a value keeps what is there")
	assert.Equal(t, "security", made.Fields[0].Value)
	require.NoError(t, s.Check(context.Background()))

	for words, wrong := range map[string][]store.Field{
		`needs a value`:     {{Key: "new", Sensitive: true}},
		`two fields "a"`:    {{Key: "a"}, {Key: "a"}},
		`is its Secret`:     {{Key: "pin", Sensitive: true, Value: "in the open"}},
		`of another its Va`: {{Key: "a", Secret: secret.NewText("x")}},
	} {
		c := made
		c.Fields = wrong
		_, err := update(c)
		assert.ErrorContains(t, err, words)
	}

	made.Fields = []store.Field{{Key: "pin", Value: "public now"}}
	made, err = update(made)
	require.NoError(t, err)
	made.Fields = []store.Field{{Key: "pin", Sensitive: true}}
	_, err = update(made)
	assert.ErrorContains(t, err, "needs a value", "nothing is left of what was sensitive once")
	status, err := s.KeyStatus(context.Background())
	require.NoError(t, err)
	assert.Zero(t, status.Keys[0].Values)
}

func credentialKeys(t *testing.T, open Open) {
	s := open(t)
	p := MustProvider(t, s, "acme")
	var c store.Credential
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		c, err = tx.CreateCredential(store.Credential{ProviderID: p.ID, Name: "ci"})
		return err
	})
	_, err := s.CredentialKey(context.Background(), c.ID)
	assert.ErrorIs(t, err, store.ErrNoKey)
	assert.EqualError(t, err, `no API key is set for credential "ci"`)

	set := func(key, who string) {
		MustUpdate(t, s, func(tx *store.Tx) (err error) {
			c.Key, c.UpdatedBy = secret.NewText(key), who
			c, err = tx.UpdateCredential(c)
			return err
		})
		assertKey(t, s, c, key)
		assert.True(t, c.KeySet)
		assert.Equal(t, who, c.KeySetBy)
		assert.True(t, c.Key.IsZero(), "a key does not come back")
	}
	set("first-key-0001", "alice")
	assert.Equal(t, "0001", c.KeyHint)
	set("short", "bob")
	assert.Empty(t, c.KeyHint, "four characters would be too much of a short key")
	setAt := c.KeySetAt
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		c.Username, c.UpdatedBy = "ci@acme.test", "carol"
		c, err = tx.UpdateCredential(c)
		return err
	})
	assertKey(t, s, c, "short")
	assert.Equal(t, "bob", c.KeySetBy)
	assert.Equal(t, setAt, c.KeySetAt)

	// A provider may be renamed under a key.
	MustUpdate(t, s, func(tx *store.Tx) error {
		p.Name, p.Description = "renamed", "x"
		_, err := tx.UpdateProvider(p)
		return err
	})
	assertKey(t, s, c, "short")
	assertKey(t, open(t), c, "short")
}

func fixedAddress(t *testing.T, open Open) {
	s := open(t)
	p := MustProvider(t, s, "acme")
	update := func(p store.Provider) error {
		return s.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.UpdateProvider(p)
			return err
		})
	}
	p.API = "https://api.example/2.0"
	require.NoError(t, update(p), "without a credential the address may change")
	p.Version++
	c := MustCredential(t, s, p, "ci", "0123456789abcdef")
	for _, change := range []func(*store.Provider){
		func(p *store.Provider) { p.API = "https://evil.example/2.0" },
		func(p *store.Provider) { p.API = "https://api.example/3.0" },
		func(p *store.Provider) { p.Workspace = "mallory" },
	} {
		changed := p
		change(&changed)
		err := update(changed)
		assert.ErrorIs(t, err, store.ErrInUse)
		assert.EqualError(t, err, `provider "acme" is in use by credential "ci"`)
	}
	assertKey(t, s, c, "0123456789abcdef")
}

func scopes(t *testing.T, open Open) {
	s := open(t)
	p := MustProvider(t, s, "acme")
	c := MustCredential(t, s, p, "ci", "0123456789abcdef")
	full := store.Scope{
		Meta: by("alice"), Name: "web", ProviderID: p.ID, CredentialID: c.ID, Description: "the web team",
		Repositories: []string{"^web-.*", `a\.b`}, ExcludeRepositories: []string{"web-secret"},
		Branches: []string{"main", `feature/.*"<>&`}, ExcludeBranches: []string{"release/.*"}, Actions: []policy.Action{policy.Read},
	}
	var made store.Scope
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		made, err = tx.CreateScope(full)
		return err
	})
	full.Meta, full.Provider, full.Credential = made.Meta, "acme", "ci"
	assert.Equal(t, full, made)
	MustView(t, s, func(tx *store.Tx) error {
		read, err := tx.Scope("web")
		require.NoError(t, err)
		assert.Equal(t, full, read)
		_, err = tx.Scope("none")
		assert.EqualError(t, err, `there is no scope "none"`)
		return nil
	})

	made.Repositories, made.Branches, made.Description = nil, []string{}, ""
	renamed := made
	renamed.Name = "other"
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.UpdateScope(renamed)
		return err
	})
	assert.EqualError(t, err, `the name of scope "web" cannot change`)
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		made, err = tx.UpdateScope(made)
		return err
	})
	assert.EqualValues(t, 2, made.Version)
	assert.Nil(t, made.Repositories)
	assert.Nil(t, made.Branches)
	assert.Equal(t, []string{"web-secret"}, made.ExcludeRepositories)

	MustScope(t, s, c, "api")
	MustView(t, s, func(tx *store.Tx) error {
		list, err := tx.Scopes()
		require.NoError(t, err)
		assert.Equal(t, []string{"api", "web"}, names(list, func(s store.Scope) string { return s.Name }))
		assert.Equal(t, made, list[1])
		return nil
	})
	err = s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CreateScope(store.Scope{Name: "web", ProviderID: p.ID, CredentialID: c.ID})
		return err
	})
	assert.ErrorIs(t, err, store.ErrExists)
	MustUpdate(t, s, func(tx *store.Tx) error { return tx.DeleteScope(made.ID, made.Version) })
}

func scopeCredentials(t *testing.T, open Open) {
	s := open(t)
	acme, zeta := MustProvider(t, s, "acme"), MustProvider(t, s, "zeta")
	ours, theirs := MustCredential(t, s, acme, "ci", "0123456789abcdef"), MustCredential(t, s, zeta, "cd", "0123456789abcdef")
	scope := MustScope(t, s, ours, "web")
	for words, wrong := range map[string]store.Scope{
		`credential "cd" belongs to provider "zeta", and scope "x" is of provider "acme"`: {ProviderID: acme.ID, CredentialID: theirs.ID},
		`there is no provider "nobody"`:   {ProviderID: "nobody", CredentialID: ours.ID},
		`there is no credential "nobody"`: {ProviderID: acme.ID, CredentialID: "nobody"},
	} {
		wrong.Name = "x"
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.CreateScope(wrong)
			return err
		})
		assert.ErrorIs(t, err, store.ErrNotFound)
		assert.EqualError(t, err, words)
	}
	scope.CredentialID = theirs.ID
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.UpdateScope(scope)
		return err
	})
	assert.ErrorIs(t, err, store.ErrNotFound)
	scope.ProviderID = zeta.ID
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		scope, err = tx.UpdateScope(scope)
		return err
	})
	assert.Equal(t, []string{"zeta", "cd"}, []string{scope.Provider, scope.Credential})
}

func definitions(t *testing.T, open Open) {
	s := open(t)
	p := MustProvider(t, s, "acme")
	c := MustCredential(t, s, p, "ci", "0123456789abcdef")
	for _, name := range []string{"web", "api", "all"} {
		MustScope(t, s, c, name)
	}
	read := func(names ...string) []policy.Definition {
		var list []policy.Definition
		MustView(t, s, func(tx *store.Tx) (err error) {
			list, err = tx.Definitions(names...)
			return err
		})
		return list
	}
	name := func(d policy.Definition) string { return d.Name }
	assert.Equal(t, []string{"all", "api", "web"}, names(read(), name))
	assert.Equal(t, []string{"api", "web"}, names(read("web", "none", "api", "api"), name))
	assert.Empty(t, read("none"))

	before := read("web")[0]
	assert.Equal(t, policy.Definition{Name: "web", API: p.API, Workspace: "acme", Credential: c.ID, Version: before.Version, Actions: []policy.Action{policy.Read}}, before)
	_, err := policy.Compile(before)
	require.NoError(t, err)
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		c.Key = secret.NewText("another-key-0123")
		c, err = tx.UpdateCredential(c)
		return err
	})
	assert.NotEqual(t, before.Version, read("web")[0].Version, "a replaced key makes another version")
}

func clients(t *testing.T, open Open) {
	s := open(t)
	c := MustCredential(t, s, MustProvider(t, s, "acme"), "ci", "0123456789abcdef")
	for _, name := range []string{"web", "api", "docs"} {
		MustScope(t, s, c, name)
	}
	made := MustClient(t, s, "claude", "web", "api", "web")
	assert.Equal(t, []string{"api", "web"}, made.Scopes)
	assert.Empty(t, made.KeyPrefix)
	nobody := MustClient(t, s, "nobody")
	assert.Nil(t, nobody.Scopes)

	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CreateClient(store.Client{Name: "x", Scopes: []string{"web", "none"}})
		return err
	})
	assert.ErrorIs(t, err, store.ErrNotFound)
	assert.EqualError(t, err, `there is no scope "none"`)
	err = s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.CreateClient(store.Client{Name: "claude"})
		return err
	})
	assert.ErrorIs(t, err, store.ErrExists)

	expires := time.Date(2027, 1, 2, 3, 4, 5, 6000, time.UTC)
	made.Scopes, made.ExpiresAt, made.UpdatedBy = []string{"docs"}, expires, "alice"
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		made, err = tx.UpdateClient(made)
		return err
	})
	assert.Equal(t, []string{"docs"}, made.Scopes)
	assert.Equal(t, expires, made.ExpiresAt)
	assert.EqualValues(t, 2, made.Version)

	used := time.Now().UTC().Truncate(time.Microsecond)
	MustUpdate(t, s, func(tx *store.Tx) error { return tx.TouchClient(made.ID, used) })
	MustUpdate(t, s, func(tx *store.Tx) error { return tx.TouchClient(made.ID, used.Add(-time.Hour)) })
	MustView(t, s, func(tx *store.Tx) error {
		read, err := tx.ClientByID(made.ID)
		require.NoError(t, err)
		assert.Equal(t, used, read.LastUsedAt, "the latest use counts")
		assert.EqualValues(t, 2, read.Version, "a use is no change")
		list, err := tx.Clients()
		require.NoError(t, err)
		require.Len(t, list, 2)
		assert.Equal(t, read, list[0])
		assert.Equal(t, nobody, list[1])
		return nil
	})
	MustUpdate(t, s, func(tx *store.Tx) error { return tx.DeleteClient(made.ID, 2) })
	MustView(t, s, func(tx *store.Tx) error {
		_, err := tx.Client("claude")
		assert.ErrorIs(t, err, store.ErrNotFound)
		return nil
	})
}

func clientKeys(t *testing.T, open Open) {
	s := open(t)
	_, prefix, hash := secret.NewClientKey()
	var made store.Client
	MustUpdate(t, s, func(tx *store.Tx) (err error) {
		made, err = tx.CreateClient(store.Client{Name: "claude", KeyPrefix: prefix, KeyHash: hash})
		return err
	})
	MustClient(t, s, "no key")
	MustClient(t, s, "no key either")
	MustView(t, s, func(tx *store.Tx) error {
		found, err := tx.ClientByKeyPrefix(prefix)
		require.NoError(t, err)
		assert.Equal(t, made, found)
		assert.True(t, secret.SameHash(found.KeyHash, hash))
		for _, none := range []string{"", "bg_aaaaaaaaaaaa", prefix[:5]} {
			_, err = tx.ClientByKeyPrefix(none)
			assert.ErrorIs(t, err, store.ErrNotFound)
		}
		return nil
	})
	_, other, hash := secret.NewClientKey()
	made.KeyPrefix, made.KeyHash = other, hash
	MustUpdate(t, s, func(tx *store.Tx) error {
		_, err := tx.UpdateClient(made)
		return err
	})
	MustView(t, s, func(tx *store.Tx) error {
		_, err := tx.ClientByKeyPrefix(prefix)
		assert.ErrorIs(t, err, store.ErrNotFound, "the old key is gone")
		_, err = tx.ClientByKeyPrefix(other)
		return err
	})
}

func inUse(t *testing.T, open Open) {
	s := open(t)
	p := MustProvider(t, s, "acme")
	c := MustCredential(t, s, p, "ci", "0123456789abcdef")
	scope := MustScope(t, s, c, "web")
	MustScope(t, s, c, "api")
	MustClient(t, s, "zoe", "web")
	client := MustClient(t, s, "claude", "web")

	for words, remove := range map[string]func(*store.Tx) error{
		`provider "acme" is in use by credential "ci", scope "api", scope "web"`: func(tx *store.Tx) error { return tx.DeleteProvider(p.ID, p.Version) },
		`credential "ci" is in use by scope "api", scope "web"`:                  func(tx *store.Tx) error { return tx.DeleteCredential(c.ID, c.Version) },
		`scope "web" is in use by client "claude", client "zoe"`:                 func(tx *store.Tx) error { return tx.DeleteScope(scope.ID, scope.Version) },
	} {
		err := s.Update(context.Background(), remove)
		assert.ErrorIs(t, err, store.ErrInUse)
		assert.EqualError(t, err, words)
	}
	MustUpdate(t, s, func(tx *store.Tx) error {
		zoe, err := tx.Client("zoe")
		require.NoError(t, err)
		if err := tx.DeleteClient(zoe.ID, zoe.Version); err != nil {
			return err
		}
		client.RevokedAt = time.Now()
		_, err = tx.UpdateClient(client)
		return err
	})
	MustUpdate(t, s, func(tx *store.Tx) error { return tx.DeleteScope(scope.ID, scope.Version) })
	MustView(t, s, func(tx *store.Tx) error {
		revoked, err := tx.Client("claude")
		require.NoError(t, err)
		assert.Empty(t, revoked.Scopes, "a revoked client holds nothing")
		list, err := tx.Scopes()
		assert.False(t, slices.ContainsFunc(list, func(s store.Scope) bool { return s.Name == "web" }))
		return err
	})
}
