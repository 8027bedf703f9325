package sample

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// logStore keeps the logs of steps that are done, on a host of its own. As the
// real one it wants the signature that the redirect gave, and no credential.
type logStore struct {
	journal journal
	faults  faults

	mu      sync.Mutex
	base    string // where it is reached; empty before it listens
	server  *http.Server
	closed  bool
	objects map[string]Step // by path
}

// LogStore is the handler behind LogStoreURL, for a test that wants it to be
// served in another way, such as over TLS: see SetLogStoreURL.
func (s *Server) LogStore() http.Handler { return &s.logs }

// SetLogStoreURL says where LogStore is served, without a slash at the end. It
// holds for redirects from then on.
func (s *Server) SetLogStoreURL(base string) {
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	s.logs.base = base
}

// LogStoreURL is where the logs of finished steps are. Unless SetLogStoreURL
// was called the first call, or the first redirect, opens a listener on
// 127.0.0.1, which Close closes.
func (s *Server) LogStoreURL() (string, error) {
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	return s.logs.url()
}

// LogJournal returns what the log store was asked, as Journal does. Each
// request must have an empty Scheme: one that has not brought a credential to a
// host that it is none of the business of.
func (s *Server) LogJournal() []Request { return s.logs.journal.list() }

// FailLogs is Fail for the log store, where Fault.Path is the whole path. Its
// answers are no JSON, so that Edit does nothing.
func (s *Server) FailLogs(list ...Fault) { s.logs.faults.add(list) }

// url starts the listener if there is none. The caller holds mu.
func (l *logStore) url() (string, error) {
	if l.base != "" {
		return l.base, nil
	}
	if l.closed {
		return "", errors.New("the log store is closed")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("starting the log store: %w", err)
	}
	l.server = &http.Server{Handler: l, ReadHeaderTimeout: 10 * time.Second}
	go func(server *http.Server) { _ = server.Serve(listener) }(l.server) // always ends with an error
	l.base = "http://" + listener.Addr().String()
	return l.base, nil
}

// address puts the log of a step into the store and says how to get at it.
func (l *logStore) address(t Step) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	base, err := l.url()
	if err != nil {
		return "", err
	}
	path := "/bitbucket-pipelines-logs/" + strings.Trim(t.UUID, "{}") + "/build.log"
	if l.objects == nil {
		l.objects = map[string]Step{}
	}
	l.objects[path] = t
	return base + path + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=600&X-Amz-Signature=" + signature(path), nil
}

// signature is what only somebody who was sent there knows. It opens nothing
// but sample data.
func signature(path string) string {
	h := sha1.Sum([]byte("sample signature\x00" + path))
	return hex.EncodeToString(h[:])
}

func (l *logStore) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.server == nil {
		return nil
	}
	return l.server.Close()
}

// ServeHTTP answers one request and writes it into the journal of the store.
func (l *logStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	record := l.journal.begin(r, caller{}, knownScheme(scheme), nil)
	defer record.end(r)
	w = &countingWriter{ResponseWriter: w, record: record}
	if fault := l.faults.take(r); fault.Instead != nil {
		fault.Instead(w, r)
		return
	}
	l.mu.Lock()
	t, found := l.objects[r.URL.Path]
	l.mu.Unlock()
	signed := subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("X-Amz-Signature")), []byte(signature(r.URL.Path))) == 1
	switch {
	case r.Header.Get("Authorization") != "":
		refuse(w, http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed")
	case r.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	case !signed:
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "The signature is not the one that was given out.")
	case !found:
		refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	default:
		sendLog(w, r, t)
	}
}

// refuse answers an error in the XML of the store.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>"+message+"</Message></Error>")
}
