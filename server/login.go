package server

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// login checks the key of a request. A key that is wrong, expired, revoked, or
// good for the other side gets one and the same answer: who guesses learns
// nothing. The audit log tells them apart.
func (h *HTTP) login(w http.ResponseWriter, r *http.Request, to route) (key string, p Principal, ok bool) {
	key, reason := bearer(r)
	if reason != "" {
		h.unauthorized(w, r, Refusal{Reason: reason})
		return "", Principal{}, false
	}
	p, err := h.config.Authenticate(r.Context(), key)
	var refused *KeyRefused
	switch {
	case errors.As(err, &refused):
		h.unauthorized(w, r, Refusal{Client: refused.Client, Role: refused.Role, Reason: refused.Reason})
		return "", Principal{}, false
	case err != nil:
		h.config.Log.Error("checking a client's key", "error", err)
		h.record(r, Refusal{Reason: "the clients cannot be read, so that nobody gets in"})
		w.Header().Set("Retry-After", "1")
		writeMessage(w, http.StatusServiceUnavailable, errorMessage(nil, codeInternal, "Keys cannot be checked at the moment. Try again in a second."))
		return "", Principal{}, false
	case p.Role != to.face.Role:
		h.unauthorized(w, r, Refusal{Client: p.Name, Role: p.Role, Reason: "the key of an " + p.Role + " does not open the side of the " + to.face.Role + "s"})
		return "", Principal{}, false
	}
	return key, p, true
}

// bearer returns the one key of a request, or why there is none that counts.
// A key in the address is refused even where there is a good one in the
// header: addresses are kept in the logs of proxies and in histories, and a
// client that puts the key there must not go on working.
func bearer(r *http.Request) (key, reason string) {
	headers := r.Header.Values("Authorization")
	leaked, public := keyInQuery(r.URL)
	switch {
	case public != "":
		return "", "the key " + public + " in the address, where proxies log it: give its client a new one"
	case leaked:
		return "", "a key in the address, where proxies log it: give the client a new one"
	case len(headers) == 0:
		return "", "no key"
	case len(headers) > 1:
		return "", "more than one Authorization header"
	}
	scheme, key, _ := strings.Cut(headers[0], " ")
	if key = strings.TrimSpace(key); !strings.EqualFold(scheme, "Bearer") || key == "" {
		return "", "an Authorization header that is not Bearer with a key"
	}
	return key, ""
}

// keyNames are what clients call a key in a query.
var keyNames = []string{"access_token", "token", "key", "api_key", "apikey", "api-key", "authorization", "bearer"}

// publicPart is what may be written down of a key: an admin finds the client by
// it.
var publicPart = regexp.MustCompile(`^(bg_[a-z2-7]{12})_`)

// keyInQuery reports whether there is a key in the address, or what could be
// one, and the public part of it where it looks like a key of ours.
func keyInQuery(address *url.URL) (leaked bool, public string) {
	query, err := url.ParseQuery(address.RawQuery)
	if err != nil {
		return true, "" // what cannot be read may hold one
	}
	for name, values := range query {
		leaked = leaked || slices.Contains(keyNames, strings.ToLower(name))
		for _, text := range append(values, name) {
			leaked = leaked || strings.HasPrefix(text, "bg_")
			if part := publicPart.FindStringSubmatch(text); part != nil {
				public = part[1]
			}
		}
	}
	return leaked, public
}

func (h *HTTP) unauthorized(w http.ResponseWriter, r *http.Request, refusal Refusal) {
	challenge := `Bearer realm="bucketgate"`
	if leaked, _ := keyInQuery(r.URL); leaked || len(r.Header.Values("Authorization")) > 0 {
		challenge += `, error="invalid_token"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	h.turnAway(w, r, http.StatusUnauthorized,
		"A client's key is needed, in the header `Authorization: Bearer bg_…` and nowhere else. It is missing, or not good for this address; an admin makes keys with `bucketgate client create` and `bucketgate client key`.", refusal)
}

// turnAway answers who has no key that counts, and writes it down. Each leaves
// its event, until there are so many from one address that they are meant to
// fill the log, or to guess; then there is one for all of a minute.
//
// A good key is let in all the same: of 2^256 keys none is guessed, however
// often one may try, and a stranger behind the same proxy must not be able to
// keep a client out.
func (h *HTTP) turnAway(w http.ResponseWriter, r *http.Request, status int, words string, refusal Refusal) {
	switch h.strangers.count(h.door.address(r)) {
	case oneOfFew:
		h.record(r, refusal)
		writeMessage(w, status, errorMessage(nil, codeInvalidRequest, words))
		return
	case firstOfMany:
		h.record(r, Refusal{Reason: "so many refused requests that those of the next minute are not written down one by one; this one: " + refusal.Reason})
	}
	w.Header().Del("WWW-Authenticate")
	w.Header().Set("Retry-After", strconv.Itoa(int(floodTold.Seconds())))
	writeMessage(w, http.StatusTooManyRequests, errorMessage(nil, codeInvalidRequest, "Too many requests of this address were refused. Wait a minute, and see to the client's key."))
}
