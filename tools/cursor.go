package tools

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"bucketgate/bitbucket"
)

// A Place is where a list goes on: which of the lists that a call walks, and
// where in it.
type Place struct {
	Walk     int
	Position bitbucket.Position

	// Commit is the whole hash of the commit that the list was read at, where
	// there is one: a branch may move between two calls. It says what to look
	// for and allows nothing.
	Commit string
}

// Cursors seals places into cursors. A cursor is opaque, needs no memory on
// our side, works on any replica that has the key, and opens only for the
// caller, the grant, the tool and the arguments it was made for.
type Cursors struct{ aead cipher.AEAD }

// NewCursors derives the key of the cursors from a secret that outlives the
// process, so that a restart does not end a list.
func NewCursors(secret []byte) (Cursors, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "bucketgate cursor 1", 32)
	if err != nil {
		return Cursors{}, fmt.Errorf("deriving the cursor key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return Cursors{}, fmt.Errorf("making the cursor cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Cursors{}, fmt.Errorf("making the cursor cipher: %w", err)
	}
	return Cursors{aead}, nil
}

func (c Cursors) seal(p Place, bound []byte) string {
	return base64.RawURLEncoding.EncodeToString(c.aead.Seal(nil, nil, encodePlace(p), bound))
}

var errCursor = errors.New("the cursor does not open")

func (c Cursors) open(cursor string, bound []byte) (Place, error) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return Place{}, errCursor
	}
	plain, err := c.aead.Open(nil, nil, sealed, bound)
	if err != nil {
		return Place{}, errCursor
	}
	return decodePlace(plain)
}

// encodePlace is short, since agents pay for cursors by the token: three
// numbers, and the commit and the query where there are any.
func encodePlace(p Place) []byte {
	walk := uint64(p.Walk) << 2
	if p.Position.Unfiltered {
		walk |= 1
	}
	commit, err := hex.DecodeString(p.Commit)
	if err == nil && len(commit) == commitBytes {
		walk |= 2
	} else {
		commit = nil
	}
	buf := binary.AppendUvarint(nil, walk)
	buf = binary.AppendUvarint(buf, uint64(p.Position.Page))
	buf = binary.AppendUvarint(buf, uint64(p.Position.Offset))
	buf = append(buf, commit...)
	return append(buf, p.Position.Query...)
}

const commitBytes = 20

func decodePlace(buf []byte) (Place, error) {
	var numbers [3]int
	for i := range numbers {
		n, size := binary.Uvarint(buf)
		if size <= 0 || n > 1<<31 {
			return Place{}, errCursor
		}
		numbers[i], buf = int(n), buf[size:]
	}
	commit := ""
	if numbers[0]&2 != 0 {
		if len(buf) < commitBytes {
			return Place{}, errCursor
		}
		commit, buf = hex.EncodeToString(buf[:commitBytes]), buf[commitBytes:]
	}
	return Place{Walk: numbers[0] >> 2, Commit: commit, Position: bitbucket.Position{
		Page: numbers[1], Offset: numbers[2], Query: string(buf), Unfiltered: numbers[0]&1 == 1,
	}}, nil
}
