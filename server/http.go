package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

// heartbeat is how often something is written to a stream on which nothing
// else is, so that no proxy takes it for dead.
const heartbeat = 15 * time.Second

// A Principal is who a key belongs to.
type Principal struct {
	Name      string
	Role      string // "agent" or "admin"
	Transport string // "http" or "sse"; this package sets it
}

// An entrance is what the context of a call knows of its request.
type entrance struct {
	principal Principal
	from      netip.Addr
}

type entranceKey struct{}

// PrincipalFrom returns who makes the call of this context, the zero one where
// it did not come over HTTP.
func PrincipalFrom(ctx context.Context) Principal {
	e, _ := ctx.Value(entranceKey{}).(entrance)
	return e.principal
}

// AddressFrom returns where the call, or the request for a page, of this
// context came from, behind the trusted proxies; "" where it did not come over
// HTTP.
func AddressFrom(ctx context.Context) string {
	e, ok := ctx.Value(entranceKey{}).(entrance)
	if !ok {
		return ""
	}
	return e.from.String()
}

// A KeyRefused is the error for a key that opens nothing. All of them read
// alike to who sent the key; the words are for the audit log.
type KeyRefused struct {
	Client string // whose key it is, where that is known
	Role   string
	Reason string // nothing of the key but its public prefix
}

func (e *KeyRefused) Error() string { return e.Reason }

// A Refusal is a request that did not get as far as a tool.
type Refusal struct {
	Client    string // "" where it is not known
	Role      string
	Transport string // "http" or "sse"
	Target    string // the path
	From      string // the address that the request came from
	Reason    string
}

// A Side is one of the two faces of the product over HTTP.
type Side struct {
	Path   string // "" or "/admin": /mcp, /sse and /message are below it
	Role   string // whose keys open it; no other does
	Server *Server

	// Pages, if any, answers what else is below Path. No key is asked for
	// there: who serves pages has a log-in of its own, and finds in the context
	// of a request who asks, see StrangerFrom.
	Pages http.Handler

	// Metrics, if any, answers /metrics to who has a key of this side.
	Metrics http.Handler
}

// HTTPConfig is what an [HTTP] needs.
type HTTPConfig struct {
	Sides []Side
	Log   *slog.Logger

	// Authenticate says whose key it is. A *KeyRefused is a key that opens
	// nothing, any other error that it cannot be told now.
	Authenticate func(ctx context.Context, key string) (Principal, error)
	// Refused writes a refusal down.
	Refused func(context.Context, Refusal) error
	// Ready says what keeps the server from working, and how many of its
	// scopes are broken.
	Ready func(context.Context) (broken int, err error)
	// SessionKey is secret, and the same on every replica.
	SessionKey []byte

	Hosts          []string       // host:port by which the listener is addressed; its own addresses count too
	Loopback       bool           // the listener is on a loopback address
	PublicURL      *url.URL       // may be nil
	AllowOrigins   []string       // of web pages elsewhere that may ask
	TrustedProxies []netip.Prefix // whose X-Forwarded-For counts

	Limits    Limits        // the defaults where it is zero
	Heartbeat time.Duration // 0 is the default
}

// An HTTP serves the sides over Streamable HTTP and the old SSE transport, on
// one listener. What is refused before it reaches a tool is answered in words
// of this package and written down.
type HTTP struct {
	config    HTTPConfig
	door      door
	routes    map[string]route
	sessions  *sessions
	clients   *clients
	strangers *strangers
	draining  chan struct{} // closed when nothing new is begun
	drainOnce sync.Once

	answerTime time.Duration // for an answer that is no stream; tests shorten it
	readying   readying
}

// A route is what a path stands for.
type route struct {
	face      *face
	transport string
	serve     map[string]func(*visit) // by method
	allow     string
}

// A face is a side that is served.
type face struct {
	Side
	protocol http.Handler // mcp-go's
	running  registry
	talks    talks
}

// NewHTTP returns a server of the sides.
func NewHTTP(config HTTPConfig) *HTTP {
	config.Limits = config.Limits.orDefaults()
	if config.Heartbeat == 0 {
		config.Heartbeat = heartbeat
	}
	h := &HTTP{
		config:    config,
		door:      newDoor(config),
		routes:    map[string]route{},
		sessions:  newSessions(config.SessionKey),
		clients:   newClients(config.Limits),
		strangers: newStrangers(),
		draining:  make(chan struct{}),

		answerTime: answerTime,
	}
	for _, side := range config.Sides {
		h.add(side)
	}
	return h
}

func (h *HTTP) add(side Side) {
	f := &face{Side: side, protocol: mcpserver.NewStreamableHTTPServer(side.Server.mcp,
		// The ids of sessions are minted and checked here, so that mcp-go has
		// none to remember; the Host is checked here too, by stricter rules.
		mcpserver.WithStateLess(true),
		mcpserver.WithDisableLocalhostProtection(true),
		mcpserver.WithStreamableHTTPLogger(h.config.Log))}
	type methods = map[string]func(*visit)
	h.routes[side.Path+"/mcp"] = route{f, "http", methods{"POST": (*visit).post, "GET": (*visit).listen, "DELETE": (*visit).endSession}, "DELETE, GET, POST"}
	h.routes[side.Path+"/sse"] = route{f, "sse", methods{"GET": (*visit).openSSE}, "GET"}
	h.routes[side.Path+"/message"] = route{f, "sse", methods{"POST": (*visit).message}, "POST"}
	if side.Metrics != nil {
		h.routes["/metrics"] = route{f, "http", methods{"GET": (*visit).metrics}, "GET"}
	}
}

