package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMistakesInServe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	missing := filepath.Join(t.TempDir(), "missing")
	for name, row := range map[string]struct {
		args  []string
		code  int
		words string
	}{
		"keys in the clear":          {[]string{"--listen", "0.0.0.0:0"}, exitFailed, "keys would go over the network in the clear: give --tls-cert and --tls-key, or the https --public-url"},
		"every address":              {[]string{"--listen", ":0"}, exitFailed, "in the clear"},
		"admins' in the clear":       {[]string{"--admin-listen", ":0"}, exitFailed, "--admin-listen :0 is not a loopback address"},
		"a public URL in the clear":  {[]string{"--public-url", "http://gate.example.com"}, exitUsage, "must be https"},
		"a public URL with a path":   {[]string{"--public-url", "https://gate.example.com/x"}, exitUsage, "an address without a path"},
		"a public URL with a user":   {[]string{"--public-url", "https://u:p@gate.example.com"}, exitUsage, "an address without a path"},
		"an origin that is any":      {[]string{"--allow-origin", "*"}, exitUsage, "--allow-origin is an address"},
		"an origin of many":          {[]string{"--allow-origin", "https://*.example.com"}, exitUsage, "--allow-origin is an address"},
		"a proxy that is none":       {[]string{"--trusted-proxy", "10.0.0.7"}, exitUsage, "10.0.0.7/32 for one proxy"},
		"an API host with a scheme":  {[]string{"--allow-api-host", "https://x"}, exitUsage, "no HOST or HOST:PORT"},
		"half a certificate":         {[]string{"--tls-cert", "x"}, exitUsage, "go together"},
		"a certificate that is none": {[]string{"--tls-cert", missing, "--tls-key", missing}, exitFailed, "reading the TLS certificate"},
		"an address that is none":    {[]string{"--listen", "8080"}, exitUsage, "127.0.0.1:8080"},
		"an address that is taken":   {[]string{"--listen", taken.Addr().String()}, exitFailed, "name another address, or end what listens there"},
		"a link for ever":            {[]string{"--link-ttl", "0"}, exitUsage, "--link-ttl"},
		"no requests":                {[]string{"--client-rate", "0"}, exitUsage, "at least 1"},
		"a bad prefix":               {[]string{"--tool-prefix", "a b"}, exitUsage, "--tool-prefix"},
		"arguments":                  {[]string{"x"}, exitUsage, "serve"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"serve"}, row.args...)
			if !strings.Contains(strings.Join(args, " "), "--listen") || strings.Contains(name, "admins") {
				args = append(args, "--listen", "127.0.0.1:0")
			}
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second) // should it not refuse
			defer stop()
			got := runUntil(ctx, newHome(t), "", args...)
			assert.Equal(t, row.code, got.code, got.stderr)
			assert.Contains(t, got.stderr, row.words)
			assert.Empty(t, got.stdout)
		})
	}
	got := run(t, newHome(t).with("BUCKETGATE_LISTEN", "0.0.0.0:0"), "", "serve")
	assert.Contains(t, got.stderr, "in the clear", "each flag has its variable")
}

// An origin is written as browsers write it, or none of theirs would be it.
func TestOriginsAreAsBrowsersWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"https://Gate.example.com:443": "https://gate.example.com",
		"http://localhost:80/":         "http://localhost",
		"https://[2001:db8::1]:443":    "https://[2001:db8::1]",
		"https://gate.example.com:80":  "https://gate.example.com:80",
		"http://localhost:443":         "http://localhost:443",
		"https://gate.example.com":     "https://gate.example.com",
	} {
		u, err := readOrigin(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, u.String())
	}
}

