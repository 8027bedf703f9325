package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"bucketgate/internal/audit"
	"bucketgate/internal/manage"
	"bucketgate/internal/store"
)

type auditView struct {
	frame
	Caller, Scope, Tool, Decision, Since, Until field

	Rows   []audit.Event
	Any    bool   // a filter is set
	Older  string // address of the next part; empty at the end
	Newest string // address of the first part, on a later one
	Export string
	Chain  chainState
}

func newAuditView() *auditView {
	return &auditView{
		frame:  frame{Title: "Audit", Nav: "audit"},
		Caller: field{Name: "caller", Label: "Client"},
		Scope:  field{Name: "scope", Label: "Scope"},
		Tool:   field{Name: "tool", Label: "Tool"},
		Decision: field{Name: "decision", Label: "Decision", Kind: "select", Options: []option{
			{"", "Any", true}, {string(audit.Allowed), "Allowed", false}, {string(audit.Denied), "Denied", false}}},
		Since: field{Name: "since", Label: "From (UTC)", Kind: "datetime-local"},
		Until: field{Name: "until", Label: "Before (UTC)", Kind: "datetime-local"},
	}
}

func (v *auditView) fields() []*field {
	return []*field{&v.Caller, &v.Scope, &v.Tool, &v.Decision, &v.Since, &v.Until}
}

// filter reads the filter of the address, and returns it as a query too.
func (v *auditView) filter(query url.Values) (f audit.Filter, kept url.Values, err error) {
	kept = url.Values{}
	for _, at := range v.fields() {
		at.Value = strings.TrimSpace(query.Get(at.Name))
		if at.Value != "" {
			kept.Set(at.Name, at.Value)
		}
	}
	v.Decision.choose(v.Decision.Value)
	v.Any = len(kept) > 0
	f = audit.Filter{Caller: v.Caller.Value, Scope: v.Scope.Value, Tool: v.Tool.Value}
	switch d := audit.Decision(v.Decision.Value); d {
	case "", audit.Allowed, audit.Denied:
		f.Decision = d
	default:
		return f, kept, &manage.Refused{Words: "the decision is allowed or denied", Field: "decision"}
	}
	if f.Since, err = moment(v.Since.Value, "since"); err != nil {
		return f, kept, err
	}
	f.Until, err = moment(v.Until.Value, "until")
	return f, kept, err
}

// moment reads a time as browsers send it, or as the command line takes it.
func moment(text, at string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &manage.Refused{Words: "the time is not one: write it as 2027-01-31T08:00", Field: at}
}

// auditRows is how many events a page has.
const auditRows = 50

func (c *Console) audit(w http.ResponseWriter, r *http.Request) error {
	view := newAuditView()
	view.Chain = c.chain.state()
	query := r.URL.Query()
	filter, kept, err := view.filter(query)
	if err != nil {
		return c.again(w, r, "audit", view, err, view.fields()...)
	}
	events, next, err := c.config.Service.AuditEvents(r.Context(), filter, auditRows, store.AuditCursor(query.Get("after")))
	if errors.Is(err, store.ErrCursor) {
		return errNoPage
	}
	if err != nil {
		return err
	}
	view.Rows = events
	address := func(page string, extra url.Values) string {
		if len(extra) == 0 {
			return page
		}
		return page + "?" + extra.Encode()
	}
	view.Export = address("/admin/audit/export", kept)
	if query.Get("after") != "" {
		view.Newest = address("/admin/audit", kept)
	}
	if next != "" {
		kept.Set("after", string(next))
		view.Older = address("/admin/audit", kept)
	}
	return c.show(w, r, http.StatusOK, "audit", view)
}

