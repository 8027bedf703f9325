package sample

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// getLog answers the log of a step that runs, ranges of it too. Of a step that
// is done the log has moved to another host: the answer is the way there, unless
// the server is told to keep the logs.
func (s *Server) getLog(c *call) (object, error) {
	_, t, err := s.step(c)
	if err != nil {
		return nil, err
	}
	if t.Log == nil {
		return nil, notRun("log", t.UUID)
	}
	if t.State == "COMPLETED" && !s.options.InlineLogs {
		address, err := s.logs.address(*t)
		if err != nil {
			return nil, err
		}
		return nil, redirect(http.StatusTemporaryRedirect, address)
	}
	c.raw, err = serveLog(c.Request, *t)
	return nil, err
}

const logType = "application/octet-stream"

// serveLog is the answer that net/http would give for a file.
func serveLog(r *http.Request, t Step) (*raw, error) {
	w := &keeper{raw: *newRaw(logType, nil)}
	sendLog(w, r, t)
	if w.status == http.StatusRequestedRangeNotSatisfiable {
		body, err := encode((&failure{message: "The requested range does not exist"}).answer().body)
		if err != nil {
			return nil, fmt.Errorf("answering a range: %w", err)
		}
		w.text = body
		w.header.Set("Content-Type", "application/json; charset=utf-8")
	}
	w.header.Set("Accept-Ranges", "bytes")
	return &w.raw, nil
}

func sendLog(w http.ResponseWriter, r *http.Request, t Step) {
	w.Header().Set("Content-Type", logType)
	w.Header().Set("ETag", fmt.Sprintf(`"%s-%d"`, strings.Trim(t.UUID, "{}"), len(t.Log)))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(t.Log))
}

// keeper is an http.ResponseWriter that keeps what it is given.
type keeper struct{ raw }

// Header is that of the answer.
func (k *keeper) Header() http.Header { return k.header }

// WriteHeader keeps the status.
func (k *keeper) WriteHeader(status int) { k.status = status }

// Write keeps the bytes.
func (k *keeper) Write(p []byte) (int, error) {
	k.text = append(k.text, p...)
	return len(p), nil
}