// Which sides are served where.
func TestSidesOfListeners(t *testing.T) {
	type sides struct{ agents, admin bool }
	for name, row := range map[string]struct {
		listen, adminListen string
		want                []sides
	}{
		"loopback serves both":             {"127.0.0.1:0", "", []sides{{true, true}}},
		"IPv6 loopback too":                {"[::1]:0", "", []sides{{true, true}}},
		"localhost too":                    {"localhost:0", "", []sides{{true, true}}},
		"the network serves agents":        {"0.0.0.0:0", "", []sides{{true, false}}},
		"and admins where they are named":  {"0.0.0.0:0", "0.0.0.0:0", []sides{{true, true}}},
		"which may be elsewhere":           {"0.0.0.0:0", "127.0.0.1:0", []sides{{true, false}, {false, true}}},
		"elsewhere means not here as well": {"127.0.0.1:0", "127.0.0.2:0", []sides{{true, false}, {false, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := serveOptions{listen: row.listen, adminListen: row.adminListen, publicURL: "https://gate.example.com", linkTTL: "1m", limits: someLimits}.read()
			require.NoError(t, err)
			openings, err := s.open()
			if err != nil && strings.Contains(row.listen, "::1") {
				t.Skip("this machine has no IPv6")
			}
			require.NoError(t, err)
			defer closeAll(openings)
			var got []sides
			for _, o := range openings {
				got = append(got, sides{o.agents, o.admin})
			}
			assert.Equal(t, row.want, got)
		})
	}
}

// What admins and agents are told. A link of an admin's listener never leads
// over the proxy in front of the agents'.
func TestAddressesThatAreTold(t *testing.T) {
	const public = "https://gate.example.com"
	for name, row := range map[string]struct {
		listen, adminListen, public string
		want                        []string // "" is the listener's own
	}{
		"one listener":                       {"127.0.0.1:0", "", public, []string{public}},
		"one for both on the network":        {"0.0.0.0:0", "0.0.0.0:0", public, []string{public}},
		"admins on this machine":             {"0.0.0.0:0", "127.0.0.1:0", public, []string{public, ""}},
		"admins on another of its addresses": {"127.0.0.1:0", "127.0.0.2:0", public, []string{public, ""}},
		"admins on the network too":          {"127.0.0.1:0", "0.0.0.0:0", public, []string{public, public}},
		"no public address":                  {"127.0.0.1:0", "127.0.0.2:0", "", []string{"", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := serveOptions{listen: row.listen, adminListen: row.adminListen, publicURL: row.public, linkTTL: "1m", limits: someLimits}.read()
			require.NoError(t, err)
			openings, err := s.open()
			require.NoError(t, err)
			defer closeAll(openings)
			require.Len(t, openings, len(row.want))
			for i, want := range row.want {
				if want == "" {
					want = "http://" + openings[i].Addr().String()
				}
				assert.Equal(t, want, openings[i].url(s))
			}
		})
	}
}

// certificate writes a certificate for 127.0.0.1 and returns its files and who
// trusts it.
func certificate(t *testing.T) (certFile, keyFile string, trust *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(certFile, certPEM, 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	trust = x509.NewCertPool()
	require.True(t, trust.AppendCertsFromPEM(certPEM))
	return certFile, keyFile, trust
}

func TestServeOverTLS(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	certFile, keyFile, trust := certificate(t)
	g := startGate(t, env, "--tls-cert", certFile, "--tls-key", keyFile)
	require.True(t, strings.HasPrefix(g.url, "https://127.0.0.1:"), g.url)
	key := newKey(t, env, "bot", "--scope", "team")
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}, ForceAttemptHTTP2: http2}
		c := rawClient{&http.Client{Transport: transport}, g.url + "/mcp", key}
		status, body, err := c.call("get_repo", arguments{"repository": "api"})
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, body, "acme/api")
		transport.CloseIdleConnections()
	}
}

func TestHealth(t *testing.T) {
	s, env := newBitbucket(t), newHome(t)
	guide(t, env, s)
	g := startGate(t, env)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": `{"status":"ready","broken_scopes":0}` + "\n"} {
		response, err := http.Get(g.url + path)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.Equal(t, want, string(body))
	}
}

// A wiretap keeps everything that answers hold: bodies and headers.
type wiretap struct {
	mu   sync.Mutex
	text strings.Builder
}

// RoundTrip implements http.RoundTripper.
func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	fmt.Fprintf(&w.text, "%s %v\n%s\n", response.Status, response.Header, body)
	w.mu.Unlock()
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	return response, nil
}

// Neither Bitbucket's key nor a client's is in an answer, a log line or the
// audit log, whatever Bitbucket and the client send.
func TestTheKeysAreFoundNowhereOverHTTP(t *testing.T) {
	s, _ := canaryEnvironment(t)
	env := newHome(t).with("KEY", canaryKey)
	must(t, env, "provider", "create", "acme", "--workspace", "acme", "--api-url", s.URL())
	must(t, env, "credential", "create", "reader", "--provider", "acme", "--username", canaryUser, "--api-key-env", "KEY")
	must(t, env, "scope", "create", "team", "--provider", "acme", "--credential", "reader", "--repositories", "api.*")
	g := startGate(t, env)
	key := newKey(t, env, "bot", "--scope", "team")
	revoked := newKey(t, env, "gone")
	must(t, env, "client", "delete", "gone")
	tap := &wiretap{}
	everything := func() {
		for _, k := range []string{key, revoked, key[:len(key)-1]} {
			c := rawClient{&http.Client{Transport: tap}, g.url + "/mcp", k}
			for _, in := range []struct {
				tool string
				in   arguments
			}{{"my_access", nil}, {"get_repo", arguments{"repository": "api"}}, {"get_repo", arguments{"repository": "hidden"}}, {"list_repos", arguments{"detail": "full"}}, {"list_branches", arguments{"repository": "api"}}, {"nothing", nil}} {
				_, _, err := c.call(in.tool, in.in)
				require.NoError(t, err)
			}
			for _, path := range []string{"/mcp", "/sse?key=" + k, "/message", "/" + k, "/admin/mcp", "/healthz", "/readyz"} {
				r, err := http.NewRequestWithContext(t.Context(), "POST", g.url+path, strings.NewReader(`{"jsonrpc":"2.0","id":1,"`+k+`":1,"`+k+`":1,"method":"x"}`))
				require.NoError(t, err)
				r.Header.Set("Authorization", "Bearer "+k)
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Mcp-Session-Id", k)
				r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
				_, err = tap.RoundTrip(r)
				require.NoError(t, err)
			}
		}
	}
	everything()
	for _, status := range []int{200, 301, 401, 403, 500} {
		s.Fail(echo(status, "application/json", `{"error":{"message":"AUTH KEY USER"},"values":[{"full_name":"AUTH KEY"}]}`))
		everything()
	}
	log := g.stop().stderr
	said := must(t, env, "audit", "export")
	assert.NotEmpty(t, said)
	for where, text := range map[string]string{"the answers": tap.text.String(), "the log": log, "the audit log": said} {
		assertNoTrace(t, where, text)
		for _, k := range []string{key, revoked} {
			// After bg_ and the public twelve nothing may be seen.
			assert.NotContains(t, text, k[16:40], where)
		}
	}
}