// exportAudit sends the chosen events as they are read: a log may be longer
// than memory.
func (c *Console) exportAudit(w http.ResponseWriter, r *http.Request) error {
	filter, _, err := newAuditView().filter(r.URL.Query())
	if err != nil {
		return err
	}
	out := &exportWriter{ResponseWriter: w, control: http.NewResponseController(w)}
	if r.Method == http.MethodHead { // nobody takes the log, so that it is not read
		out.begin()
		return nil
	}
	err = c.config.Service.ExportAudit(r.Context(), c.actor(r), filter, out)
	if err != nil && out.begun {
		// The status is sent: an answer that ends in its middle is what tells
		// the browser that it is not whole.
		if !out.cut {
			c.config.Log.Error("exporting the audit log", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	if err == nil && !out.begun {
		out.begin() // an empty file
	}
	return err
}

// An exportWriter sets the headers of a download with the first piece of it,
// so that what fails before that is a page.
type exportWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	begun   bool
	cut     bool // the browser has gone, or takes nothing more
}

// pieceTime is how long a browser may take for a piece. One that takes none
// must not hold the reading of the log open for ever.
const pieceTime = time.Minute

func (e *exportWriter) begin() {
	e.begun = true
	e.Header().Set("Content-Type", "application/x-ndjson")
	e.Header().Set("Content-Disposition", `attachment; filename="bucketgate-audit-`+date(time.Now())+`.ndjson"`)
	e.WriteHeader(http.StatusOK)
}

// Write sends a piece of the file.
func (e *exportWriter) Write(b []byte) (int, error) {
	if !e.begun {
		e.begin()
	}
	// Where there is no connection to set a time for, as in a test, none is needed.
	_ = e.control.SetWriteDeadline(time.Now().Add(pieceTime))
	n, err := e.ResponseWriter.Write(b)
	e.cut = e.cut || err != nil
	return n, err
}

// A chainCheck reads the whole log and remembers what it found. A long log
// takes a while, so that it runs beside the pages, once at a time.
type chainCheck struct {
	mu      sync.Mutex
	current chainState
}

// A chainState is what is known of the chain.
type chainState struct {
	Running bool
	Read    int // events so far, while it runs
	Checked time.Time
	Events  int
	Finding string // the first one; empty where the chain is whole
	Failed  bool   // it could not be checked
	Heads   bool   // a cut end would have been found
}

// Chip is the state in a word.
func (s chainState) Chip() chip {
	switch {
	case s.Running:
		return chip{"quiet", "Checking"}
	case s.Checked.IsZero():
		return chip{"quiet", "Not checked"}
	case s.Failed:
		return chip{"warn", "Could not be checked"}
	case s.Finding != "":
		return chip{"bad", "Broken"}
	}
	return chip{"ok", "Whole"}
}

func (k *chainCheck) state() chainState {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

// start begins a check, unless one runs.
func (k *chainCheck) start() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current.Running {
		return false
	}
	k.current.Running, k.current.Read = true, 0
	return true
}

func (k *chainCheck) progress(events int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current.Read = int(events)
}

func (k *chainCheck) end(report audit.Report, heads bool, err error) {
	state := chainState{Checked: time.Now(), Events: int(report.Events), Heads: heads, Failed: err != nil}
	if len(report.Findings) > 0 {
		state.Finding = report.Findings[0].String()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current = state
}

// verifyWait is how long the request waits for the check: a short log is told
// about at once.
const verifyWait = 800 * time.Millisecond

func (c *Console) verifyAudit(w http.ResponseWriter, r *http.Request) error {
	if err := c.config.Service.Note(r.Context(), c.actor(r), "verify_audit", "", audit.Allowed, ""); err != nil {
		return err
	}
	if c.chain.start() {
		ended := make(chan struct{})
		ctx := context.WithoutCancel(r.Context())
		go func() {
			defer close(ended)
			report, err := c.config.Service.VerifyAudit(ctx, c.config.AuditHeads, c.chain.progress)
			if err != nil {
				c.config.Log.Error("verifying the audit log", "error", err)
			}
			c.chain.end(report, c.config.AuditHeads != nil, err)
		}()
		select {
		case <-ended:
		case <-time.After(verifyWait):
		}
	}
	http.Redirect(w, r, "/admin/audit", http.StatusSeeOther)
	return nil
}
