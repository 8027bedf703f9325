package bitbucket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// errPrivateAddress reports an address that is refused when it is dialled.
var errPrivateAddress = errors.New("the API's host has a private address, which is not allowed")

// newHTTPClient returns a client that follows no redirect (a renamed
// repository answers with one, and its new name may be forbidden), uses no
// proxy of the environment (it would see every request), and dials no private
// address that was not allowed.
func newHTTPClient(allow func(hostPort string) bool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return dial(ctx, network, address, allow(address))
			},
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    gateWidth,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dial judges the address that a name resolved to, at each connection: a name
// that was public when it was checked may be private when it is used.
func dial(ctx context.Context, network, address string, allowed bool) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !allowed {
		dialer.Control = func(_, resolved string, _ syscall.RawConn) error {
			ip, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return fmt.Errorf("judging the address: %w", err)
			}
			if isPrivate(ip.Addr()) {
				return errPrivateAddress
			}
			return nil
		}
	}
	return dialer.DialContext(ctx, network, address)
}

// privateRanges are those that netip has no word for: addresses that lead
// into somebody's own network, or wrap an IPv4 address that might.
var privateRanges = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarking
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),           // IPv4-compatible
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated
	netip.MustParsePrefix("fec0::/10"),       // site-local, the older unique local
	netip.MustParsePrefix("64:ff9b::/96"),    // NAT64
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("2001::/32"), // Teredo
}

func isPrivate(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return true
	}
	for _, prefix := range privateRanges {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}
