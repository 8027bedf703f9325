package sample

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Status answers with an error in Bitbucket's envelope.
func Status(code int, message string) Fault {
	body, _ := json.Marshal((&failure{message: message}).answer().body) // strings only: cannot fail
	return Body(code, "application/json; charset=utf-8", string(body))
}

// Text answers with plain text, as proxies and some limits do.
func Text(code int, text string) Fault { return Body(code, "text/plain; charset=utf-8", text) }

// HTML answers with a page, as a load balancer in front of Bitbucket does.
func HTML(code int, page string) Fault { return Body(code, "text/html; charset=utf-8", page) }

// Empty answers 200 and nothing.
func Empty() Fault { return Body(http.StatusOK, "application/json; charset=utf-8", "") }

// Body answers with exactly this.
func Body(code int, contentType, body string) Fault {
	return Fault{Instead: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}}
}

// RateLimited answers 429, with a Retry-After header unless that is empty.
func RateLimited(retryAfter string) Fault {
	f := Status(http.StatusTooManyRequests, "Rate limit for this resource has been exceeded")
	if retryAfter == "" {
		return f
	}
	return f.withHeader("Retry-After", retryAfter)
}

// TimedOut answers 555, as Bitbucket does when a diff or a listing is too much
// for it.
func TimedOut() Fault { return Status(statusTimedOut, timedOut) }

const (
	statusTimedOut = 555 // Bitbucket's own
	timedOut       = "The request took too long to complete."
)

// RedirectTo answers with a redirect to any place.
func RedirectTo(code int, location string) Fault {
	return Body(code, "text/plain; charset=utf-8", "").withHeader("Location", location)
}

func (f Fault) withHeader(key, value string) Fault {
	instead := f.Instead
	f.Instead = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(key, value)
		instead(w, r)
	}
	return f
}

// Hang gives no answer until the client goes away or the server is closed.
func Hang() Fault {
	return Fault{Instead: func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		abort()
	}}
}

// ShortBody announces the real answer's length and sends half of it.
func ShortBody() Fault {
	return Fault{Send: func(w http.ResponseWriter, _ *http.Request, body []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)/2])
	}}
}

// CutJSON sends half of the real answer's body as if that were all.
func CutJSON() Fault {
	return Fault{Send: func(w http.ResponseWriter, _ *http.Request, body []byte) {
		_, _ = w.Write(body[:len(body)/2])
	}}
}

// Drip sends the real answer a few bytes at a time, with a pause before each.
func Drip(size int, pauses time.Duration) Fault {
	return Fault{Send: func(w http.ResponseWriter, r *http.Request, body []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		for len(body) > 0 {
			if !pause(r.Context(), pauses) {
				abort()
			}
			n := min(max(size, 1), len(body))
			if _, err := w.Write(body[:n]); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			body = body[n:]
		}
	}}
}

// Edited changes the JSON of the real answer, for example a name in it.
func Edited(edit func(body map[string]any)) Fault {
	return Fault{Edit: func(_ *http.Request, body map[string]any) { edit(body) }}
}

// NextURL gives every answer this next link.
func NextURL(next string) Fault {
	return Edited(func(body map[string]any) { body["next"] = next })
}

// NextHost gives every answer a next link that differs from the right one in
// scheme and host, given as https://evil.example.
func NextHost(origin string) Fault {
	return next(func(r *http.Request) string { return origin + r.URL.EscapedPath() + "?" + secondPage(r) })
}

// NextPath gives every answer a next link to another path below /2.0 on this
// server.
func NextPath(path string) Fault {
	return next(func(r *http.Request) string { return origin(r) + apiPath + path + "?" + secondPage(r) })
}

// NextLoop gives every answer itself as the next page.
func NextLoop() Fault {
	return next(func(r *http.Request) string { return origin(r) + r.URL.RequestURI() })
}

func next(link func(*http.Request) string) Fault {
	return Fault{Edit: func(r *http.Request, body map[string]any) { body["next"] = link(r) }}
}

func secondPage(r *http.Request) string {
	query := r.URL.Query()
	query.Set("page", "2")
	return url.Values(query).Encode()
}
