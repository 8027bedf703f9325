package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The targets over HTTP.
const (
	maxHTTPOverhead = 1.5     // × the empty tool of the bare server
	maxSlower       = 1 / 0.7 // × the bare server's calls per second, over ours
	manyClients     = 64
	maxGrowth       = 8e6 // bytes that a minute of calls may add
)

// overHTTP compares the protocol's work over HTTP with that of mcp-go alone,
// and watches many clients for a while.
func (b *bench) overHTTP() (found []finding, err error) {
	home, err := b.setUp(1, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	keys, err := b.keys(home, manyClients)
	if err != nil {
		return nil, err
	}
	gate, err := b.listenOn(homeEnvironment(home), b.programs.bucketgate, "serve", "--listen", "127.0.0.1:0", "--client-rate", "1000000")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gate.close()) }()
	bare, err := b.listenOn([]string{}, b.programs.bare, "http")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	for _, e := range []era{legacy, modern} {
		for _, measure := range []func(*listening, *listening, []string, era) (finding, error){b.overheadOverHTTP, b.throughput} {
			f, err := measure(gate, bare, keys, e)
			if err != nil {
				return nil, err
			}
			found = append(found, f)
		}
	}
	soaked, err := b.soak(gate, keys)
	return append(found, soaked...), err
}

func homeEnvironment(home string) []string {
	return []string{"BUCKETGATE_DATABASE=" + filepath.Join(home, "bucketgate.db"), "BUCKETGATE_MASTER_KEY_FILE=" + filepath.Join(home, "master.key")}
}

// keys makes clients by command, and returns their keys.
func (b *bench) keys(home string, n int) ([]string, error) {
	var keys []string
	for i := range n {
		command := exec.CommandContext(b.ctx, b.programs.bucketgate, "client", "create", fmt.Sprintf("client-%d", i), "--scope", storedScope)
		command.Env = homeEnvironment(home)
		out, err := command.Output()
		if err != nil {
			return nil, fmt.Errorf("creating a client: %w", err)
		}
		lines := strings.Fields(string(out))
		keys = append(keys, lines[len(lines)-1])
	}
	return keys, nil
}

// A listening is a program that serves MCP over HTTP.
type listening struct {
	command *exec.Cmd
	url     string
	stderr  bytes.Buffer
}

func (b *bench) listenOn(env []string, program string, args ...string) (*listening, error) {
	l := &listening{command: exec.CommandContext(b.ctx, program, args...)}
	l.command.Env = env
	l.command.Stderr = &l.stderr
	out, err := l.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	if err := l.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not say where it listens: %w\n%s", program, err, l.stderr.Bytes()), l.close())
	}
	l.url = strings.TrimSpace(strings.TrimPrefix(line, "agents: "))
	return l, nil
}

func (l *listening) close() error {
	_ = l.command.Process.Signal(syscall.SIGTERM)
	err := l.command.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		return nil // the bare server knows no other way
	}
	return err
}

// A caller is one client of a listening: one connection, one key.
type caller struct {
	client  *http.Client
	url     string
	header  http.Header
	request []byte
}

// newCaller greets, and prepares the one call that it makes.
func newCaller(l *listening, key string, e era, tool string) (*caller, error) {
	c := &caller{
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true}}, url: l.url,
		header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {string(e)}},
	}
	if key != "" {
		c.header.Set("Authorization", "Bearer "+key)
	}
	s := &session{era: e}
	if e == legacy {
		greeting, err := s.line("initialize", params{"protocolVersion": legacy, "capabilities": params{}, "clientInfo": clientInfo})
		if err != nil {
			return nil, err
		}
		response, _, err := c.post(greeting)
		if err != nil {
			return nil, err
		}
		c.header.Set("Mcp-Session-Id", response.Get("Mcp-Session-Id"))
	} else {
		c.header.Set("Mcp-Method", "tools/call")
		c.header.Set("Mcp-Name", tool)
	}
	var err error
	c.request, err = s.line("tools/call", params{"name": tool, "arguments": params{}})
	return c, err
}

