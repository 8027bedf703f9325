package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

const (
	sessionHeader = "Mcp-Session-Id"
	// codeCanceled answers a request that its own client has canceled, and
	// waits for all the same; the number is that of the language server
	// protocol.
	codeCanceled = -32800
)

// read takes the message of a request, or refuses it. What a tool gets and
// what mcp-go gets come from the one envelope that is judged here.
//
// A message counts while it is on its way: a client could otherwise have the
// server hold as many, of 1 MiB each, as it opens connections.
func (v *visit) read() (*envelope, bool) {
	if !v.client.beginReading() {
		v.tooMany(atOnce)
		return nil, false
	}
	defer v.client.endReading()
	mediaType, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" || v.r.Header.Get("Content-Encoding") != "" {
		v.refuse(http.StatusUnsupportedMediaType, errorMessage(nil, codeInvalidRequest, "Only application/json is taken, and not compressed."), "a body that is not application/json")
		return nil, false
	}
	body, err := io.ReadAll(io.LimitReader(v.r.Body, maxMessage+1))
	switch {
	case len(body) > maxMessage:
		v.refuse(http.StatusRequestEntityTooLarge, errorMessage(nil, codeInvalidRequest, "The message is larger than 1 MiB."), "a body that is larger than 1 MiB")
		return nil, false
	case err != nil:
		v.refuse(http.StatusBadRequest, errorMessage(nil, codeParse, "The message did not come in full."), "a body that did not come in full")
		return nil, false
	}
	// The server's time-out is for reading: left as it is, it would end the
	// request while its call still runs.
	_ = v.control.SetReadDeadline(time.Time{})
	e, refused := parseEnvelope(body)
	if refused != nil {
		v.refuse(http.StatusBadRequest, errorMessage(refused.id, refused.code, refused.message), "a message that is not taken: "+refused.plain())
		return nil, false
	}
	return e, true
}

// post answers one message of Streamable HTTP.
func (v *visit) post() {
	e, ok := v.read()
	if !ok {
		return
	}
	modern := mcp.IsModernProtocol(e.revision) || mcp.IsModernProtocol(v.r.Header.Get(mcp.HeaderProtocolVersion))
	session := ""
	if !modern && e.method != "initialize" {
		if session, ok = v.session(e.id); !ok {
			return
		}
	}
	switch {
	case e.method == "":
		v.w.WriteHeader(http.StatusAccepted) // an answer to a question that nobody asked
	case e.cancels():
		// mcp-go knows running requests by their id alone where there is no
		// session, so that one client could end the call of another. It is
		// given none: with a session the call is looked for here, and without
		// one a client cancels by closing its request.
		if !modern {
			v.face.running.cancel(session, e.requestID)
		}
		v.w.WriteHeader(http.StatusAccepted)
	case !v.client.begin():
		v.tooMany(atOnce)
	default:
		defer v.client.end()
		v.answer(e, session, modern)
	}
}

// session returns the id of a client's own session, or refuses the request.
func (v *visit) session(id json.RawMessage) (string, bool) {
	session := v.r.Header.Get(sessionHeader)
	switch {
	case session == "":
		v.refuse(http.StatusBadRequest, errorMessage(id, codeInvalidRequest, "The header Mcp-Session-Id is missing: send initialize first, and then the id that its answer came with."), "no session id")
		return "", false
	case !v.http.sessions.good("http", v.principal, session):
		// Of another client or of none: one answer for both.
		v.refuse(http.StatusNotFound, errorMessage(id, codeInvalidRequest, "There is no such session, or it has ended: send initialize for a new one."), "a session id that is not this client's, or has ended")
		return "", false
	}
	return session, true
}

// answer has one request answered, and keeps a panic from the client.
func (v *visit) answer(e *envelope, session string, modern bool) {
	to := newReply(v.w, v.control, v.r)
	defer func() {
		if p := recover(); p != nil {
			v.http.config.Log.Error("panic", "method", e.method, "panic", p, "stack", string(debug.Stack()))
			to.finish(http.StatusInternalServerError, encoded(errorMessage(e.id, codeInternal, "internal error")))
		}
	}()
	ctx, cancel := context.WithCancel(v.r.Context())
	defer cancel()
	if e.id != nil && session != "" {
		defer v.face.running.add(session, e.id, cancel)()
	}
	status, body := v.ask(ctx, e, modern, to)
	to.finish(status, body)
}

// ask has mcp-go answer a message, or the toolbox where mcp-go does not get
// it.
func (v *visit) ask(ctx context.Context, e *envelope, modern bool, to *reply) (status int, body []byte) {
	r := request{envelope: e, ran: new(bool)}
	isCall := e.method == "tools/call" && e.id != nil
	if isCall {
		if refused := v.face.Server.refuseUnknown(ctx, r); refused != nil {
			return statusOf(modern), encoded(refused)
		}
		progress := &progressNotifier{send: to.say, token: e.progressToken}
		r.progress = progress.report
		defer progress.end()
		defer v.beating(to)()
		if version := v.r.Header.Get(mcp.HeaderProtocolVersion); !modern && (version == "" || mcp.IsValidProtocolVersion(version)) {
			return v.callOlder(ctx, r)
		}
	}
	if refused := v.face.Server.prepare(ctx, &r); refused != nil {
		return statusOf(modern), encoded(refused)
	}
	got := v.pass(context.WithValue(ctx, requestKey{}, r), e, to)
	if *r.ran {
		if got.status == 0 {
			return v.unanswered(e)
		}
		return got.status, got.body.Bytes()
	}
	if isCall {
		if words := v.face.Server.refuseUnrun(ctx, r); words != nil {
			return http.StatusInternalServerError, encoded(words)
		}
	}
	return v.inOurWords(e, got)
}

