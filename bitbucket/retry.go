package bitbucket

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	maxAttempts   = 3
	maxRetryDelay = 5 * time.Second
)

// A retryable answer is worth another attempt: 429 and 5xx.
type retryable struct {
	error
	after time.Duration // what Retry-After asked for, 0 when it did not
}

func (r retryable) Unwrap() error { return r.error }

// outOfTime marks an error that is due to a deadline: a call with more time
// left might not have met it.
type outOfTime struct{ error }

func (e outOfTime) Unwrap() error { return e.error }

func ranOutOfTime(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(outOfTime))
}

// withRetries calls attempt until it succeeds, fails for good, or has failed
// maxAttempts times. Where Bitbucket asks to wait longer than the call has
// left, it answers at once: waiting would only turn a clear answer into a
// time-out.
func withRetries[T any](ctx context.Context, delay time.Duration, attempt func() (T, error)) (T, error) {
	var none T
	for n := 1; ; n++ {
		got, err := attempt()
		var again retryable
		if !errors.As(err, &again) {
			return got, err
		}
		if n == maxAttempts {
			return none, again.error
		}
		wait := max(again.after, jitter(min(delay<<(n-1), maxRetryDelay)))
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return none, outOfTime{again.error}
		}
		if err := sleep(ctx, wait); err != nil {
			return none, err
		}
	}
}

// jitter spreads retries over the second half of d, so that clients that
// failed together do not come back together.
func jitter(d time.Duration) time.Duration {
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads the header of RFC 9110 section 10.2.3: seconds, or a date.
// What it asks for beyond a day counts as a day.
func retryAfter(header http.Header) time.Duration {
	const limit = 24 * time.Hour
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(max(seconds, 0), int(limit.Seconds()))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(date), 0), limit)
	}
	return 0
}
