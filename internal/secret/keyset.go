package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	aeadsubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

var (
	// ErrWrongMasterKey is for a master key that is not the one the keyset was
	// sealed with.
	ErrWrongMasterKey = errors.New("the master key is not the one that this database was made with; name the right file with BUCKETGATE_MASTER_KEY_FILE")

	// ErrKeysetDamaged is for a keyset that the right master key does not open.
	ErrKeysetDamaged = errors.New("the master key is the right one, but the sealed keyset was changed or is damaged; restore a backup of the database")

	// ErrUnknownKey is for a value that was sealed with a key that the keyset
	// does not have: one that was dropped, or that another process has added
	// since.
	ErrUnknownKey = errors.New("the value was sealed with a key that is not in the keyset")

	// ErrNotOpened is for a value that was changed, or that does not belong
	// where it was found.
	ErrNotOpened = errors.New("the sealed value was changed, or belongs elsewhere")
)

// A Keyset seals values, signs records and derives keys. It never changes, and
// is safe for concurrent use: [Keyset.Rotate] and [Keyset.Drop] return another.
//
// It holds three Tink keysets. The keys that seal can be replaced; those that
// sign and derive stay for ever, or what they signed could not be verified.
type Keyset struct {
	sealing, signing, deriving *keyset.Handle

	aead tink.AEAD
	mac  tink.MAC
	prf  *prf.Set
}

// NewKeyset returns a keyset of fresh random keys.
func NewKeyset() (*Keyset, error) {
	sealing, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("making a keyset: %w", err)
	}
	signing, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("making a keyset: %w", err)
	}
	deriving, err := keyset.NewHandle(prf.HKDFSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("making a keyset: %w", err)
	}
	return newKeyset(sealing, signing, deriving)
}

func newKeyset(sealing, signing, deriving *keyset.Handle) (*Keyset, error) {
	k := &Keyset{sealing: sealing, signing: signing, deriving: deriving}
	var err1, err2, err3 error
	k.aead, err1 = aead.New(sealing)
	k.mac, err2 = mac.New(signing)
	k.prf, err3 = prf.NewPRFSet(deriving)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("using the keyset: %w", err)
	}
	return k, nil
}

// sealedKeyset is a keyset as it is stored. Each part is sealed with the name
// of its job, so that none can be put in another's place.
type sealedKeyset struct {
	Check    []byte `json:"check"` // tells a wrong master key from damage
	Sealing  []byte `json:"sealing"`
	Signing  []byte `json:"signing"`
	Deriving []byte `json:"deriving"`
}

// Sealed returns the keyset sealed by the master key. Only [OpenKeyset] with
// the same master key gets it back.
func (k *Keyset) Sealed(master MasterKey) ([]byte, error) {
	cipher, check, err := master.primitives()
	if err != nil {
		return nil, err
	}
	s := sealedKeyset{Check: check}
	var err1, err2, err3 error
	s.Sealing, err1 = sealPart(k.sealing, cipher, "sealing")
	s.Signing, err2 = sealPart(k.signing, cipher, "signing")
	s.Deriving, err3 = sealPart(k.deriving, cipher, "deriving")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("sealing the keyset: %w", err)
	}
	return json.Marshal(s)
}

// OpenKeyset opens a sealed keyset, or returns [ErrWrongMasterKey] or
// [ErrKeysetDamaged].
func OpenKeyset(sealed []byte, master MasterKey) (*Keyset, error) {
	cipher, check, err := master.primitives()
	if err != nil {
		return nil, err
	}
	var s sealedKeyset
	if err := json.Unmarshal(sealed, &s); err != nil {
		return nil, ErrKeysetDamaged
	}
	if subtle.ConstantTimeCompare(s.Check, check) != 1 {
		return nil, ErrWrongMasterKey
	}
	sealing, err1 := openPart(s.Sealing, cipher, "sealing")
	signing, err2 := openPart(s.Signing, cipher, "signing")
	deriving, err3 := openPart(s.Deriving, cipher, "deriving")
	if errors.Join(err1, err2, err3) != nil {
		return nil, ErrKeysetDamaged
	}
	return newKeyset(sealing, signing, deriving)
}

// primitives returns the cipher of the master key, and a value that tells
// whether a keyset was sealed with this one. The value is derived one way from
// 256 random bits: it helps nobody to find them.
func (k MasterKey) primitives() (tink.AEAD, []byte, error) {
	if k.IsZero() {
		return nil, nil, errors.New("there is no master key")
	}
	raw := []byte(k.raw.Reveal())
	cipher, err := aeadsubtle.NewAESGCM(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("using the master key: %w", err)
	}
	check, err := hkdf.Key(sha256.New, raw, nil, "bucketgate master key check 1", 16)
	if err != nil {
		return nil, nil, fmt.Errorf("using the master key: %w", err)
	}
	return cipher, check, nil
}

