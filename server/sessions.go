package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

const (
	// sessionLife is how long a session id is good. One that is older is
	// answered like one that never was, and the client greets anew, as the
	// protocol has it. The id opens nothing: every request needs its key.
	sessionLife = 7 * 24 * time.Hour
	// maxEnded is how many ids that clients have ended are remembered.
	maxEnded = 10_000
)

// sessions makes and checks the ids of sessions. An id is the time, 128 random
// bits and a MAC over both and over whom it was made for: another client
// cannot use it, every replica with the same key can tell, and none has to
// remember it, so that no number of greetings fills the memory.
type sessions struct {
	key []byte
	now func() time.Time

	mu    sync.Mutex
	ended map[string]bool
	order []string // of ended, the oldest first
}

func newSessions(key []byte) *sessions {
	return &sessions{key: key, now: time.Now, ended: map[string]bool{}}
}

const (
	sessionStamp = 8
	sessionBody  = sessionStamp + 16
)

var sessionEncoding = base64.RawURLEncoding

// mint returns an id for the principal. kind keeps what is made for one use
// from another.
func (s *sessions) mint(kind string, p Principal) string {
	id := binary.BigEndian.AppendUint64(nil, uint64(s.now().Unix()))
	id = append(id, make([]byte, sessionBody-sessionStamp)...)
	rand.Read(id[sessionStamp:]) // never fails: the runtime ends the process before that
	return sessionEncoding.EncodeToString(append(id, s.mac(kind, p, id)...))
}

// good reports whether the id was made for this principal, is not too old and
// has not been ended.
func (s *sessions) good(kind string, p Principal, id string) bool {
	raw, err := sessionEncoding.DecodeString(id)
	if err != nil || len(raw) != sessionBody+sha256.Size || sessionEncoding.EncodeToString(raw) != id {
		return false
	}
	// Without the binding, who learns the id of another client's session could
	// end it, cancel its calls and listen in on it.
	if !hmac.Equal(raw[sessionBody:], s.mac(kind, p, raw[:sessionBody])) {
		return false
	}
	age := s.now().Sub(time.Unix(int64(binary.BigEndian.Uint64(raw)), 0))
	if age > sessionLife {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended[id]
}

// end makes an id that is good be so no more.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended[id] {
		return
	}
	if len(s.order) == maxEnded {
		delete(s.ended, s.order[0])
		s.order = s.order[1:]
	}
	s.ended[id] = true
	s.order = append(s.order, id)
}

func (s *sessions) mac(kind string, p Principal, body []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	for _, part := range []string{kind, p.Role, p.Name} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	mac.Write(body)
	return mac.Sum(nil)
}
