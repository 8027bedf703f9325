package bitbucket

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"bucketgate/internal/secret"
)

// DefaultAPI is the address of Bitbucket Cloud's API.
const DefaultAPI = "https://api.bitbucket.org/2.0"

// A Credential is what requests of one scope are made with.
type Credential struct {
	API      string      // the address that the key belongs to; it is sent to no other
	Username string      // Atlassian account email; with it HTTP Basic, without it Bearer
	APIKey   secret.Text // an API token, or a repository, project or workspace access token
}

// Config is what a Client needs.
type Config struct {
	// Credential returns the credential that a scope names. Required.
	Credential func(ctx context.Context, name string) (Credential, error)

	// AllowAddress reports whether a host:port may be dialled although it is a
	// private or loopback address. Nil allows none.
	AllowAddress func(hostPort string) bool

	// UserAgent names the program to Bitbucket.
	UserAgent string

	// Observe, if any, is told of every request: the status of the answer, 0
	// where there was none, and how long it took to begin.
	Observe func(status int, took time.Duration)
}

// A Client talks to Bitbucket Cloud. It is safe for concurrent use and keeps
// connections alive between calls.
type Client struct {
	config     Config
	http       *http.Client
	logs       *http.Client // for where Bitbucket keeps the logs of finished steps; it never holds a credential
	gates      gates
	flights    flights
	heads      cache[headKey, string] // whole hashes
	wholes     cache[wholeKey, string]
	bases      cache[baseKey, string] // of merges
	baseless   cache[baseKey, string] // "", where Bitbucket found none
	files      cache[fileKey, File]
	retryDelay time.Duration // before the first retry; doubles with each
}

// New returns a client. It panics without a Credential function, which is a
// mistake of the program and not of its user.
func New(config Config) *Client {
	if config.Credential == nil {
		panic("bitbucket.New: no Credential function")
	}
	if config.AllowAddress == nil {
		config.AllowAddress = func(string) bool { return false }
	}
	return &Client{
		config:     config,
		http:       newHTTPClient(config.AllowAddress),
		logs:       newHTTPClient(config.AllowAddress),
		heads:      newCache[headKey, string](maxHeads, headsFor),
		wholes:     newCache[wholeKey, string](maxHeads, basesFor),
		bases:      newCache[baseKey, string](maxBases, basesFor),
		baseless:   newCache[baseKey, string](maxBases, baselessFor),
		files:      newWeighedCache[fileKey, File](maxFiles, maxFilesWeight, filesFor, File.weight),
		retryDelay: 300 * time.Millisecond,
	}
}

// ParseAPI checks the address of an API and returns it in one spelling,
// without a trailing slash. It must be https; plain http is taken for loopback
// only, where nobody can read along.
func ParseAPI(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || strings.Contains(u.Host, "%"):
		return "", fmt.Errorf("it must be an address such as %s", DefaultAPI)
	case u.User != nil:
		return "", fmt.Errorf("it must not hold a user name or password; those go into their own settings")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return "", fmt.Errorf("it must not have a query or a fragment")
	case strings.Contains(u.EscapedPath(), "%") || strings.Contains(u.Path, "//") || hasDotSegment(u.Path):
		return "", fmt.Errorf("its path must be plain, such as /2.0")
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	case u.Scheme == "http":
		return "", fmt.Errorf("it must be https; plain http is taken for this machine only")
	default:
		return "", fmt.Errorf("it must begin with https://")
	}
	host := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(u.Host), ":"+defaultPort[u.Scheme]), ":")
	return u.Scheme + "://" + host + strings.TrimSuffix(u.Path, "/"), nil
}

var defaultPort = map[string]string{"http": "80", "https": "443"}

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// HostPort returns the host:port that requests to an API address are dialled
// at.
func HostPort(api string) string {
	u, err := url.Parse(api)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = defaultPort[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
