package server_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/server"
)

func mustNetworks(t *testing.T, texts ...string) []netip.Prefix {
	t.Helper()
	var list []netip.Prefix
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		require.NoError(t, err)
		list = append(list, network)
	}
	return list
}

func TestHostAndOrigin(t *testing.T) {
	public := func(text string) func(*server.HTTPConfig) {
		return func(c *server.HTTPConfig) {
			u, err := url.Parse(text)
			require.NoError(t, err)
			c.PublicURL = u
		}
	}
	f := newFixture(t)
	loopback := newSite(t, f)
	gate := newSite(t, f, public("https://gate.example.com"), func(c *server.HTTPConfig) {
		c.AllowOrigins = []string{"https://app.example.com"}
		c.Loopback, c.Hosts = false, []string{"inside.example.com:8080"}
	})
	own := gate.Listener.Addr().String()
	for name, row := range map[string]struct {
		site         *site
		host, origin string
		allowed      bool
	}{
		"the address":                  {loopback, "", "", true},
		"localhost":                    {loopback, "localhost:1", "", true},
		"localhost without a port":     {loopback, "localhost", "", true},
		"LOCALHOST":                    {loopback, "LocalHost:8080", "", true},
		"IPv6":                         {loopback, "[::1]:8080", "", true},
		"the rest of 127/8":            {loopback, "127.1.2.3:8080", "", true},
		"a name below localhost":       {loopback, "evil.localhost:8080", "", false},
		"a name that begins so":        {loopback, "localhost.evil.example", "", false},
		"a number that begins so":      {loopback, "127.0.0.1.evil.example", "", false},
		"every address":                {loopback, "0.0.0.0:8080", "", false},
		"rebinding":                    {loopback, "evil.example", "http://evil.example", false},
		"its own page":                 {loopback, "localhost:8080", "http://localhost:8080", true},
		"the page of another port":     {loopback, "localhost:8080", "http://localhost:3000", false},
		"the page of another scheme":   {loopback, "localhost:8080", "https://localhost:8080", false},
		"the page of another name":     {loopback, "localhost:8080", "http://127.0.0.1:8080", false},
		"public":                       {gate, "gate.example.com", "", true},
		"public with its port":         {gate, "GATE.example.com:443", "", true},
		"public with another port":     {gate, "gate.example.com:8080", "", false},
		"the listener's name":          {gate, "inside.example.com:8080", "", true},
		"its name with another port":   {gate, "inside.example.com:80", "", false},
		"the number that was dialled":  {gate, own, "", true},
		"another number":               {gate, "192.0.2.1:8080", "", false},
		"a page of the public address": {gate, "gate.example.com", "https://gate.example.com", true},
		"the same in clear":            {gate, "gate.example.com", "http://gate.example.com:80", false},
		"an allowed page":              {gate, "gate.example.com", "https://app.example.com", true},
		"another port of it":           {gate, "gate.example.com", "https://app.example.com:444", false},
		"a page below it":              {gate, "gate.example.com", "https://x.app.example.com", false},
		"an empty origin":              {gate, "gate.example.com", "-", false},
	} {
		t.Run(name, func(t *testing.T) {
			a := ask{host: row.host, header: http.Header{"Mcp-Protocol-Version": {modern}}, body: cancel(1)}
			if row.origin != "" {
				a.header.Set("Origin", row.origin)
			}
			if row.origin == "-" {
				a.header.Set("Origin", "")
			}
			got := row.site.do(t, a)
			want := http.StatusForbidden
			if row.allowed {
				want = http.StatusAccepted
			}
			assert.Equal(t, want, got.status, got.body)
		})
	}
}

// Before the key: a page of another origin learns nothing, not even whether
// the browser's user has one.
func TestHostAndOriginComeBeforeTheKey(t *testing.T) {
	s := newSite(t, newFixture(t))
	for _, key := range []string{"", "-", "bg_wrong"} {
		got := s.do(t, ask{key: key, header: http.Header{"Origin": {"https://evil.example"}}, body: ping(1)})
		assert.Equal(t, http.StatusForbidden, got.status)
		assert.Empty(t, got.header.Get("WWW-Authenticate"))
		assert.Empty(t, got.header.Get("Access-Control-Allow-Origin"))
	}
	refused := s.taken()
	require.Len(t, refused, 3)
	assert.Empty(t, refused[0].Client)
}

func TestAllowedPages(t *testing.T) {
	s := newSite(t, newFixture(t), func(c *server.HTTPConfig) { c.AllowOrigins = []string{"https://app.example.com"} })
	before := ask{method: "OPTIONS", key: "-", header: http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"POST"}}}
	got := s.do(t, before)
	assert.Equal(t, http.StatusNoContent, got.status)
	assert.Equal(t, "https://app.example.com", got.header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, got.header.Get("Access-Control-Allow-Headers"), "Authorization")
	before.header.Set("Origin", "https://evil.example")
	got = s.do(t, before)
	assert.Equal(t, http.StatusForbidden, got.status)
	got = s.do(t, ask{header: http.Header{"Origin": {"https://app.example.com"}}, body: initialize})
	assert.Equal(t, "https://app.example.com", got.header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, got.header.Get("Access-Control-Expose-Headers"), "Mcp-Session-Id")
	assert.NotEmpty(t, got.header.Get("Mcp-Session-Id"))
}

// What X-Forwarded-For says counts only as far as trusted proxies wrote it.
func TestWhereARequestComesFrom(t *testing.T) {
	f := newFixture(t)
	proxies := func(networks ...string) *site {
		return newSite(t, f, func(c *server.HTTPConfig) { c.TrustedProxies = mustNetworks(t, networks...) })
	}
	none, one, chain := proxies(), proxies("127.0.0.1/32"), proxies("127.0.0.1/32", "10.0.0.0/8")
	for name, row := range map[string]struct {
		site      *site
		forwarded []string
		from      string
	}{
		"nobody is trusted":         {none, []string{"192.0.2.1"}, "127.0.0.1"},
		"the proxy's word":          {one, []string{"192.0.2.1"}, "192.0.2.1"},
		"no word":                   {one, nil, "127.0.0.1"},
		"the client's own is first": {one, []string{"198.51.100.7, 192.0.2.1"}, "192.0.2.1"},
		"in two headers":            {one, []string{"198.51.100.7", "192.0.2.1"}, "192.0.2.1"},
		"a chain":                   {chain, []string{"198.51.100.7, 192.0.2.1, 10.1.2.3"}, "192.0.2.1"},
		"nonsense":                  {one, []string{"192.0.2.1, evil"}, "127.0.0.1"},
		"IPv6":                      {one, []string{"2001:db8::1"}, "2001:db8::1"},
	} {
		t.Run(name, func(t *testing.T) {
			row.site.taken()
			row.site.do(t, ask{key: "-", header: http.Header{"X-Forwarded-For": row.forwarded}, body: ping(1)})
			refused := row.site.taken()
			require.Len(t, refused, 1)
			assert.Equal(t, row.from, refused[0].From)
		})
	}
}
