package bitbucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

const (
	// maxBody caps an answer after decompression. A page of a hundred whole
	// repositories is under half a megabyte.
	maxBody = 8 << 20
	// maxRefusalBody caps what is read of an answer that is not 200.
	maxRefusalBody = 64 << 10
	// callTime bounds a request whose caller set no deadline.
	callTime = 30 * time.Second
)

// A read is what makes two requests equal.
type read struct {
	endpoint endpoint
	rawQuery string
}

// fetch returns the body of a GET. Equal reads at the same time share one
// request; they are equal when endpoint, credential and scopes are.
func (c *Client) fetch(ctx context.Context, e endpoint, rawQuery string) ([]byte, error) {
	key := read{e, rawQuery}
	key.endpoint.account.Caller = "" // who asks makes no difference to the answer
	return c.flights.do(ctx, key, func(ctx context.Context) ([]byte, error) {
		got, err := c.ask(ctx, e, rawQuery, manner{})
		return got.body, err
	})
}

// A manner is how a request differs from the ordinary one.
type manner struct {
	from  string // Range header, "" for all
	takes []int  // statuses that are answers too, beside 200
}

// A reply is an answer. Of one that was refused it has the header only.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// ask is fetch for who wants more of the answer than its body. It shares
// nothing.
func (c *Client) ask(ctx context.Context, e endpoint, rawQuery string, how manner) (reply, error) {
	return withRetries(ctx, c.retryDelay, func() (reply, error) { return c.attempt(ctx, e, rawQuery, how) })
}

// attempt sends one request, when its turn has come.
func (c *Client) attempt(ctx context.Context, e endpoint, rawQuery string, how manner) (reply, error) {
	req, err := c.newRequest(ctx, e, rawQuery)
	if err != nil {
		return reply{}, err
	}
	if how.from != "" {
		req.Header.Set("Range", how.from)
	}
	gate := c.gates.of(e.account.API, req.Header.Get("Authorization"))
	if err := gate.enter(ctx, e.account.Caller); err != nil {
		return reply{}, err
	}
	defer gate.leave()
	resp, err := c.observed(c.http, req)
	if err != nil {
		return reply{}, transportError(ctx, err)
	}
	defer resp.Body.Close()
	gate.heed(resp.StatusCode, resp.Header)
	if resp.StatusCode != http.StatusOK && !slices.Contains(how.takes, resp.StatusCode) {
		return reply{status: resp.StatusCode, header: resp.Header}, refused(e, resp)
	}
	body, err := readBody(ctx, resp)
	return reply{resp.StatusCode, resp.Header, body}, err
}

func (c *Client) observed(client *http.Client, req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := client.Do(req)
	if c.config.Observe != nil {
		status := 0
		if err == nil {
			status = resp.StatusCode
		}
		c.config.Observe(status, time.Since(began))
	}
	return resp, err
}

// readBody reads an answer up to the cap, after decompression.
func readBody(ctx context.Context, resp *http.Response) ([]byte, error) {
	if resp.ContentLength > maxBody {
		return nil, fmt.Errorf("%w: more than %d MiB", ErrTooLarge, maxBody>>20)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case len(body) > maxBody:
		return nil, fmt.Errorf("%w: more than %d MiB", ErrTooLarge, maxBody>>20)
	case err != nil:
		return nil, transportError(ctx, err)
	}
	return body, nil
}

func refused(e endpoint, resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusalBody)) // half a body still has a status
	err := classify(e, refusal{status: resp.StatusCode, header: resp.Header, body: body})
	var limited *RateLimited
	switch {
	case errors.As(err, &limited):
		return retryable{err, limited.After}
	case resp.StatusCode >= 500:
		return retryable{err, retryAfter(resp.Header)}
	}
	return err
}
