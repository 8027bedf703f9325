// Package secretpage is the page of a one-time link: a person types the key of
// one credential there, so that it does not pass through a model. What was
// typed goes in and is never shown, not even when it is refused.
//
// The page works without script. It may be served where no admin is logged in:
// the link itself, 256 random bits that are good once and for minutes, is the
// right to type one key.
package secretpage

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"bucketgate/internal/manage"
	"bucketgate/internal/secret"
)

// Path is where the handler is to be mounted. The address of a link's page is
// the origin, the path and the link's token.
const Path = "/admin/secret/"

const (
	maxBody   = 16 << 10
	keyField  = "api_key"
	stylePath = Path + "style.css"
)

// Links is what the page asks of the management service.
type Links interface {
	LookAtLink(ctx context.Context, token string) (manage.Asked, error)
	UseLink(ctx context.Context, token string, key secret.Text) (manage.Asked, error)
}

// Config is what the page needs.
type Config struct {
	Links Links
	Log   *slog.Logger

	// Origins are those that browsers see where a proxy stands before the
	// server and says another host: a public URL such as
	// https://bucketgate.example.com.
	Origins []string
}

//go:embed page.html style.css
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// A view is what the page says.
type view struct {
	Title string
	Asked *manage.Asked // nil where the link is not good
	Error string        // what is wrong with the key that was typed
	Text  string        // for a page without the form
}

type handler struct {
	links Links
	log   *slog.Logger
}

// New returns the handler of the page, for all that is below Path.
func New(c Config) (http.Handler, error) {
	h := handler{c.Links, c.Log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+stylePath, h.style)
	mux.HandleFunc("GET "+Path+"{token}", h.look)
	mux.HandleFunc("POST "+Path+"{token}", h.use)
	// A page of another site must not type a key here: the key would be one
	// that its author knows.
	protection := http.NewCrossOriginProtection()
	for _, origin := range c.Origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("the page for secrets: %w", err)
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(h.crossOrigin))
	return withHeaders(protection.Handler(mux)), nil
}

// withHeaders keeps the page and its address to the person who looks at it: no
// copy is kept, no other page may frame it, nothing from elsewhere is loaded,
// and no address that holds a token is told to others.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("Cache-Control", "no-store")
		// With no-referrer a browser would send the form without its Origin.
		header.Set("Referrer-Policy", "same-origin")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func (h handler) style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, files, "style.css")
}

// look shows the form. It uses nothing up: mail programs and chats open links
// before people do.
func (h handler) look(w http.ResponseWriter, r *http.Request) {
	asked, err := h.links.LookAtLink(r.Context(), r.PathValue("token"))
	if err != nil {
		h.refuse(w, err)
		return
	}
	h.show(w, http.StatusOK, form(asked, ""))
}

func form(asked manage.Asked, wrong string) view {
	title := "Type the API key of " + asked.Credential
	if wrong != "" {
		title = "Error: " + title
	}
	return view{Title: title, Asked: &asked, Error: wrong}
}

// use takes what was typed.
func (h handler) use(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		h.show(w, http.StatusUnsupportedMediaType, view{Title: "This is not the form", Text: "Open the link in a browser and type the key there."})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		h.unreadable(w, r, err)
		return
	}
	token := r.PathValue("token")
	asked, err := h.links.UseLink(r.Context(), token, secret.NewText(strings.TrimSpace(r.PostForm.Get(keyField))))
	var refused *manage.Refused
	switch {
	case err == nil:
		h.show(w, http.StatusOK, view{Title: "The key is stored", Text: fmt.Sprintf(
			"The API key of credential %s, provider %s, is sealed and stored. It is not shown again, and this link is used up. You can close this page and tell %s.", asked.Credential, asked.Provider, asked.By)})
	case errors.As(err, &refused) && !errors.Is(err, manage.ErrLinkOver) && asked.Credential != "":
		h.show(w, http.StatusUnprocessableEntity, form(asked, sentence(refused.Words)))
	default:
		h.refuse(w, err)
	}
}

// unreadable answers a form that cannot be read. The link is looked at, so that
// the person can try again with a shorter key.
func (h handler) unreadable(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	if !errors.As(err, &large) {
		h.show(w, http.StatusBadRequest, view{Title: "The form cannot be read", Text: "Nothing was stored. Open the link again and type the key."})
		return
	}
	asked, err := h.links.LookAtLink(r.Context(), r.PathValue("token"))
	if err != nil {
		h.refuse(w, err)
		return
	}
	h.show(w, http.StatusRequestEntityTooLarge, form(asked, "What was typed is far too long for an API key."))
}

func (h handler) crossOrigin(w http.ResponseWriter, _ *http.Request) {
	h.show(w, http.StatusForbidden, view{Title: "Refused", Text: "This form was sent by a page of another site. Nothing was stored. Open the link itself and type the key there."})
}

// refuse answers for a link that is not good: the same for every reason, and
// for a link that never was.
func (h handler) refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, manage.ErrLinkOver) {
		h.show(w, http.StatusGone, view{Title: "This link is over", Text: "A link works once and for a few minutes. It was used, it came too late, its credential was changed meanwhile, or it is mistyped. Nothing was stored now: ask for a new link."})
		return
	}
	h.log.Error("the page for secrets", "error", err)
	h.show(w, http.StatusServiceUnavailable, view{Title: "Something went wrong", Text: "Nothing was stored. Try again in a minute; if it stays so, tell an admin."})
}

// show writes a page that is complete: half of one could be a wrong one.
func (h handler) show(w http.ResponseWriter, status int, v view) {
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		h.log.Error("the page for secrets", "error", err)
		http.Error(w, "Internal error.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who has gone reads nothing
}

func sentence(words string) string {
	if words == "" {
		return words
	}
	return strings.ToUpper(words[:1]) + strings.TrimSuffix(words[1:], ".") + "."
}
