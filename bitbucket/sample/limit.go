package sample

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// limiter counts requests per account in windows of an hour.
type limiter struct {
	limit int
	mu    sync.Mutex
	spent map[string]*window
}

type window struct {
	began time.Time
	count int
}

// limited says whether the call counts: what is below repositories does.
func (l *limiter) limited(c *call) bool {
	return l.limit > 0 && c.route != nil && strings.HasPrefix(c.route.path, "repositories/")
}

// take spends one request, or answers 429 when none is left.
func (l *limiter) take(c *call) error {
	if !l.limited(c) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.window(c.caller.name())
	if w.count >= l.limit {
		return &failure{
			status:  http.StatusTooManyRequests,
			message: "Rate limit for this resource has been exceeded",
		}
	}
	w.count++
	return nil
}

// window returns the running window of an account. The caller holds mu.
func (l *limiter) window(account string) *window {
	if l.spent == nil {
		l.spent = map[string]*window{}
	}
	w := l.spent[account]
	if w == nil || time.Since(w.began) >= time.Hour {
		w = &window{began: time.Now()}
		l.spent[account] = w
	}
	return w
}

// headers says how much is left. The reset is in seconds from now, as
// Bitbucket has it, and not a point in time.
func (l *limiter) headers(c *call) http.Header {
	if !l.limited(c) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.window(c.caller.name())
	left := l.limit - w.count
	h := http.Header{}
	h.Set("X-RateLimit-Limit", strconv.Itoa(l.limit))
	h.Set("X-RateLimit-Resource", "api-repositories")
	h.Set("X-RateLimit-NearLimit", strconv.FormatBool(left*5 < l.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", strconv.Itoa(int((time.Hour - time.Since(w.began)).Seconds())))
	return h
}
