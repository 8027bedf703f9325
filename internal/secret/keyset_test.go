package secret

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var place = Binding{Record: "r1", Column: "api_key", Version: "1", Origin: "https://api.bitbucket.org", Workspace: "acme"}

func newTestKeyset(t *testing.T) *Keyset {
	t.Helper()
	k, err := NewKeyset()
	require.NoError(t, err)
	return k
}

func seal(t *testing.T, k *Keyset, plain string) []byte {
	t.Helper()
	sealed, err := k.Seal([]byte(plain), place)
	require.NoError(t, err)
	return sealed
}

func assertOpens(t *testing.T, k *Keyset, sealed []byte, plain string) {
	t.Helper()
	opened, err := k.Open(sealed, place)
	require.NoError(t, err)
	assert.Equal(t, plain, string(opened))
}

func TestWhatIsSealedOpensInItsPlaceOnly(t *testing.T) {
	k := newTestKeyset(t)
	sealed := seal(t, k, "the key")
	assertOpens(t, k, sealed, "the key")
	assert.NotEqual(t, sealed, seal(t, k, "the key"), "two sealings do not tell that they hold the same")

	for name, other := range map[string]Binding{
		"record":    {"r2", place.Column, place.Version, place.Origin, place.Workspace},
		"column":    {place.Record, "other", place.Version, place.Origin, place.Workspace},
		"version":   {place.Record, place.Column, "2", place.Origin, place.Workspace},
		"origin":    {place.Record, place.Column, place.Version, "https://evil.example", place.Workspace},
		"workspace": {place.Record, place.Column, place.Version, place.Origin, "mallory"},
		"nothing":   {},
		// The same letters, cut elsewhere.
		"shifted": {place.Record + "a", "pi_key", place.Version, place.Origin, place.Workspace},
	} {
		_, err := k.Open(sealed, other)
		assert.ErrorIs(t, err, ErrNotOpened, name)
	}
}

func TestWhatWasChangedDoesNotOpen(t *testing.T) {
	k := newTestKeyset(t)
	sealed := seal(t, k, "the key")
	for i := range sealed {
		changed := append([]byte(nil), sealed...)
		changed[i] ^= 1
		_, err := k.Open(changed, place)
		require.Error(t, err)
	}
	for _, short := range [][]byte{nil, {}, {1}, sealed[:5], sealed[:20]} {
		_, err := k.Open(short, place)
		require.ErrorIs(t, err, ErrNotOpened)
	}
	_, err := newTestKeyset(t).Open(sealed, place)
	assert.ErrorIs(t, err, ErrUnknownKey)
}

func TestKeysetOpensWithItsMasterKeyOnly(t *testing.T) {
	k, master := newTestKeyset(t), NewMasterKey()
	sealed, err := k.Sealed(master)
	require.NoError(t, err)
	again, err := OpenKeyset(sealed, master)
	require.NoError(t, err)
	assertOpens(t, again, seal(t, k, "x"), "x")
	sum, err := k.MAC([]byte("data"))
	require.NoError(t, err)
	assert.NoError(t, again.VerifyMAC(sum, []byte("data")))
	assert.Equal(t, derive(t, k, "cursors"), derive(t, again, "cursors"))

	_, err = OpenKeyset(sealed, NewMasterKey())
	assert.ErrorIs(t, err, ErrWrongMasterKey)
	_, err = OpenKeyset(sealed, MasterKey{})
	assert.ErrorContains(t, err, "there is no master key")
	_, err = k.Sealed(MasterKey{})
	assert.ErrorContains(t, err, "there is no master key")
	_, err = OpenKeyset([]byte("rubbish"), master)
	assert.ErrorIs(t, err, ErrKeysetDamaged)
}

func TestPartsOfAKeysetCannotChangePlaces(t *testing.T) {
	master := NewMasterKey()
	sealed, err := newTestKeyset(t).Sealed(master)
	require.NoError(t, err)
	var s sealedKeyset
	require.NoError(t, json.Unmarshal(sealed, &s))
	s.Signing, s.Deriving = s.Deriving, s.Signing
	swapped, err := json.Marshal(s)
	require.NoError(t, err)
	_, err = OpenKeyset(swapped, master)
	assert.ErrorIs(t, err, ErrKeysetDamaged)
}

func TestRotation(t *testing.T) {
	first := newTestKeyset(t)
	old := seal(t, first, "old")
	second, err := first.Rotate()
	require.NoError(t, err)
	fresh := seal(t, second, "new")

	assert.NotEqual(t, first.PrimaryID(), second.PrimaryID())
	assert.Equal(t, []uint32{first.PrimaryID(), second.PrimaryID()}, second.IDs())
	assert.Equal(t, first.PrimaryID(), KeyID(old))
	assert.Equal(t, second.PrimaryID(), KeyID(fresh))
	assertOpens(t, second, old, "old")
	assertOpens(t, second, fresh, "new")
	_, err = first.Open(fresh, place)
	assert.ErrorIs(t, err, ErrUnknownKey)
	assert.Equal(t, derive(t, first, "cursors"), derive(t, second, "cursors"))
	sum, err := first.MAC([]byte("data"))
	require.NoError(t, err)
	assert.NoError(t, second.VerifyMAC(sum, []byte("data")))

	third, err := second.Drop(first.PrimaryID())
	require.NoError(t, err)
	assertOpens(t, third, fresh, "new")
	_, err = third.Open(old, place)
	assert.ErrorIs(t, err, ErrUnknownKey)
	assertOpens(t, second, old, "old") // a keyset never changes
	_, err = third.Drop(third.PrimaryID())
	assert.Error(t, err, "the primary key stays")
	assert.Zero(t, KeyID([]byte("no")))
}

func derive(t *testing.T, k *Keyset, purpose string) string {
	t.Helper()
	key, err := k.Derive(purpose, 32)
	require.NoError(t, err)
	require.Len(t, key, 32)
	return string(key)
}

func TestDerivedKeys(t *testing.T) {
	k := newTestKeyset(t)
	assert.Equal(t, derive(t, k, "cursors"), derive(t, k, "cursors"))
	assert.NotEqual(t, derive(t, k, "cursors"), derive(t, k, "sessions"))
	assert.NotEqual(t, derive(t, k, "cursors"), derive(t, newTestKeyset(t), "cursors"))
	for _, n := range []int{-1, 0, 1 << 20} {
		_, err := k.Derive("cursors", n)
		assert.Error(t, err)
	}
}

func TestMACs(t *testing.T) {
	k := newTestKeyset(t)
	sum, err := k.MAC([]byte("data"))
	require.NoError(t, err)
	assert.Error(t, k.VerifyMAC(sum, []byte("datb")))
	assert.Error(t, k.VerifyMAC(sum[1:], []byte("data")))
	assert.Error(t, newTestKeyset(t).VerifyMAC(sum, []byte("data")))
}

func TestKeysetPrintsNoKey(t *testing.T) {
	// Tink's handles print key infos only; this holds it to that.
	k := newTestKeyset(t)
	printed := fmt.Sprintf("%v %+v %#v", k, k, k)
	assert.NotContains(t, printed, derive(t, k, "x"))
	assert.NotContains(t, k.sealing.String(), "value")
}

func TestManyUseOneKeyset(t *testing.T) {
	k := newTestKeyset(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				sealed, err := k.Seal([]byte("x"), place)
				assert.NoError(t, err)
				_, err = k.Open(sealed, place)
				assert.NoError(t, err)
				_, err = k.Rotate()
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
}