// callOlder answers a call of the protocols whose HTTP adds nothing to a call
// but what was checked before: mcp-go's server for it would parse the message
// three times more.
func (v *visit) callOlder(ctx context.Context, r request) (status int, body []byte) {
	answer := v.face.Server.handleCall(ctx, r)
	if ctx.Err() != nil {
		return v.unanswered(r.envelope)
	}
	return http.StatusOK, encoded(answer)
}

// statusOf is the status of a request with bad parameters, in each era.
func statusOf(modern bool) int {
	if modern {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// pass hands the message to mcp-go: the judged one, and without the key.
func (v *visit) pass(ctx context.Context, e *envelope, to *reply) *recorder {
	r := v.r.WithContext(ctx)
	r.Header = maps.Clone(r.Header)
	r.Header.Del("Authorization")
	r.Header.Del(sessionHeader)
	r.Header.Set("Content-Type", "application/json")
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(e.message)), int64(len(e.message))
	got := newRecorder()
	if e.method == string(mcp.MethodSubscriptionsListen) && to.takesStream {
		passedOn := make(chan struct{})
		r = r.WithContext(context.WithValue(ctx, passedOnKey{}, passedOn))
		v.face.protocol.ServeHTTP(&streaming{recorder: got, to: to, passedOn: passedOn}, r)
	} else {
		v.face.protocol.ServeHTTP(got, r)
	}
	return got
}

// inOurWords replaces what mcp-go says in plain text, or of Go's types.
func (v *visit) inOurWords(e *envelope, got *recorder) (status int, body []byte) {
	if got.status == 0 {
		if e.id == nil {
			return http.StatusAccepted, nil
		}
		return v.unanswered(e)
	}
	if got.status == http.StatusAccepted {
		return got.status, nil
	}
	switch got.header.Get("Content-Type") {
	case "application/json":
	case "text/event-stream":
		return got.status, nil // it was passed on as it came
	default:
		return got.status, encoded(errorMessage(e.id, codeInvalidRequest,
			"The request does not fit the protocol. Mcp-Protocol-Version must be one of "+strings.Join(mcp.ValidProtocolVersions, ", ")+"."))
	}
	var answer struct {
		Result json.RawMessage
		Error  struct{ Message string }
	}
	_ = json.Unmarshal(got.body.Bytes(), &answer) // mcp-go's own always unmarshals
	if strings.HasPrefix(answer.Error.Message, "unparsable") {
		return got.status, encoded(errorMessage(e.id, codeInvalidParams, "the parameters do not fit the method"))
	}
	if e.method == "initialize" && answer.Result != nil {
		v.w.Header().Set(sessionHeader, v.http.sessions.mint("http", v.principal))
	}
	return got.status, got.body.Bytes()
}

// unanswered is for a request that was ended before it was answered: by the
// client, who may still wait, or by the end of the server.
func (v *visit) unanswered(e *envelope) (status int, body []byte) {
	if v.r.Context().Err() != nil {
		return http.StatusServiceUnavailable, encoded(errorMessage(e.id, codeInternal, "The server is shutting down. Ask again in a moment."))
	}
	return http.StatusOK, encoded(errorMessage(e.id, codeCanceled, "The request was canceled."))
}

func encoded(message any) []byte {
	body, _ := json.Marshal(message) // our own structs always marshal
	return append(body, '\n')
}

// beating keeps a call that takes long from looking dead, until stop is
// called.
func (v *visit) beating(to *reply) (stop func()) {
	every := v.http.config.Heartbeat
	var mu sync.Mutex
	stopped := false
	var timer *time.Timer
	mu.Lock()
	timer = time.AfterFunc(every, func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			to.beat()
			timer.Reset(every)
		}
	})
	mu.Unlock()
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		stopped = true
	}
}

// listen is the stream on which older clients await what a server says unasked.
// This one says nothing but that it lives.
func (v *visit) listen() {
	if v.refusedModern() {
		return
	}
	if _, ok := v.session(nil); !ok {
		return
	}
	if !v.client.openStream() {
		v.tooMany("more streams than a client may open")
		return
	}
	defer v.client.closeStream()
	stream := &eventStream{w: v.w, control: v.control}
	defer stream.close()
	v.hold(stream)
}

// endSession ends a client's own session, and what runs in it.
func (v *visit) endSession() {
	if v.refusedModern() {
		return
	}
	session, ok := v.session(nil)
	if !ok {
		return
	}
	v.http.sessions.end(session)
	v.face.running.cancelAll(session)
	v.w.WriteHeader(http.StatusOK)
}

func (v *visit) refusedModern() bool {
	if !mcp.IsModernProtocol(v.r.Header.Get(mcp.HeaderProtocolVersion)) {
		return false
	}
	v.w.Header().Set("Allow", http.MethodPost)
	plainText(v.w, http.StatusMethodNotAllowed, "Protocol 2026-07-28 has no sessions: only POST is served here.")
	return true
}

var errNoLonger = errors.New("the key opens this side no longer")

// hold keeps a stream open until the client goes, its key opens nothing any
// more, or the server ends.
func (v *visit) hold(stream *eventStream) {
	_ = v.control.SetReadDeadline(time.Time{})
	if stream.comment() != nil {
		return
	}
	tick := time.NewTicker(v.http.config.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-v.r.Context().Done():
			return
		case <-v.http.draining:
			return
		case <-tick.C:
			if v.still() != nil || stream.comment() != nil {
				return
			}
		}
	}
}

// still asks again whether the key is good: a stream may outlive it.
func (v *visit) still() error {
	p, err := v.http.config.Authenticate(v.r.Context(), v.key)
	if err != nil {
		return err
	}
	if p.Name != v.principal.Name || p.Role != v.principal.Role {
		return errNoLonger
	}
	return nil
}
