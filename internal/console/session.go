package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
)

// What a session holds. It never holds a key.
const (
	sessionName   = "name"
	sessionClient = "client"
	sessionHash   = "hash"
	sessionNotice = "notice"
)

// newSessions keeps sessions in memory, by the hash of their id: they end with
// the process, and nobody who reads the database finds one.
func newSessions(config Config, https bool) *scs.SessionManager {
	s := scs.New()
	s.Store = &endingStore{Store: memstore.New(), keep: config.Lifetime, ended: map[string]time.Time{}}
	s.HashTokenInStore = true
	s.IdleTimeout = config.Idle
	s.Lifetime = config.Lifetime
	s.Cookie.HttpOnly = true
	s.Cookie.SameSite = http.SameSiteStrictMode
	s.Cookie.Persist = false // it goes with the browser
	s.Cookie.Name = "bucketgate-console"
	s.Cookie.Path = "/admin/"
	if https {
		// A browser takes a __Host- cookie from this very host over https only,
		// so that no neighboring host can plant one.
		s.Cookie.Name = "__Host-bucketgate-console"
		s.Cookie.Path = "/"
		s.Cookie.Secure = true
	}
	s.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
		config.Log.Error("reading or writing a session", "error", err)
		http.Error(w, "The session could not be read. Try again.", http.StatusInternalServerError)
	}
	return s
}

// An endingStore does not take a session back that has ended. A request that
// was under way while its session ended would write it again otherwise, and
// the logged-out cookie would be good once more.
type endingStore struct {
	scs.Store
	keep time.Duration // longer than any session lives

	mu    sync.Mutex
	ended map[string]time.Time
}

// Delete ends a session for good.
func (s *endingStore) Delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for old, at := range s.ended {
		if now.Sub(at) > s.keep {
			delete(s.ended, old)
		}
	}
	s.ended[token] = now
	return s.Store.Delete(token)
}

// Commit keeps a session, unless it has ended.
func (s *endingStore) Commit(token string, data []byte, expiry time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ended := s.ended[token]; ended {
		return nil
	}
	return s.Store.Commit(token, data, expiry)
}

type adminKey struct{}

// adminOf returns who is asking; onlyAdmin has put it there.
func adminOf(r *http.Request) manage.Admin {
	admin, _ := r.Context().Value(adminKey{}).(manage.Admin)
	return admin
}

// actor is who asks, and from where, as the audit log names it.
func (c *Console) actor(r *http.Request) manage.Actor {
	return manage.Actor{Name: adminOf(r).Name, Transport: "console", From: c.config.From(r)}
}

// counting counts a log-in that was refused.
func (c *Console) counting(r *http.Request) func() manage.Tally {
	return func() manage.Tally { return c.config.Refused(r) }
}

// onlyAdmin lets nobody through who is not logged in, or whose client is no
// admin any more: revoked, expired, demoted, or with another key.
func (c *Console) onlyAdmin(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx := r.Context()
		admin := manage.Admin{
			Name: c.sessions.GetString(ctx, sessionName), ClientID: c.sessions.GetString(ctx, sessionClient),
			KeyHash: c.sessions.GetBytes(ctx, sessionHash),
		}
		if admin.ClientID == "" {
			return toLogin(w, r, "")
		}
		still, err := c.config.Service.StillAdmin(ctx, admin)
		if err != nil {
			return err
		}
		if !still {
			if err := c.sessions.Destroy(ctx); err != nil {
				return err
			}
			return toLogin(w, r, "ended")
		}
		return next(w, r.WithContext(context.WithValue(ctx, adminKey{}, admin)))
	}
}

// toLogin sends a browser to log in, and then back to a page that it wanted to
// see.
func toLogin(w http.ResponseWriter, r *http.Request, why string) error {
	query := url.Values{}
	if r.Method == http.MethodGet && r.URL.Path != "/admin/" {
		query.Set("next", r.URL.RequestURI())
	}
	if why != "" {
		query.Set("why", why)
	}
	target := "/admin/login"
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
	return nil
}

// nextPage is where to go after the login: a page of the console, or the first
// one. Anything else could lead to another site that looks like this one.
func nextPage(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.EscapedPath(), "/admin/") ||
		strings.Contains(text, `\`) || strings.Contains(text, "//") || strings.Contains(u.Path, "..") || strings.HasPrefix(u.Path, "/admin/log") {
		return "/admin/"
	}
	return u.RequestURI()
}

type loginView struct {
	frame
	Key     field
	Next    string
	NoAdmin bool
}

func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) error {
	view, err := c.newLoginView(r)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("why") == "ended" {
		view.Notice = &notice{Kind: "warn", Title: "You were logged out", Lines: []string{"Your key was revoked, replaced or has expired."}}
	}
	return c.show(w, r, http.StatusOK, "login", view)
}

func (c *Console) newLoginView(r *http.Request) (*loginView, error) {
	has, err := c.config.Service.HasAdmin(r.Context())
	return &loginView{
		frame:   frame{Title: "Log in"},
		Key:     field{Name: "key", Label: "Admin key", Kind: "password", Complete: "current-password", Hint: "The key of a client with the role admin. It begins with bg_."},
		Next:    nextPage(r.FormValue("next")),
		NoAdmin: !has,
	}, err
}

func (c *Console) login(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	view, err := c.newLoginView(r)
	if err != nil {
		return err
	}
	admin, err := c.config.Service.LogIn(r.Context(), c.actor(r), secret.NewText(strings.TrimSpace(r.PostForm.Get("key"))), c.counting(r))
	if errors.Is(err, manage.ErrNoAdmin) {
		status := http.StatusUnauthorized
		if errors.Is(err, manage.ErrTooMany) {
			w.Header().Set("Retry-After", "60")
			status = http.StatusTooManyRequests
		}
		view.wrong(err, &view.Key)
		return c.show(w, r, status, "login", view)
	}
	if err != nil {
		return err
	}
	if err := c.begin(r.Context(), admin); err != nil {
		return err
	}
	http.Redirect(w, r, view.Next, http.StatusSeeOther)
	return nil
}

// begin begins an admin's session. It has a new id, so that an id that
// somebody planted before the login is worth nothing.
func (c *Console) begin(ctx context.Context, admin manage.Admin) error {
	if err := c.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := c.sessions.RenewToken(ctx); err != nil {
		return err
	}
	c.sessions.Put(ctx, sessionName, admin.Name)
	c.sessions.Put(ctx, sessionClient, admin.ClientID)
	c.sessions.Put(ctx, sessionHash, admin.KeyHash)
	return nil
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) error {
	if err := c.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	if err := c.config.Service.LogOut(r.Context(), c.actor(r)); err != nil {
		return err
	}
	http.Redirect(w, r, "/admin/login", http.StatusSeeOther)
	return nil
}
