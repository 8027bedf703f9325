package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
)

// A firstLink is the link by which the first admin is made. Only its hash is
// kept, in memory.
type firstLink struct {
	mu      sync.Mutex
	hash    [sha256.Size]byte
	expires time.Time // zero where there is none
}

// firstActor is who makes the first admin: whoever sees what the server
// printed.
var firstActor = manage.Actor{Name: "first-admin link", Transport: "console"}

func (c *Console) firstActorOf(r *http.Request) manage.Actor {
	actor := firstActor
	actor.From = c.config.From(r)
	return actor
}

// FirstAdminLink returns a link that makes the first admin and logs it in. It
// works once, until Config.LinkTTL is over or there is an admin; a link from
// before does not work any more. It is "" where there is an admin already.
func (c *Console) FirstAdminLink(ctx context.Context) (string, error) {
	has, err := c.config.Service.HasAdmin(ctx)
	if err != nil || has {
		return "", err
	}
	token := strings.ToLower(rand.Text())
	if err := c.config.Service.Note(ctx, firstActor, "create_first_admin_link", "", audit.Allowed, "there is no admin"); err != nil {
		return "", err
	}
	c.first.mu.Lock()
	defer c.first.mu.Unlock()
	c.first.hash, c.first.expires = sha256.Sum256([]byte(token)), time.Now().Add(c.config.LinkTTL)
	return c.config.PublicURL + path("first", token), nil
}

// good reports whether the token is the link's. The caller holds mu.
func (l *firstLink) good(token string) bool {
	hash := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(hash[:], l.hash[:]) == 1 && time.Now().Before(l.expires)
}

type firstView struct {
	frame
	Name field
}

func newFirstView() *firstView {
	return &firstView{
		frame: frame{Title: "The first admin"},
		Name:  field{Name: "name", Label: "Your name", Required: true, Hint: "How the audit log names you: letters, digits, '.', '_', '-' and blanks.", Complete: "username"},
	}
}

// firstPage does not use the link up: programs that look at links in messages
// would otherwise.
func (c *Console) firstPage(w http.ResponseWriter, r *http.Request) error {
	c.first.mu.Lock()
	good := c.first.good(r.PathValue("token"))
	c.first.mu.Unlock()
	if !good {
		return manage.ErrNoLink
	}
	if has, err := c.config.Service.HasAdmin(r.Context()); err != nil {
		return err
	} else if has {
		return manage.ErrNoLink
	}
	return c.show(w, r, http.StatusOK, "first", newFirstView())
}

func (c *Console) createFirst(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	c.first.mu.Lock()
	defer c.first.mu.Unlock() // two at once: the second finds it used
	if !c.first.good(r.PathValue("token")) {
		return c.config.Service.RefuseFirstAdmin(r.Context(), c.firstActorOf(r), c.counting(r))
	}
	view := newFirstView()
	view.Name.Value = strings.TrimSpace(r.PostForm.Get("name"))
	client, key, err := c.config.Service.CreateFirstAdmin(r.Context(), c.firstActorOf(r), view.Name.Value)
	if err != nil {
		return c.again(w, r, "first", view, err, &view.Name)
	}
	c.first.expires = time.Time{}
	admin := manage.Admin{Name: client.Name, ClientID: client.ID, KeyHash: client.KeyHash}
	if err := c.begin(r.Context(), admin); err != nil {
		return err
	}
	return c.showKey(w, r.WithContext(context.WithValue(r.Context(), adminKey{}, admin)), client, key, "")
}
