package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// An upstream is the sample Bitbucket in its own process.
type upstream struct {
	command *exec.Cmd
	in      io.WriteCloser
	orders  *json.Encoder
	reports *json.Decoder
	api     string
}

func startUpstream(ctx context.Context) (*upstream, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	command := exec.CommandContext(ctx, self, upstreamArgument)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the upstream: %w", err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the upstream: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting the upstream: %w", err)
	}
	u := &upstream{command: command, in: in, orders: json.NewEncoder(in), reports: json.NewDecoder(out)}
	first, err := u.report()
	if err != nil {
		u.close()
		return nil, err
	}
	u.api = first.API
	return u, nil
}

func (u *upstream) close() {
	u.in.Close()
	_ = u.command.Wait() // it was told to end, or was ended
}

func (u *upstream) report() (report, error) {
	var r report
	if err := u.reports.Decode(&r); err != nil {
		return report{}, fmt.Errorf("asking the upstream: %w", err)
	}
	return r, nil
}

// order returns what was asked since the last order.
func (u *upstream) order(o order) (report, error) {
	if err := u.orders.Encode(o); err != nil {
		return report{}, fmt.Errorf("asking the upstream: %w", err)
	}
	return u.report()
}

// taken returns what was asked since the last order, of an upstream that
// answers at once.
func (u *upstream) taken() (report, error) { return u.order(order{}) }

func (u *upstream) reset(latency time.Duration) error {
	_, err := u.order(order{Latency: latency})
	return err
}

// variables are the environment of the mode without set-up.
func (u *upstream) variables(pattern string) []string {
	env := []string{
		"BITBUCKET_WORKSPACE=" + workspace, "BITBUCKET_USERNAME=" + username, "BITBUCKET_API_TOKEN=" + token,
		"BITBUCKET_API_URL=" + u.api,
	}
	if pattern != "" {
		env = append(env, "BITBUCKET_REPO_REGEX="+pattern)
	}
	return env
}

// A direct client asks the upstream itself, over a connection that is kept.
type direct struct {
	ctx      context.Context
	upstream *upstream
	client   *http.Client
}

func (b *bench) direct() direct {
	return direct{b.ctx, b.upstream, &http.Client{Transport: &http.Transport{}}}
}

// get asks for the path of a report's request and returns how long that took.
func (d direct) get(path string) (time.Duration, error) {
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, strings.TrimSuffix(d.upstream.api, "/2.0")+path, nil)
	if err != nil {
		return 0, fmt.Errorf("building a direct request: %w", err)
	}
	req.SetBasicAuth(username, token)
	began := time.Now()
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("asking directly: %w", err)
	}
	_, err = io.ReadAll(resp.Body)
	took := time.Since(began)
	resp.Body.Close()
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading a direct answer: %w", err)
	case resp.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("asking directly for %s: %s", path, resp.Status)
	}
	return took, nil
}
