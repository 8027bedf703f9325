package sample

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// serving is the listener that Start opened, if any.
type serving struct {
	mu     sync.Mutex
	server *http.Server
}

// Start serves on addr, such as 127.0.0.1:0, until Close, and returns the base
// URL of the API, which ends in /2.0. A server can be started once.
func (s *Server) Start(addr string) (baseURL string, err error) {
	s.serving.mu.Lock()
	defer s.serving.mu.Unlock()
	if s.serving.server != nil || s.closed.Err() != nil {
		return "", errors.New("starting the sample Bitbucket: it was started or closed before")
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("starting the sample Bitbucket: %w", err)
	}
	s.serving.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func(server *http.Server) {
		// Serve always ends with an error; after Close it says nothing new.
		_ = server.Serve(listener)
	}(s.serving.server)
	return "http://" + listener.Addr().String() + apiPath, nil
}

// Close ends every answer under way, hanging ones too, and the listeners of
// Start and of the log store if there are any. It may be called more than once.
func (s *Server) Close() error {
	s.close()
	s.serving.mu.Lock()
	defer s.serving.mu.Unlock()
	if s.serving.server == nil {
		return s.logs.close()
	}
	return errors.Join(s.serving.server.Close(), s.logs.close())
}
