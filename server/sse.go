package server

import (
	"context"
	"net/http"
	"sync"
)

// The old SSE transport (2024-11-05): a GET opens a stream, whose first event
// says where to post messages; the answers come on the stream. The stream is a
// conversation like that on stdin and stdout: calls are canceled, awaited and
// bounded in the same way, and end with the stream.

// talks are the conversations under way on one side.
type talks struct {
	mu   sync.Mutex
	open map[string]*conversation // by session id
}

func (t *talks) add(id string, c *conversation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[string]*conversation{}
	}
	t.open[id] = c
}

func (t *talks) remove(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
}

func (t *talks) find(id string) *conversation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open[id]
}

// openSSE serves the stream.
func (v *visit) openSSE() {
	if !v.client.openStream() {
		v.tooMany("more streams than a client may open")
		return
	}
	defer v.client.closeStream()
	ctx, cancel := context.WithCancel(v.r.Context())
	defer cancel()
	stream := &eventStream{w: v.w, control: v.control}
	defer stream.close()
	id := v.http.sessions.mint("sse", v.principal)
	talk, end, err := v.face.Server.converse(ctx, id, stream)
	if err != nil {
		v.http.config.Log.Error("opening a stream", "error", err)
		writeMessage(v.w, http.StatusInternalServerError, errorMessage(nil, codeInternal, "internal error"))
		return
	}
	defer end()
	v.face.talks.add(id, talk)
	if stream.write("event: endpoint\ndata: ", v.face.Path+"/message?sessionId="+id, "\n\n") == nil {
		v.hold(stream)
	}
	v.face.talks.remove(id)
	select {
	case <-v.http.draining: // what runs is awaited
	default:
		cancel()
	}
	talk.drain(cancel)
}

// message takes a message for a stream of the same client.
func (v *visit) message() {
	id := v.r.URL.Query().Get("sessionId")
	talk := v.face.talks.find(id)
	// Who learns the id of another client's stream must not speak on it.
	if talk == nil || !v.http.sessions.good("sse", v.principal, id) {
		v.refuse(http.StatusNotFound, errorMessage(nil, codeInvalidRequest, "There is no such session, or it has ended: open a new one at "+v.face.Path+"/sse."), "a session id that is not this client's, or has ended")
		return
	}
	e, ok := v.read()
	if !ok {
		return
	}
	if !v.hear(talk, e) {
		v.tooMany(atOnce)
		return
	}
	v.w.WriteHeader(http.StatusAccepted)
}

// hear has a message heard; false when its client has too many under way. Not
// only calls count: an answer waits for who does not read the stream.
func (v *visit) hear(talk *conversation, e *envelope) bool {
	if e.cancels() {
		talk.hear(e)
		return true
	}
	if !v.client.begin() {
		return false
	}
	run := talk.hear(e)
	if run == nil {
		v.client.end()
		return true
	}
	go func() {
		defer v.client.end()
		run()
	}()
	return true
}
