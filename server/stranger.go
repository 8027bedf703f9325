package server

import (
	"context"
	"net/http"
	"net/netip"
)

// A Stranger is who asks for a page of a [Side]: no key is asked for there, so
// that nothing is known but where the request comes from.
type Stranger struct {
	from  netip.Addr
	count func(netip.Addr) flood
}

type strangerKey struct{}

func (h *HTTP) withStranger(r *http.Request) *http.Request {
	s := Stranger{from: h.door.address(r), count: h.strangers.count}
	ctx := context.WithValue(r.Context(), entranceKey{}, entrance{from: s.from})
	return r.WithContext(context.WithValue(ctx, strangerKey{}, s))
}

// StrangerFrom returns who asks for the page of this request.
func StrangerFrom(ctx context.Context) Stranger {
	s, _ := ctx.Value(strangerKey{}).(Stranger)
	return s
}

// Refused counts a log-in of a page that was refused, together with the keys
// that were refused at this address elsewhere. flooding is whether there are so
// many that they are not written down one by one any more, and first whether
// this one is to be written down for those of the next minute.
func (s Stranger) Refused() (flooding, first bool) {
	if s.count == nil {
		return false, false
	}
	f := s.count(s.from)
	return f != oneOfFew, f == firstOfMany
}