func (c *caller) post(body []byte) (http.Header, []byte, error) {
	r, err := http.NewRequest(http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("asking: %w", err)
	}
	r.Header = c.header
	response, err := c.client.Do(r)
	if err != nil {
		return nil, nil, fmt.Errorf("asking: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("answered %d %.300s", response.StatusCode, answer)
	}
	return response.Header, answer, nil
}

// call makes the call and says how long it took.
func (c *caller) call() (time.Duration, error) {
	began := time.Now()
	_, answer, err := c.post(c.request)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	var m struct {
		Result struct{ IsError bool }
		Error  json.RawMessage
	}
	if err := json.Unmarshal(answer, &m); err != nil || m.Error != nil || m.Result.IsError {
		return 0, fmt.Errorf("answered %.300s", answer)
	}
	return took, nil
}

func (b *bench) overheadOverHTTP(gate, bare *listening, keys []string, e era) (finding, error) {
	ours, err := newCaller(gate, keys[0], e, "my_access")
	if err != nil {
		return finding{}, err
	}
	theirs, err := newCaller(bare, "", e, "nothing")
	if err != nil {
		return finding{}, err
	}
	one, other, err := interleaved(b.rounds(500, 200), b.rounds(5000, 1500), ours.call, theirs.call)
	if err != nil {
		return finding{}, err
	}
	return judged(fmt.Sprintf("my_access over HTTP (%s), of bare mcp-go's empty tool", e), ratio(one, other), maxHTTPOverhead, inTimes,
		fmt.Sprintf("%.3f against %.3f ms", milliseconds(one), milliseconds(other))), nil
}

// throughput has 16 clients call as fast as they can, each server in turn.
func (b *bench) throughput(gate, bare *listening, keys []string, e era) (finding, error) {
	const clients = 16
	calls := b.rounds(1000, 400) // of each client in each round
	var ours, theirs []time.Duration
	var ourCPU, theirCPU time.Duration
	for range b.rounds(5, 3) {
		ourCPU, theirCPU = ourCPU-cpuOf(gate), theirCPU-cpuOf(bare)
		took, err := together(gate, keys[:clients], e, "my_access", calls)
		if err != nil {
			return finding{}, err
		}
		other, err := together(bare, make([]string, clients), e, "nothing", calls)
		if err != nil {
			return finding{}, err
		}
		ours, theirs = append(ours, took), append(theirs, other)
		ourCPU, theirCPU = ourCPU+cpuOf(gate), theirCPU+cpuOf(bare)
	}
	perSecond := func(took time.Duration) float64 { return float64(clients*calls) / took.Seconds() }
	one, other := median(ours), median(theirs)
	return judged(fmt.Sprintf("calls per second of 16 clients (%s), bare mcp-go's over ours", e), ratio(one, other), maxSlower, inTimes,
		fmt.Sprintf("%.0f against %.0f, %.2f × bare; of the processor %.2f ×", perSecond(one), perSecond(other), ratio(other, one), ratio(ourCPU, theirCPU))), nil
}

// cpuOf returns the processor time that a server has taken, audit log and
// collections included; zero where that is not known.
func cpuOf(l *listening) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.command.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // Linux counts in hundredths
}

// together makes the calls of several clients at once.
func together(l *listening, keys []string, e era, tool string, calls int) (time.Duration, error) {
	callers := make([]*caller, len(keys))
	for i, key := range keys {
		var err error
		if callers[i], err = newCaller(l, key, e, tool); err != nil {
			return 0, err
		}
		if _, err := callers[i].call(); err != nil { // connected
			return 0, err
		}
	}
	failed := make([]error, len(callers))
	var done sync.WaitGroup
	began := time.Now()
	for i, c := range callers {
		done.Go(func() {
			for range calls {
				if _, err := c.call(); err != nil {
					failed[i] = err
					return
				}
			}
		})
	}
	done.Wait()
	took := time.Since(began)
	for _, c := range callers {
		c.client.CloseIdleConnections()
	}
	return took, errors.Join(failed...)
}

// soak has 64 clients call for a minute, and looks at the memory before and
// after.
func (b *bench) soak(gate *listening, keys []string) ([]finding, error) {
	var calls, failures atomic.Int64
	run := func(length time.Duration) error {
		var done sync.WaitGroup
		for i, key := range keys {
			c, err := newCaller(gate, key, []era{legacy, modern}[i%2], "my_access")
			if err != nil {
				return err
			}
			done.Go(func() {
				defer c.client.CloseIdleConnections()
				for until := time.Now().Add(length); time.Now().Before(until) && b.ctx.Err() == nil; calls.Add(1) {
					if _, err := c.call(); err != nil {
						failures.Add(1)
					}
				}
			})
		}
		done.Wait()
		return nil
	}
	if err := run(3 * time.Second); err != nil { // what every connection costs is not a leak
		return nil, err
	}
	before, _, err := residentBytes(gate.command.Process.Pid)
	if err != nil {
		return []finding{told("memory of 64 clients over HTTP", err.Error())}, nil
	}
	length := time.Duration(b.rounds(60, 10)) * time.Second
	if err := run(length); err != nil {
		return nil, err
	}
	after, peak, err := residentBytes(gate.command.Process.Pid)
	if err != nil {
		return nil, err
	}
	return []finding{
		judged(fmt.Sprintf("errors of 64 clients in %v", length), float64(failures.Load()), 0, inCount("errors"), fmt.Sprintf("of %d calls", calls.Load())),
		judged("memory that it added", max(0, after-before), maxGrowth, inMB, fmt.Sprintf("%s before, %s after, peak %s", inMB(before), inMB(after), inMB(peak))),
		judged("resident memory after it", after, maxMemory, inMB, ""),
	}, nil
}