func sealPart(handle *keyset.Handle, cipher tink.AEAD, job string) ([]byte, error) {
	var out bytes.Buffer
	err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), cipher, partData(job))
	return out.Bytes(), err
}

func openPart(sealed []byte, cipher tink.AEAD, job string) (*keyset.Handle, error) {
	return keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(sealed)), cipher, partData(job))
}

func partData(job string) []byte { return joined("bucketgate keyset 1", job) }

// Seal encrypts a value with the primary key, for this one place.
func (k *Keyset) Seal(plain []byte, where Binding) ([]byte, error) {
	sealed, err := k.aead.Encrypt(plain, where.associatedData())
	if err != nil {
		return nil, fmt.Errorf("sealing a value: %w", err)
	}
	return sealed, nil
}

// Open returns a value that was sealed for this place, or [ErrUnknownKey] or
// [ErrNotOpened].
func (k *Keyset) Open(sealed []byte, where Binding) ([]byte, error) {
	if id := KeyID(sealed); id != 0 && !slices.Contains(k.IDs(), id) {
		return nil, ErrUnknownKey
	}
	plain, err := k.aead.Decrypt(sealed, where.associatedData())
	if err != nil {
		return nil, ErrNotOpened // what the library says helps nobody
	}
	return plain, nil
}

// SealText is [Keyset.Seal] for a [Text].
func (k *Keyset) SealText(t Text, where Binding) ([]byte, error) {
	return k.Seal([]byte(t.Reveal()), where)
}

// OpenText is [Keyset.Open] for a [Text].
func (k *Keyset) OpenText(sealed []byte, where Binding) (Text, error) {
	plain, err := k.Open(sealed, where)
	if err != nil {
		return Text{}, err
	}
	return NewText(string(plain)), nil
}

// MAC signs data.
func (k *Keyset) MAC(data []byte) ([]byte, error) {
	sum, err := k.mac.ComputeMAC(data)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return sum, nil
}

// VerifyMAC returns nil when this keyset made the MAC of exactly these data.
func (k *Keyset) VerifyMAC(sum, data []byte) error {
	if k.mac.VerifyMAC(sum, data) != nil {
		return errors.New("the MAC does not match")
	}
	return nil
}

// Derive returns n bytes of key material for a purpose: for one keyset always
// the same, also after a rotation, and for another purpose unrelated ones.
func (k *Keyset) Derive(purpose string, n int) ([]byte, error) {
	if n <= 0 || n > 255*sha256.Size {
		return nil, fmt.Errorf("deriving a key for %s: it cannot have %d bytes", purpose, n)
	}
	key, err := k.prf.ComputePrimaryPRF(joined("bucketgate derived key 1", purpose), uint32(n))
	if err != nil {
		return nil, fmt.Errorf("deriving a key for %s: %w", purpose, err)
	}
	return key, nil
}

// Rotate returns a keyset that seals with a new key and still opens what the
// others sealed.
func (k *Keyset) Rotate() (*Keyset, error) {
	manager := keyset.NewManagerFromHandle(k.sealing)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err == nil {
		err = manager.SetPrimary(id)
	}
	if err != nil {
		return nil, fmt.Errorf("adding a key: %w", err)
	}
	return k.withSealing(manager)
}

// Drop returns a keyset without one of the sealing keys. What that key sealed
// is lost. The primary key is never dropped.
func (k *Keyset) Drop(id uint32) (*Keyset, error) {
	manager := keyset.NewManagerFromHandle(k.sealing)
	if err := manager.Delete(id); err != nil {
		return nil, fmt.Errorf("dropping key %d: %w", id, err)
	}
	return k.withSealing(manager)
}

func (k *Keyset) withSealing(manager *keyset.Manager) (*Keyset, error) {
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("changing the keyset: %w", err)
	}
	return newKeyset(handle, k.signing, k.deriving)
}

// PrimaryID names the key that seals.
func (k *Keyset) PrimaryID() uint32 { return k.sealing.KeysetInfo().GetPrimaryKeyId() }

// IDs names the keys that open, oldest first.
func (k *Keyset) IDs() []uint32 {
	var ids []uint32
	for _, info := range k.sealing.KeysetInfo().GetKeyInfo() {
		ids = append(ids, info.GetKeyId())
	}
	return ids
}

// KeyID names the key that sealed a value, and is 0 for what no key sealed.
func KeyID(sealed []byte) uint32 {
	// Tink's output prefix: a version byte and the ID of the key.
	if len(sealed) < 5 || sealed[0] != 1 {
		return 0
	}
	return binary.BigEndian.Uint32(sealed[1:5])
}
