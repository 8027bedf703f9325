package bitbucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxLog is how much of a log is read, from its end.
const maxLog = 64 << 10

// A Log is the end of a step's log. What looks like a secret is masked, and
// colours and the like are left out.
type Log struct {
	Text  string
	Whole bool // nothing came before it
}

// StepLog returns the end of a step's log. Of a finished step Bitbucket keeps
// the log on another host, and redirects there: that is followed once, over
// https, without the credential.
//
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines/#api-repositories-workspace-repo-slug-pipelines-pipeline-uuid-steps-step-uuid-log-get
func (c *Client) StepLog(ctx context.Context, step StepRight) (Log, error) {
	e, err := at(routeStepLog, step)
	if err != nil {
		return Log{}, err
	}
	e.slug, e.run, e.step = step.stepPipeline.Repo().Slug(), step.stepRun, step.stepUUID
	how := manner{
		from:  fmt.Sprintf("bytes=-%d", maxLog),
		takes: []int{http.StatusPartialContent, http.StatusTemporaryRedirect, http.StatusRequestedRangeNotSatisfiable},
	}
	got, err := c.ask(ctx, e, "", how)
	if errors.Is(err, ErrNotFound) {
		return Log{}, errNoLog
	}
	if err == nil && got.status == http.StatusTemporaryRedirect {
		got, err = c.storedLog(ctx, e, got.header.Get("Location"), how)
	}
	if err != nil {
		return Log{}, err
	}
	return newLog(got), nil
}

// storedLog reads a log where a redirect says that it is. The address is
// Bitbucket's word and nobody has judged it: no credential goes there, no
// private address is dialled, and another redirect ends it.
func (c *Client) storedLog(ctx context.Context, e endpoint, location string, how manner) (reply, error) {
	address, err := url.Parse(location)
	if err != nil || address.User != nil || address.Host == "" || !c.mayFetchLog(address, e) {
		return reply{}, unavailable("the log is at an address that is not followed")
	}
	return withRetries(ctx, c.retryDelay, func() (reply, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
		if err != nil {
			return reply{}, unavailable("the log is at an address that is not followed")
		}
		req.Header.Set("Range", how.from)
		req.Header.Set("User-Agent", c.config.UserAgent)
		resp, err := c.observed(c.logs, req)
		if err != nil {
			return reply{}, transportError(ctx, err)
		}
		defer resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable:
			body, err := readBody(ctx, resp)
			return reply{resp.StatusCode, resp.Header, body}, err
		}
		return reply{}, unavailable("the log's store answered %d", resp.StatusCode)
	})
}

// mayFetchLog takes https, and plain http only on this machine where the API
// itself is there too.
func (c *Client) mayFetchLog(address *url.URL, e endpoint) bool {
	if address.Scheme == "https" {
		return true
	}
	return address.Scheme == "http" && isLoopback(address.Hostname()) && strings.HasPrefix(e.account.API, "http://")
}

var wholeRange = regexp.MustCompile(`\Abytes 0-`)

func newLog(got reply) Log {
	if got.status == http.StatusRequestedRangeNotSatisfiable {
		return Log{Whole: true} // it is empty
	}
	body := got.body
	whole := got.status == http.StatusOK || wholeRange.MatchString(got.header.Get("Content-Range"))
	if len(body) > maxLog {
		body, whole = body[len(body)-maxLog:], false
	}
	text := string(body)
	if !whole {
		_, text, _ = strings.Cut(text, "\n") // half a line could be half a secret
	}
	return Log{Text: maskSecrets(cleanBlock(withoutColors(strings.ToValidUTF8(text, "�")))), Whole: whole}
}

// escapes are what terminals take for colours and movements (ECMA-48).
var escapes = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])`)

func withoutColors(text string) string { return escapes.ReplaceAllString(text, "") }
