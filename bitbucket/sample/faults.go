package sample

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Fault makes some requests go wrong. The functions of this package that
// return a Fault are ready-made ones, for every request; On, When, First and
// After narrow one down:
//
//	s.Fail(sample.RateLimited("2").On("/repositories/acme").First(1))
type Fault struct {
	// Path is what the escaped path below /2.0 must be, or begin with if Path
	// ends in a slash. Empty means every path.
	Path string

	// Match, unless nil, must agree too.
	Match func(*http.Request) bool

	// Skip lets the first matching requests pass; Times is for how many of
	// them the fault holds after that, zero for all.
	Skip, Times int

	// Instead answers in place of the server, before it looks at anything.
	// The context of the request ends when the client goes or on Close.
	Instead http.HandlerFunc

	// Edit changes the JSON of the real answer, an error's too. An answer that
	// is no JSON, such as a file or a diff, stays as it is.
	Edit func(r *http.Request, body map[string]any)

	// Send writes the body of the real answer in its own way.
	Send func(w http.ResponseWriter, r *http.Request, body []byte)
}

// On returns the fault for one path below /2.0, or all below it if path ends
// in a slash.
func (f Fault) On(path string) Fault {
	f.Path = path
	return f
}

// When returns the fault for requests that match.
func (f Fault) When(match func(*http.Request) bool) Fault {
	f.Match = match
	return f
}

// First returns the fault for the first n matching requests.
func (f Fault) First(n int) Fault {
	f.Times = n
	return f
}

// After returns the fault with the first n matching requests let pass.
func (f Fault) After(n int) Fault {
	f.Skip = n
	return f
}

// Fail adds faults. Of those that match a request, the one added first and not
// yet used up holds.
func (s *Server) Fail(list ...Fault) { s.faults.add(list) }

func (f *faults) add(list []Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range list {
		f.list = append(f.list, &pending{Fault: fault})
	}
}

// ClearFaults takes all faults away.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

type faults struct {
	mu   sync.Mutex
	list []*pending
}

// pending is a fault and how many requests it has seen.
type pending struct {
	Fault
	seen int
}

// take returns the fault for a request; the zero Fault does nothing.
func (f *faults) take(r *http.Request) Fault {
	f.mu.Lock()
	list := slices.Clone(f.list)
	f.mu.Unlock()
	for _, p := range list {
		// Match is foreign code, and is called without the lock.
		if p.matches(r) && f.holds(p) {
			return p.Fault
		}
	}
	return Fault{}
}

func (f *faults) holds(p *pending) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.seen++
	return p.seen > p.Skip && (p.Times == 0 || p.seen <= p.Skip+p.Times)
}

func (f Fault) matches(r *http.Request) bool {
	path := strings.TrimPrefix(r.URL.EscapedPath(), apiPath)
	switch {
	case strings.HasSuffix(f.Path, "/") && !strings.HasPrefix(path, f.Path):
		return false
	case f.Path != "" && !strings.HasSuffix(f.Path, "/") && path != f.Path:
		return false
	}
	return f.Match == nil || f.Match(r)
}