func (v *visit) metrics() { v.face.Metrics.ServeHTTP(v.w, v.r) }

// ServeHTTP implements http.Handler.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.recover(r)
	// Who asks and does not read must not hold the connection for ever. Streams
	// set times of their own.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.answerTime))
	secure(w.Header())
	if reason := h.door.refusal(r); reason != "" {
		h.turnAway(w, r, http.StatusForbidden, "This address or origin is not served here. "+reason, Refusal{Reason: reason})
		return
	}
	if h.door.crossOrigin(w, r) {
		return
	}
	if route, ok := h.routes[r.URL.Path]; ok {
		h.enter(w, r, route)
		return
	}
	h.serveRest(w, r)
}

// serveRest answers what is not MCP. What OAuth clients look for below
// /.well-known is not found like anything else: some clients ignore the key
// that they were given once they find it.
func (h *HTTP) serveRest(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		plainText(w, http.StatusOK, "ok")
		return
	case "/readyz":
		h.ready(w, r)
		return
	}
	for _, side := range h.config.Sides {
		if side.Pages != nil && strings.HasPrefix(r.URL.Path, side.Path+"/") {
			side.Pages.ServeHTTP(w, h.withStranger(r))
			return
		}
	}
	plainText(w, http.StatusNotFound, "There is nothing here.")
}

// recover keeps what a panic says from everybody but the log.
func (h *HTTP) recover(r *http.Request) {
	if p := recover(); p != nil {
		if !errors.Is(asError(p), http.ErrAbortHandler) {
			h.config.Log.Error("panic", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		}
		panic(http.ErrAbortHandler)
	}
}

func asError(p any) error {
	err, _ := p.(error)
	return err
}

// A visit is one request of a client whose key was good.
type visit struct {
	http      *HTTP
	face      *face
	w         http.ResponseWriter
	r         *http.Request
	control   *http.ResponseController
	key       string
	principal Principal
	client    *client
}

// enter lets a client in whose key opens this side, and whose turn it is.
func (h *HTTP) enter(w http.ResponseWriter, r *http.Request, to route) {
	key, p, ok := h.login(w, r, to)
	if !ok {
		return
	}
	p.Transport = to.transport
	v := &visit{
		http: h, face: to.face, w: w, control: http.NewResponseController(w), key: key, principal: p, client: h.clients.of(p),
		r: r.WithContext(context.WithValue(r.Context(), entranceKey{}, entrance{p, h.door.address(r)})),
	}
	if !v.client.mayAsk() {
		v.tooMany("more requests in a second than a client may make")
		return
	}
	if name := repeatedHeader(r.Header); name != "" {
		v.refuse(http.StatusBadRequest, errorMessage(nil, codeInvalidRequest, "The header "+name+" is there more than once."), "the header "+name+" more than once")
		return
	}
	serve, ok := to.serve[r.Method]
	if !ok {
		w.Header().Set("Allow", to.allow)
		plainText(w, http.StatusMethodNotAllowed, "This method is not served here.")
		return
	}
	serve(v)
}

// onceHeaders are those that decide what is done. Of two, a proxy may judge
// the one and this server go by the other.
var onceHeaders = []string{"Content-Type", "Content-Encoding", sessionHeader, mcp.HeaderProtocolVersion, mcp.HeaderMethod, mcp.HeaderName}

func repeatedHeader(header http.Header) string {
	for _, name := range onceHeaders {
		if len(header.Values(name)) > 1 {
			return name
		}
	}
	return ""
}

// refuse answers a request that is not taken, and writes it down.
func (v *visit) refuse(status int, message any, reason string) {
	v.record(reason)
	writeMessage(v.w, status, message)
}

func (v *visit) record(reason string) {
	v.http.record(v.r, Refusal{Client: v.principal.Name, Role: v.principal.Role, Transport: v.principal.Transport, Reason: reason})
}

// atOnce is the limit that most run into.
const atOnce = "more requests at once than a client may make"

// tooMany refuses what goes beyond a limit of the client. It is written down
// once in a while: who runs into a limit does so many times over.
func (v *visit) tooMany(reason string) {
	if v.client.mayTell() {
		v.record(reason)
	}
	v.w.Header().Set("Retry-After", "1")
	writeMessage(v.w, http.StatusTooManyRequests, errorMessage(nil, codeInvalidRequest, "Too many requests: there were "+reason+". Wait a second, and then ask again."))
}

// record writes a refusal down. Where that fails the request is refused all
// the same.
func (h *HTTP) record(r *http.Request, refusal Refusal) {
	refusal.Target, refusal.From = h.place(r), h.door.address(r).String()
	if refusal.Transport == "" {
		refusal.Transport = h.transport(r)
	}
	if err := h.config.Refused(context.WithoutCancel(r.Context()), refusal); err != nil {
		h.config.Log.Error("writing the audit event of a refused request", "error", err)
	}
}

// place is the path where it is one of ours: anything else is a stranger's
// text.
func (h *HTTP) place(r *http.Request) string {
	if _, ok := h.routes[r.URL.Path]; ok {
		return r.URL.Path
	}
	return "another path"
}

func (h *HTTP) transport(r *http.Request) string {
	if route, ok := h.routes[r.URL.Path]; ok {
		return route.transport
	}
	return "http"
}
