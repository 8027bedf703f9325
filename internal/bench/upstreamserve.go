package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"bucketgate/bitbucket/sample"
)

// upstreamArgument makes this program the upstream of another one of it, so
// that its work is done in a process of its own, as Bitbucket's is.
const upstreamArgument = "serve-upstream"

const (
	workspace    = "acme"
	username     = "bench@example.com"
	token        = "sample-token" // opens nothing but the sample
	repositories = 1000
)

// An order forgets what was asked so far and sets the latency from now on.
type order struct {
	Latency time.Duration
}

// A report is what was asked until an order came.
type report struct {
	API      string
	Requests []string // paths with their queries, in order of arrival
	Body     int64    // bytes of the bodies as sent, after gzip
	Wire     int64    // of the whole answers, headers included
}

// serveUpstream serves a sample Bitbucket, and answers each order on in with a
// report on out, until in ends. The first report comes without an order.
func serveUpstream(in io.Reader, out io.Writer) error {
	bitbucket := sample.Large(sample.Options{Accounts: []sample.Account{{Name: "Bench", Username: username, Token: token}}}, repositories)
	defer bitbucket.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	counting := &countingListener{Listener: listener}
	server := &http.Server{Handler: bitbucket, ReadHeaderTimeout: 10 * time.Second}
	defer server.Close()
	go func() { _ = server.Serve(counting) }() // ends with an error that says it was closed

	orders, reports := json.NewDecoder(in), json.NewEncoder(out)
	for {
		said := report{API: "http://" + listener.Addr().String() + "/2.0", Wire: counting.written.Swap(0)}
		for _, r := range bitbucket.Journal() {
			said.Body += r.Bytes
			said.Requests = append(said.Requests, r.Path+"?"+r.Query.Encode())
		}
		bitbucket.ResetJournal()
		if err := reports.Encode(said); err != nil {
			return fmt.Errorf("reporting: %w", err)
		}
		var next order
		if err := orders.Decode(&next); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading an order: %w", err)
		}
		bitbucket.SetLatency(next.Latency)
	}
}

// A countingListener counts what its connections send.
type countingListener struct {
	net.Listener
	written atomic.Int64
}

// Accept returns a connection whose writes are counted.
func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: conn, written: &l.written}, nil
}

type countingConn struct {
	net.Conn
	written *atomic.Int64
}

// Write counts before it sends, so that who has the answer finds it counted.
func (c *countingConn) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p)))
	return c.Conn.Write(p)
}
