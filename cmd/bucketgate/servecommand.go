package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bucketgate/bitbucket"
	"bucketgate/server"
)

// A serveOptions is what serve was asked for, as text.
type serveOptions struct {
	options
	listen, adminListen string
	publicURL           string
	allowOrigins        []string
	trustedProxies      []string
	allowAPIHosts       []string
	tlsCert, tlsKey     string
	linkTTL             string
	limits              server.Limits
}

func (p program) serveCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve MCP over HTTP, to many clients with a key each",
		Long: `Serves MCP over HTTP to the clients that "bucketgate client create" made.

Agents:  /mcp        Streamable HTTP, protocol 2026-07-28 back to 2024-11-05
         /sse        the old SSE transport, with /message
Admins:  /admin/mcp  /admin/sse  /admin/message

On a loopback address both are served. On any other the admin's side is served only where
--admin-listen says so, and the listener needs TLS, or an https --public-url where a proxy has it.
/healthz and /readyz need no key; /metrics, for Prometheus, is on the admin's side and needs an
admin's.`,
		Example: `  bucketgate serve
  bucketgate serve --listen :8443 --tls-cert gate.pem --tls-key gate.key --public-url https://gate.example.com
  bucketgate serve --listen :8080 --public-url https://gate.example.com --trusted-proxy 10.0.0.0/8 --admin-listen 127.0.0.1:8081`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := o.read()
			if err != nil {
				return err
			}
			return p.serve(cmd.Context(), settings)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", defaultListen, "address for agents; port 0 takes a free one")
	flags.StringVar(&o.adminListen, "admin-listen", "", "address for admins; may be that of --listen")
	flags.StringVar(&o.publicURL, "public-url", "", "the address that clients use, such as https://gate.example.com")
	flags.StringSliceVar(&o.allowOrigins, "allow-origin", nil, "origin of a web page elsewhere that may ask, such as https://app.example.com; may be repeated")
	flags.StringVar(&o.tlsCert, "tls-cert", "", "file of the TLS certificate and its chain, PEM")
	flags.StringVar(&o.tlsKey, "tls-key", "", "file of the certificate's private key, PEM")
	flags.StringSliceVar(&o.trustedProxies, "trusted-proxy", nil, "network of proxies whose X-Forwarded-For counts, such as 10.0.0.0/8; may be repeated")
	flags.StringSliceVar(&o.allowAPIHosts, "allow-api-host", nil, "HOST[:PORT] that admins may give a provider beside api.bitbucket.org; may be repeated")
	flags.StringVar(&o.linkTTL, "link-ttl", "10m", "how long a one-time link is good")
	flags.StringVar(&o.toolPrefix, "tool-prefix", "", "put before each tool's name, for clients that mix servers")
	flags.IntVar(&o.limits.PerSecond, "client-rate", server.DefaultPerSecond, "requests that one client may make in a second")
	flags.IntVar(&o.limits.Concurrent, "client-concurrency", server.DefaultConcurrent, "requests of one client that may run at once")
	addDatabaseFlags(cmd, &o.options)
	return cmd
}

// defaultListen is where agents are served when nobody says otherwise.
const defaultListen = "127.0.0.1:8080"

// A serveSettings is what serve was asked for, understood.
type serveSettings struct {
	options
	listen, adminListen string
	publicURL           *url.URL // nil for none
	allowOrigins        []string
	trustedProxies      []netip.Prefix
	allowAPIHosts       []string // host:port
	certificates        *tls.Config
	linkTTL             time.Duration
	limits              server.Limits
}

func (o serveOptions) read() (s serveSettings, err error) {
	s = serveSettings{options: o.options, listen: o.listen, adminListen: o.adminListen, limits: o.limits}
	if !toolPrefix.MatchString(o.toolPrefix) {
		return s, fmt.Errorf("%w: --tool-prefix takes up to 32 letters, digits, '_' and '-'", errUsage)
	}
	if o.limits.PerSecond < 1 || o.limits.Concurrent < 1 {
		return s, fmt.Errorf("%w: --client-rate and --client-concurrency are at least 1", errUsage)
	}
	for _, read := range []func(*serveSettings) error{o.readPublicURL, o.readOrigins, o.readProxies, o.readAPIHosts, o.readCertificate} {
		if err := read(&s); err != nil {
			return s, err
		}
	}
	if s.linkTTL, err = parseDuration(o.linkTTL); err != nil {
		return s, fmt.Errorf("--link-ttl: %w", err)
	}
	return s, nil
}

func (o serveOptions) readPublicURL(s *serveSettings) error {
	if o.publicURL == "" {
		return nil
	}
	u, err := readOrigin(o.publicURL)
	if err != nil {
		return fmt.Errorf("%w: --public-url %w", errUsage, err)
	}
	if u.Scheme == "http" && !isLoopbackHost(u.Hostname()) {
		return fmt.Errorf("%w: --public-url must be https: keys go over it", errUsage)
	}
	s.publicURL = u
	return nil
}

