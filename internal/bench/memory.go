package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	maxMemory = 40e6 // bytes
	window    = 8    // calls under way at once
)

// A question is a call of the mix, and whether it is to be answered.
type question struct {
	tool      string
	arguments params
	refused   bool
}

// mix is what an agent does in an hour, large answers and refusals included.
var mix = []question{
	{"my_access", params{}, false},
	{"get_repo", params{"repository": somebody}, false},
	{"get_repo", params{"repository": "duplocloud-search-web", "detail": "full"}, false},
	{"list_branches", params{"repository": somebody}, false},
	{"list_repos", params{}, false},
	{"get_repo", params{"repository": "secrets"}, true},
	{"list_repos", params{"detail": "names"}, false},
	{"get_repo", params{"repository": "duplocloud-missing"}, true},
	{"list_repos", params{"query": "api", "detail": "full", "limit": 100}, false},
	{"list_repos", params{"limit": 0}, true},
}

// memory measures what stays resident after many calls, of a scope with
// patterns and of one that lists everything.
func (b *bench) memory() ([]finding, error) {
	var found []finding
	calls := b.rounds(10_000, 1_000)
	mixed, err := b.memoryAfter("mixed calls", calls, func() (*session, error) { return b.gate(legacy, "^duplocloud-.*") }, mix)
	if err != nil {
		return nil, err
	}
	found = append(found, mixed)
	lists, err := b.memoryAfter("listings of all 1,000", calls/20, func() (*session, error) { return b.gate(legacy, "") },
		[]question{{"list_repos", params{"detail": "names", "limit": repositories}, false}})
	if err != nil {
		return nil, err
	}
	bare, err := b.memoryAfter("calls of bare mcp-go", calls, func() (*session, error) { return b.bare(legacy) },
		[]question{{"nothing", params{}, false}})
	bare.target, bare.verdict = "-", "-"
	return append(found, lists, bare), err
}

func (b *bench) memoryAfter(what string, calls int, open func() (*session, error), questions []question) (f finding, err error) {
	s, err := open()
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for asked := 0; asked < calls; asked += window {
		if err := s.askAtOnce(questions, asked); err != nil {
			return finding{}, err
		}
	}
	resident, peak, err := residentBytes(s.command.Process.Pid)
	if err != nil {
		return told("resident memory", err.Error()), nil
	}
	return judged(fmt.Sprintf("resident memory after %d %s, %d at once", calls, what, window), resident, maxMemory, inMB, "peak "+inMB(peak)), nil
}

// askAtOnce asks the next questions of the mix without waiting in between, and
// then reads all answers.
func (s *session) askAtOnce(questions []question, from int) error {
	expected := map[int]question{}
	for i := range window {
		q := questions[(from+i)%len(questions)]
		line, err := s.line("tools/call", params{"name": q.tool, "arguments": q.arguments})
		if err != nil {
			return err
		}
		if err := s.send(line); err != nil {
			return err
		}
		expected[s.id] = q
	}
	for range window {
		raw, err := s.receive()
		if err != nil {
			return err
		}
		var answer struct {
			ID     int
			Result struct{ IsError bool }
			Error  json.RawMessage
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
		q, ok := expected[answer.ID]
		if delete(expected, answer.ID); !ok || answer.Error != nil || answer.Result.IsError != q.refused {
			return fmt.Errorf("%s %v was answered with %.300s", q.tool, q.arguments, raw)
		}
	}
	return nil
}

// residentBytes reads how much memory a process holds, and held at most.
func residentBytes(pid int) (now, peak float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("not measured: this system has no /proc")
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch {
		case err != nil:
		case key == "VmRSS":
			now = kib * 1024
		case key == "VmHWM":
			peak = kib * 1024
		}
	}
	return now, peak, nil
}
