package server

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Where there are more strangers than are told apart, the rest share what all
// may do together, and each of theirs counts once.
func TestMoreStrangersThanAreToldApart(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newStrangers()
	s.now = func() time.Time { return now }
	next := uint32(0)
	address := func() netip.Addr {
		next++
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, next)))
	}
	for range maxStrangers {
		s.of(network(address()), now).rate.AllowN(now, 1)
	}
	told := 0
	for range 2 * allStrangersBurst {
		if s.count(address()) == oneOfFew {
			told++
		}
	}
	assert.Equal(t, allStrangersBurst, told)
	assert.Len(t, s.known, maxStrangers)

	now = now.Add(2 * time.Second) // each of them is as quiet as before its one refusal
	assert.Equal(t, oneOfFew, s.count(address()))
	assert.Len(t, s.known, 1, "the quiet ones are forgotten")
}
