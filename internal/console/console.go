// Package console is the admin's web pages at /admin/: providers, credentials,
// scopes, clients, a page to try a scope, and the audit log.
//
// It holds no rule about what may be written down: those are in package
// manage, and its words are shown at the field that they are about. Rules of
// its own are about browsers:
//
//   - Nothing changes by a GET. A POST from another site is refused, and so is
//     being framed; no page runs or loads anything that is not ours.
//   - A session begins with an admin's key and ends with the right that began
//     it: each request asks whether the client is still an admin.
//   - No page holds a secret but the one that shows a client's new key, once.
//
// All pages work without script; with it the scope form shows what it matches
// while one types.
package console

import (
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
)

// Config is what a Console needs. Service and PublicURL are required.
type Config struct {
	Service *manage.Service

	// Try runs one call of a tool as an agent with this one scope would make
	// it, and returns the answer as the agent gets it; a refusal of the tool is
	// an answer too, {"error": …}. The call leaves its audit event, whose caller
	// is admin: the page finds in it why something was refused. Nil leaves the
	// page out.
	Try func(ctx context.Context, admin, scope, tool string, arguments json.RawMessage) (json.RawMessage, error)

	// PublicURL is where browsers and agents reach the server, such as
	// https://bucketgate.example. https makes the cookie one for https only.
	PublicURL string

	// AgentURL is where agents reach it, for the snippets that are shown with a
	// key. Empty is PublicURL: it is another one where admins have a listener of
	// their own.
	AgentURL string

	// From says where a request comes from, for the audit log. Nil is the other
	// end of the connection, which may be a proxy.
	From func(*http.Request) string

	// Refused counts a log-in that was refused, and says how it is written
	// down. Nil counts nothing: then each leaves its event.
	Refused func(*http.Request) manage.Tally

	// AuditHeads reads the ends of the audit log that are kept elsewhere. Nil
	// where there is no head file: then a cut end cannot be found.
	AuditHeads func() (audit.Heads, error)

	// Log gets what goes wrong here, without anything that was typed.
	Log *slog.Logger

	// Idle ends a session that is not used, Lifetime every session, and LinkTTL
	// the link for the first admin. Zero is 30 minutes, 12 hours and 10 minutes.
	Idle, Lifetime, LinkTTL time.Duration
}

// A Console answers everything below /admin/ that is a page. It is safe for
// concurrent use.
type Console struct {
	config   Config
	sessions *scs.SessionManager
	drafts   *manage.Drafts
	pages    pages
	chain    chainCheck
	first    firstLink
	handler  http.Handler
}

//go:embed static
var static embed.FS

// New returns a console.
func New(config Config) (*Console, error) {
	public, err := url.Parse(config.PublicURL)
	switch {
	case config.Service == nil:
		return nil, errors.New("a console needs the management service")
	case err != nil || public.Host == "" || public.Scheme != "https" && public.Scheme != "http":
		return nil, fmt.Errorf("a console needs the public address of the server, and %q is none", config.PublicURL)
	}
	config.PublicURL = public.Scheme + "://" + public.Host
	config.AgentURL = strings.TrimSuffix(cmp.Or(config.AgentURL, config.PublicURL), "/")
	if config.From == nil {
		config.From = func(r *http.Request) string { host, _, _ := net.SplitHostPort(r.RemoteAddr); return host }
	}
	if config.Refused == nil {
		config.Refused = func(*http.Request) manage.Tally { return manage.OneOfFew }
	}
	config.Idle = cmp.Or(config.Idle, 30*time.Minute)
	config.Lifetime = cmp.Or(config.Lifetime, 12*time.Hour)
	config.LinkTTL = cmp.Or(config.LinkTTL, 10*time.Minute)
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	c := &Console{config: config, drafts: manage.NewDrafts(config.Service)}
	c.sessions = newSessions(config, public.Scheme == "https")
	if c.pages, err = loadPages(); err != nil {
		return nil, err
	}
	if c.handler, err = c.routes(); err != nil {
		return nil, err
	}
	return c, nil
}

