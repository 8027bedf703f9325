package bitbucket

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseAPI(t *testing.T) {
	taken := map[string]string{
		"https://api.bitbucket.org/2.0":     "https://api.bitbucket.org/2.0",
		"https://api.bitbucket.org/2.0/":    "https://api.bitbucket.org/2.0",
		"HTTPS://API.Bitbucket.org/2.0":     "https://api.bitbucket.org/2.0",
		"https://api.bitbucket.org:443/2.0": "https://api.bitbucket.org/2.0",
		"https://api.bitbucket.org:/2.0":    "https://api.bitbucket.org/2.0",
		"https://bitbucket.example:8443":    "https://bitbucket.example:8443",
		"https://bitbucket.example/":        "https://bitbucket.example",
		"https://bitbucket.example/a/B":     "https://bitbucket.example/a/B",
		"https://10.0.0.1/2.0":              "https://10.0.0.1/2.0", // refused when dialled, unless allowed
		"http://localhost:8080/2.0":         "http://localhost:8080/2.0",
		"http://127.0.0.1:80/2.0":           "http://127.0.0.1/2.0",
		"http://127.1.2.3:8080":             "http://127.1.2.3:8080",
		"http://[::1]:8080/2.0":             "http://[::1]:8080/2.0",
		"http://[::ffff:127.0.0.1]:8080":    "http://[::ffff:127.0.0.1]:8080",
	}
	for text, want := range taken {
		got, err := ParseAPI(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
	}
	refused := []string{
		"", "api.bitbucket.org", "api.bitbucket.org/2.0", "https://", "https:///2.0", "https://:443/2.0", "https:api.bitbucket.org", "/2.0", "//api.bitbucket.org/2.0",
		"http://api.bitbucket.org/2.0", "http://10.0.0.1/2.0", "http://169.254.169.254", "http://localhost.example", "http://127.0.0.1.example", "http://0.0.0.0", "http://[::]",
		"http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/",
		"ftp://localhost", "file:///etc/passwd", "gopher://localhost:6379", "javascript:alert(1)", "unix:///var/run/docker.sock",
		"https://user@api.bitbucket.org/2.0", "https://user:key@api.bitbucket.org/2.0", "https://@api.bitbucket.org/2.0", "https://x-token-auth:key@api.bitbucket.org",
		"https://api.bitbucket.org/2.0?x=1", "https://api.bitbucket.org/2.0?", "https://api.bitbucket.org/2.0#x", "https://api.bitbucket.org/2.0#",
		"https://api.bitbucket.org/2.0/../1.0", "https://api.bitbucket.org/./2.0", "https://api.bitbucket.org/..", "https://api.bitbucket.org//2.0", "https://api.bitbucket.org/2.0//",
		"https://api.bitbucket.org/%2e%2e/", "https://api.bitbucket.org/2%2F0", "https://api.bitbucket.org/2 0",
		"https://[fe80::1%25eth0]/2.0", "https://api.bitbucket.org:port/2.0", "https://a b/2.0", "https://api.bitbucket.org\r\nX: y/2.0", " https://api.bitbucket.org/2.0",
	}
	for _, text := range refused {
		got, err := ParseAPI(text)
		if assert.Error(t, err, "%q became %q", text, got) {
			assert.NotContains(t, err.Error(), "key", "an address may hold a password")
		}
	}
}

// An address has one spelling, and requests can be built on it.
func FuzzParseAPI(f *testing.F) {
	for _, text := range []string{DefaultAPI, "http://[::1]:80/2.0/", "https://a:443", "https://[fe80::1%25a]", "https://h/;x", "https://h/é", "https://ſ", "http://LOCALHOST"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		api, err := ParseAPI(text)
		if err != nil {
			return
		}
		again, err := ParseAPI(api)
		require.NoError(t, err)
		assert.Equal(t, api, again)
		req, err := http.NewRequest(http.MethodGet, api+"/user", nil)
		require.NoError(t, err)
		u, err := url.Parse(text)
		require.NoError(t, err)
		assert.Equal(t, strings.ToLower(u.Hostname()), req.URL.Hostname(), "the host is the one that was written")
		assert.True(t, strings.HasSuffix(req.URL.Path, "/user") && req.URL.RawQuery == "" && req.URL.Fragment == "" && req.URL.User == nil)
		assert.True(t, req.URL.Scheme == "https" || isLoopback(req.URL.Hostname()))
	})
}

func TestHostPort(t *testing.T) {
	for api, want := range map[string]string{
		DefaultAPI:                  "api.bitbucket.org:443",
		"http://localhost/2.0":      "localhost:80",
		"http://127.0.0.1:8080/2.0": "127.0.0.1:8080",
		"http://[::1]:8080/2.0":     "[::1]:8080",
		"https://[::1]/2.0":         "[::1]:443",
		"://":                       "",
	} {
		assert.Equal(t, want, HostPort(api), api)
	}
}
