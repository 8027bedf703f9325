package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// A client key reads bg_PREFIX_SECRETSUM:
//
//   - bg_ and 12 characters are its prefix, which is public: it finds the
//     client, and an admin tells keys apart by it
//   - 52 characters are 256 random bits
//   - 7 characters are a CRC-32 of all before it, so that a secret scanner can
//     tell a key from other text, and a mistyped key is refused unasked
//
// The alphabet is a-z and 2-7: it needs no escaping anywhere, and a double
// click selects all of it. A scanner looks for bg_[a-z2-7]{12}_[a-z2-7]{59}.
const (
	clientKeyMark   = "bg_"
	clientKeyPublic = 12
	clientKeySecret = 52
	clientKeySum    = 7
	clientKeyPrefix = len(clientKeyMark) + clientKeyPublic
	clientKeyLength = clientKeyPrefix + 1 + clientKeySecret + clientKeySum
)

var clientKeyEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewClientKey returns a fresh key, the public prefix by which its client is
// found, and the hash that is stored in place of the key.
func NewClientKey() (key Text, prefix string, hash []byte) {
	random := make([]byte, 32)
	rand.Read(random) // never fails: the runtime ends the process before that
	prefix = clientKeyMark + strings.ToLower(rand.Text()[:clientKeyPublic])
	text := prefix + "_" + clientKeyEncoding.EncodeToString(random)
	text += clientKeyChecksum(text)
	return NewText(text), prefix, hashClientKey(text)
}

// HashClientKey returns the prefix and the hash of a key that a caller sent,
// and false for what cannot be a key.
func HashClientKey(key string) (prefix string, hash []byte, ok bool) {
	if len(key) != clientKeyLength || !strings.HasPrefix(key, clientKeyMark) || key[clientKeyPrefix] != '_' {
		return "", nil, false
	}
	body, sum := key[:clientKeyLength-clientKeySum], key[clientKeyLength-clientKeySum:]
	if clientKeyChecksum(body) != sum {
		return "", nil, false
	}
	return key[:clientKeyPrefix], hashClientKey(key), true
}

// SameHash compares a stored hash with the hash of a key that a caller sent,
// in a time that tells nothing about how much of them is equal. Two empty
// hashes are not the same: a client without a key has no key that fits.
func SameHash(stored, sent []byte) bool {
	return len(stored) == sha256.Size && subtle.ConstantTimeCompare(stored, sent) == 1
}

// hashClientKey is plain SHA-256. A slow hash such as Argon2 makes it dear to
// try the few passwords that people think of; here all 2^256 keys are equally
// likely and cannot be tried, and a slow hash would only let a caller with bad
// keys keep the server busy.
func hashClientKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

func clientKeyChecksum(text string) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
	return clientKeyEncoding.EncodeToString(sum)
}
