package server

import (
	"context"
	"encoding/json"
	"sync"
)

// A registry knows the requests that run within sessions.
type registry struct {
	mu    sync.Mutex
	calls map[string]map[string]*running // by session and id
}

// add makes a request known until done is called.
func (r *registry) add(session string, id json.RawMessage, cancel context.CancelFunc) (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls == nil {
		r.calls = map[string]map[string]*running{}
	}
	if r.calls[session] == nil {
		r.calls[session] = map[string]*running{}
	}
	call := &running{cancel}
	r.calls[session][string(id)] = call
	return func() { r.remove(session, string(id), call) }
}

func (r *registry) remove(session, id string, call *running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[session][id] == call {
		delete(r.calls[session], id)
	}
	if len(r.calls[session]) == 0 {
		delete(r.calls, session)
	}
}

func (r *registry) cancel(session string, id json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if call := r.calls[session][string(id)]; call != nil {
		call.cancel()
	}
}

func (r *registry) cancelAll(session string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, call := range r.calls[session] {
		call.cancel()
	}
}