// ServeHTTP answers a request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// routes says which page is where. Names of records begin with a letter or a
// digit, so that the fixed words below stand where no name can.
func (c *Console) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	open := func(pattern string, h handler) { mux.Handle(pattern, c.answer(h)) }
	admin := func(pattern string, h handler) { mux.Handle(pattern, c.answer(c.onlyAdmin(h))) }

	open("GET /admin/login", c.loginPage)
	open("POST /admin/login", c.login)
	open("GET /admin/first/{token}", c.firstPage)
	open("POST /admin/first/{token}", c.createFirst)
	admin("POST /admin/logout", c.logout)

	admin("GET /admin/{$}", c.home)
	admin("GET /admin/providers", c.providers)
	admin("GET /admin/new-provider", c.newProvider)
	admin("POST /admin/new-provider", c.createProvider)
	admin("GET /admin/providers/{provider}", c.provider)
	admin("GET /admin/providers/{provider}/scopes", c.providerScopes)
	admin("GET /admin/providers/{provider}/edit", c.editProvider)
	admin("POST /admin/providers/{provider}/edit", c.updateProvider)
	admin("GET /admin/providers/{provider}/delete", c.askDeleteProvider)
	admin("POST /admin/providers/{provider}/delete", c.deleteProvider)
	admin("GET /admin/providers/{provider}/new-credential", c.newCredential)
	admin("POST /admin/providers/{provider}/new-credential", c.createCredential)
	admin("GET /admin/providers/{provider}/credentials/{credential}", c.editCredential)
	admin("POST /admin/providers/{provider}/credentials/{credential}", c.updateCredential)
	admin("POST /admin/providers/{provider}/credentials/{credential}/test", c.testCredential)
	admin("GET /admin/providers/{provider}/credentials/{credential}/delete", c.askDeleteCredential)
	admin("POST /admin/providers/{provider}/credentials/{credential}/delete", c.deleteCredential)
	admin("GET /admin/providers/{provider}/new-scope", c.newScope)
	admin("POST /admin/providers/{provider}/new-scope", c.createScope)
	admin("POST /admin/providers/{provider}/preview", c.previewDraft)
	admin("GET /admin/scopes/{scope}", c.editScope)
	admin("POST /admin/scopes/{scope}", c.updateScope)
	admin("GET /admin/scopes/{scope}/delete", c.askDeleteScope)
	admin("POST /admin/scopes/{scope}/delete", c.deleteScope)

	admin("GET /admin/clients", c.clients)
	admin("GET /admin/new-client", c.newClient)
	admin("POST /admin/new-client", c.createClient)
	admin("GET /admin/clients/{client}", c.editClient)
	admin("POST /admin/clients/{client}", c.updateClient)
	admin("GET /admin/clients/{client}/key", c.askNewKey)
	admin("POST /admin/clients/{client}/key", c.newKey)
	admin("GET /admin/clients/{client}/revoke", c.askRevoke)
	admin("POST /admin/clients/{client}/revoke", c.revoke)

	if c.config.Try != nil {
		admin("GET /admin/try", c.tryPage)
		admin("POST /admin/try", c.try)
	}
	admin("GET /admin/audit", c.audit)
	admin("GET /admin/audit/export", c.exportAudit)
	admin("POST /admin/audit/verify", c.verifyAudit)
	admin("/admin/", func(http.ResponseWriter, *http.Request) error { return errNoPage })

	files, err := c.staticFiles()
	if err != nil {
		return nil, err
	}
	outer := http.NewServeMux()
	outer.Handle("GET /admin/static/", files)
	outer.Handle("/", c.sessions.LoadAndSave(mux))
	cross, err := c.sameOrigin()
	if err != nil {
		return nil, err
	}
	return securely(cross.Handler(bounded(outer))), nil
}

// sameOrigin refuses a POST that a page of another site made: it would be sent
// with the admin's cookie.
func (c *Console) sameOrigin() (*http.CrossOriginProtection, error) {
	cross := http.NewCrossOriginProtection()
	// Behind a proxy the Host header may not be what the browser sees.
	if err := cross.AddTrustedOrigin(c.config.PublicURL); err != nil {
		return nil, fmt.Errorf("trusting the public address: %w", err)
	}
	cross.SetDenyHandler(c.answer(func(http.ResponseWriter, *http.Request) error { return errCrossOrigin }))
	return cross, nil
}

// maxForm is the most that a form may be: 32 fields of 4 KB and lists of
// patterns fit.
const maxForm = 1 << 20

func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// contentPolicy lets a page have our own files and nothing else. Pico draws
// the marks of its controls with data: images.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// securely sets the headers of every answer, also of those that are no page.
func securely(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // no-referrer would take the Origin from forms too, by which other sites are told apart
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// staticDigest names the static files by what is in them, so that browsers may
// keep them for good. It is computed when it is first needed: every command has
// the console in it, and few serve it.
var staticDigest = sync.OnceValue(func() string { return digestOf(static) })

func digestOf(files fs.FS) string {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		panic(err) // the files are in the program
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

func staticPath(name string) string { return "/admin/static/" + staticDigest() + "/" + name }

func (c *Console) staticFiles() (http.Handler, error) {
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("reading the static files: %w", err)
	}
	prefix := staticPath("")
	server := http.StripPrefix(prefix, http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, prefix) || strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		server.ServeHTTP(w, r)
	}), nil
}

// path is the address of a page: the parts are escaped, as names hold blanks.
func path(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, part := range parts {
		escaped[i] = url.PathEscape(part)
	}
	return "/admin/" + strings.Join(escaped, "/")
}
