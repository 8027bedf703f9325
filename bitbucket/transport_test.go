package bitbucket

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

func TestPrivateAddresses(t *testing.T) {
	private := map[string][]string{
		"this machine":        {"127.0.0.1", "127.255.255.254", "::1"},
		"unspecified":         {"0.0.0.0", "0.1.2.3", "::"},
		"private networks":    {"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1", "fec0::1"},
		"link-local":          {"169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1%eth0", "febf::1"},
		"carrier-grade NAT":   {"100.64.0.1", "100.127.255.255", "100.100.100.200"},
		"mapped IPv4":         {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:100.64.0.1", "::ffff:240.0.0.1"},
		"compatible IPv4":     {"::127.0.0.1", "::10.0.0.1"},
		"translated IPv4":     {"::ffff:0:10.0.0.1", "::ffff:0:7f00:1"},
		"NAT64":               {"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "64:ff9b:1:ffff::1"},
		"6to4 and Teredo":     {"2002:7f00:1::1", "2002:a00:1::", "2001:0:a00:1::", "192.88.99.1"},
		"multicast, reserved": {"224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "ff02::1", "192.0.0.8", "198.18.0.1", "198.19.255.255"},
		"no address":          {""},
	}
	for name, list := range private {
		t.Run(name, func(t *testing.T) {
			for _, text := range list {
				ip, _ := netip.ParseAddr(text)
				assert.True(t, isPrivate(ip), text)
			}
		})
	}
	for _, text := range []string{
		"104.192.136.21", "185.166.140.1", "2406:da00:ff00::22c0:3470", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "169.253.255.255", "198.17.255.255", "198.20.0.0", "2a00::1", "2001:4860::8888", "::ffff:8.8.8.8",
	} {
		assert.False(t, isPrivate(netip.MustParseAddr(text)), text)
	}
}

func TestPrivateAddressIsRefusedWhenItIsDialled(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	_, port, err := net.SplitHostPort(HostPort(upstream.URL()))
	require.NoError(t, err)
	for _, host := range []string{
		"127.0.0.1",
		"localhost", // a name is judged by what it resolves to
		"[::ffff:127.0.0.1]",
		"0.0.0.0",
	} {
		t.Run(host, func(t *testing.T) {
			s := on(t, upstream.Server)
			s.api = "http://" + host + ":" + port + "/2.0"
			s.client.config.Credential = keyFor(s.api)
			for name, client := range map[string]*Client{
				"none allowed":         New(Config{Credential: keyFor(s.api)}),
				"another port allowed": New(Config{Credential: keyFor(s.api), AllowAddress: func(a string) bool { return a == "127.0.0.1:1" || a == "localhost:1" }}),
			} {
				_, err := client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
				require.ErrorIs(t, err, ErrUnavailable, name)
				assert.Contains(t, err.Error(), "private address", name)
				assertDiscreet(t, err)
			}
		})
	}
	upstream.AssertNothingSent(t)
}

func TestAllowedAddressIsDialled(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	var asked []string
	s := on(t, upstream.Server)
	client := New(Config{Credential: keyFor(s.api), AllowAddress: func(hostPort string) bool {
		asked = append(asked, hostPort)
		return true
	}})
	_, err := client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
	require.NoError(t, err)
	assert.Equal(t, []string{HostPort(s.api)}, asked, "the address that is asked about is that of HostPort")
}

// net/http takes proxies of the environment only through Transport.Proxy, and
// reads the environment once for the whole process, so that a test cannot set
// it.
func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	c := New(Config{Credential: keyFor(DefaultAPI)})
	assert.Nil(t, c.http.Transport.(*http.Transport).Proxy)
}

func TestCertificateIsChecked(t *testing.T) {
	upstream := one(t, sample.Options{})
	server := httptest.NewUnstartedServer(upstream)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	server.StartTLS()
	defer server.Close()
	s := &site{Server: upstream, api: server.URL + "/2.0"}
	s.client = New(Config{Credential: keyFor(s.api), AllowAddress: func(string) bool { return true }})
	_, err := s.client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
	require.ErrorIs(t, err, ErrUnavailable)
	assertDiscreet(t, err)
	assert.Empty(t, s.Journal())
}

func TestUnreachableHost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &site{api: "http://" + listener.Addr().String() + "/2.0"}
	require.NoError(t, listener.Close())
	s.client = New(Config{Credential: keyFor(s.api), AllowAddress: func(string) bool { return true }})
	_, err = s.client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
	require.ErrorIs(t, err, ErrUnavailable)
	assertDiscreet(t, err)
}

func TestNewWithoutCredentialPanics(t *testing.T) {
	assert.Panics(t, func() { New(Config{}) })
}

func TestConnectionsAreKeptAlive(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	dials := 0
	s := on(t, upstream.Server)
	transport := s.client.http.Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return dial(ctx, network, address)
	}
	for range 5 {
		_, err := s.client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
		require.NoError(t, err)
	}
	assert.Equal(t, 1, dials)
}