func (o serveOptions) readOrigins(s *serveSettings) error {
	for _, text := range o.allowOrigins {
		u, err := readOrigin(text)
		if err != nil {
			return fmt.Errorf("%w: --allow-origin %w", errUsage, err)
		}
		s.allowOrigins = append(s.allowOrigins, u.Scheme+"://"+u.Host)
	}
	return nil
}

// readOrigin takes a scheme and a host, and nothing else. The port that the
// scheme stands for is left out, as browsers leave it out of an Origin.
func readOrigin(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Contains(u.Host, "*") ||
		u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("is an address without a path, such as https://gate.example.com")
	}
	usual := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	u.Host, u.Path = strings.TrimSuffix(strings.ToLower(u.Host), usual), ""
	return u, nil
}

func (o serveOptions) readProxies(s *serveSettings) error {
	for _, text := range o.trustedProxies {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("%w: --trusted-proxy %q is no network; write one such as 10.0.0.0/8, or 10.0.0.7/32 for one proxy", errUsage, text)
		}
		s.trustedProxies = append(s.trustedProxies, network)
	}
	return nil
}

func (o serveOptions) readAPIHosts(s *serveSettings) error {
	for _, text := range o.allowAPIHosts {
		host := bitbucket.HostPort("https://" + text)
		if u, err := url.Parse("https://" + text); err != nil || u.Host != text || u.Hostname() == "" || u.User != nil {
			return fmt.Errorf("%w: --allow-api-host %q is no HOST or HOST:PORT", errUsage, text)
		}
		s.allowAPIHosts = append(s.allowAPIHosts, strings.ToLower(host))
	}
	return nil
}

func (o serveOptions) readCertificate(s *serveSettings) error {
	switch {
	case o.tlsCert == "" && o.tlsKey == "":
		return nil
	case o.tlsCert == "" || o.tlsKey == "":
		return fmt.Errorf("%w: --tls-cert and --tls-key go together", errUsage)
	}
	certificate, err := tls.LoadX509KeyPair(o.tlsCert, o.tlsKey)
	if err != nil {
		return fmt.Errorf("reading the TLS certificate: %w", err)
	}
	s.certificates = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}
	return nil
}

func isLoopbackHost(name string) bool {
	address, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && address.IsLoopback()
}

// An opening is a listener, and which sides are served there.
type opening struct {
	net.Listener
	flag          string // that named it
	host          string // as it was named; "" for every address of the machine
	agents, admin bool
}

func (o opening) loopback() bool {
	address, ok := o.Addr().(*net.TCPAddr)
	return ok && address.IP.IsLoopback()
}

// hosts are the names, with the port, by which it may be addressed.
func (o opening) hosts() []string {
	address, ok := o.Addr().(*net.TCPAddr)
	if !ok || o.host == "" {
		return nil
	}
	return []string{net.JoinHostPort(o.host, fmt.Sprint(address.Port))}
}

// url is what clients and admins are told. A listener of this machine that is
// for admins alone is reached by its own address: that of --public-url leads to
// the agents', and the token of a one-time link would stand in the log of the
// proxy before it.
func (o opening) url(s serveSettings) string {
	ownAddress := o.admin && !o.agents && o.loopback()
	if s.publicURL != nil && !ownAddress {
		return s.publicURL.String()
	}
	scheme := "http"
	if s.certificates != nil {
		scheme = "https"
	}
	return scheme + "://" + o.Addr().String()
}

// open listens where the settings say, and refuses what would send keys over
// a network in the clear.
func (s serveSettings) open() (openings []*opening, err error) {
	defer func() {
		if err != nil {
			closeAll(openings)
		}
	}()
	agents, err := s.listenOn("--listen", s.listen)
	if err != nil {
		return nil, err
	}
	agents.agents = true
	openings = []*opening{agents}
	switch s.adminListen {
	case "":
		// The admin's side is not for the network unless somebody says so.
		agents.admin = agents.loopback()
	case s.listen:
		agents.admin = true
	default:
		admin, err := s.listenOn("--admin-listen", s.adminListen)
		if err != nil {
			return openings, err
		}
		admin.admin = true
		openings = append(openings, admin)
	}
	return openings, nil
}

func closeAll(openings []*opening) {
	for _, o := range openings {
		o.Close()
	}
}

func (s serveSettings) listenOn(flag, address string) (*opening, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %s %q is no address; write one such as 127.0.0.1:8080", errUsage, flag, address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s %s: %w; name another address, or end what listens there", flag, address, err)
	}
	o := &opening{Listener: listener, flag: flag, host: host}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		o.host = ""
	}
	if !o.loopback() && s.certificates == nil && (s.publicURL == nil || s.publicURL.Scheme != "https") {
		listener.Close()
		return nil, fmt.Errorf("%s %s is not a loopback address, and keys would go over the network in the clear: give --tls-cert and --tls-key, or the https --public-url of the proxy in front", flag, address)
	}
	if s.certificates != nil {
		o.Listener = tls.NewListener(listener, s.certificates)
	}
	return o, nil
}
