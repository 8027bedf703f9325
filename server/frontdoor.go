package server

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A door says which requests are let near the key check: those for this
// server, and those of a web page only where that page may ask.
//
// A web page in the browser of somebody who can reach the server could
// otherwise ask in that person's place; and a page whose name is made to point
// at the server (DNS rebinding) would have an Origin that is the same as its
// Host, so that the Host is held against what the server is known to be.
type door struct {
	hosts    []string
	loopback bool
	public   *url.URL
	origins  []string
	proxies  []netip.Prefix
}

func newDoor(c HTTPConfig) door {
	d := door{loopback: c.Loopback, public: c.PublicURL, proxies: c.TrustedProxies}
	for _, host := range c.Hosts {
		d.hosts = append(d.hosts, strings.ToLower(host))
	}
	for _, origin := range c.AllowOrigins {
		d.origins = append(d.origins, strings.ToLower(origin))
	}
	return d
}

// refusal says why a request is not for this server, "" when it is.
func (d door) refusal(r *http.Request) string {
	if !d.knowsHost(r) {
		return "The Host is neither this listener's nor that of --public-url."
	}
	origins := r.Header.Values("Origin")
	switch {
	case len(origins) == 0:
		return ""
	case len(origins) > 1:
		return "There is more than one Origin."
	case d.sameOrigin(r, strings.ToLower(origins[0])), d.allows(origins[0]):
		return ""
	}
	return "The Origin is another one, and not named by --allow-origin."
}

func (d door) knowsHost(r *http.Request) bool {
	host, local := strings.ToLower(r.Host), localAddress(r)
	switch {
	case host == "":
		return false
	case d.public != nil && withPort(host, d.public.Scheme) == withPort(strings.ToLower(d.public.Host), d.public.Scheme):
		return true
	case (d.loopback || local.Addr().Unmap().IsLoopback()) && isLoopbackName(hostname(host)):
		return true // whatever the port: it may be forwarded
	case slices.Contains(d.hosts, withPort(host, scheme(r))):
		return true
	}
	// A number cannot be made to point elsewhere, as a name can.
	named, err := netip.ParseAddrPort(withPort(host, scheme(r)))
	return err == nil && local.IsValid() && named.Addr().Unmap() == local.Addr().Unmap() && named.Port() == local.Port()
}

// sameOrigin reports whether the page came from this server itself.
func (d door) sameOrigin(r *http.Request, origin string) bool {
	if d.public != nil && origin == strings.ToLower(d.public.Scheme+"://"+d.public.Host) {
		return true
	}
	return origin == scheme(r)+"://"+strings.ToLower(r.Host)
}

func (d door) allows(origin string) bool { return slices.Contains(d.origins, strings.ToLower(origin)) }

// crossOrigin tells a browser that the page of an allowed origin may read the
// answer, and answers for the browser's question before the request. The key
// is not asked for there: a browser does not send it.
func (d door) crossOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin := r.Header.Get("Origin")
	if origin == "" || !d.allows(origin) {
		return false
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	header.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, Mcp-Protocol-Version, Mcp-Method, Mcp-Name")
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// address is where a request comes from. What X-Forwarded-For says counts only
// as far as trusted proxies wrote it: anybody can send the header.
func (d door) address(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	from := remote.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !d.trusts(from) {
			break
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		from = next.Unmap().WithZone("")
	}
	return from
}

func (d door) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// secure sets the headers that every answer has. Pages that need more than
// nothing say so themselves.
func secure(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

func localAddress(r *http.Request) netip.AddrPort {
	address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.AddrPort{}
	}
	local, _ := netip.ParseAddrPort(address.String())
	return local
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// withPort writes the port that a scheme stands for where there is none.
func withPort(host, scheme string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	port := "80"
	if scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

func isLoopbackName(name string) bool {
	if name == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && address.Unmap().IsLoopback()
}

// plainText answers with one line.
func plainText(w http.ResponseWriter, status int, words string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(words + "\n"))
}

// writeMessage answers with one JSON-RPC message.
func writeMessage(w http.ResponseWriter, status int, message any) {
	encoded, _ := json.Marshal(message) // our own structs always marshal
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(encoded, '\n'))
}
