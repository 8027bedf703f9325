package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// linkTokenBytes makes a token of 256 random bits: nobody guesses one.
const linkTokenBytes = 32

// NewLinkToken returns the token of a fresh one-time link, which needs no
// escaping in an address, and the hash that is stored in its place: who reads
// the database, or a backup of it, has no link.
func NewLinkToken() (token Text, hash []byte) {
	random := make([]byte, linkTokenBytes)
	rand.Read(random) // never fails: the runtime ends the process before that
	text := base64.RawURLEncoding.EncodeToString(random)
	return NewText(text), hashLinkToken(text)
}

// HashLinkToken returns the hash of a token that somebody came with, and false
// for what cannot be a token. The hash is what is looked up, so that the time
// of the search tells nothing about a token.
func HashLinkToken(token string) (hash []byte, ok bool) {
	random, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(random) != linkTokenBytes {
		return nil, false
	}
	return hashLinkToken(token), true
}

// hashLinkToken is plain SHA-256, for the reason of hashClientKey.
func hashLinkToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
