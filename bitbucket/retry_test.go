package bitbucket

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

const second = time.Second

// When the requests of one call leave, and what it comes to. The call has 30 s.
func TestRetries(t *testing.T) {
	within := func(low, high time.Duration) [2]time.Duration { return [2]time.Duration{low, high} }
	exactly := func(d time.Duration) [2]time.Duration { return within(d, d) }
	soon, later := within(150*time.Millisecond, 300*time.Millisecond), within(300*time.Millisecond, 600*time.Millisecond)

	tests := map[string]struct {
		faults []sample.Fault
		want   error
		gaps   [][2]time.Duration // between one request and the next
	}{
		"no failure":                       {nil, nil, nil},
		"429 without Retry-After":          {[]sample.Fault{sample.RateLimited("").First(1)}, nil, [][2]time.Duration{exactly(defaultPause)}},
		"429, wait 2 s":                    {[]sample.Fault{sample.RateLimited("2").First(1)}, nil, [][2]time.Duration{exactly(2 * second)}},
		"429, wait 0 s":                    {[]sample.Fault{sample.RateLimited("0").First(1)}, nil, [][2]time.Duration{exactly(defaultPause)}},
		"429, wait -5 s":                   {[]sample.Fault{sample.RateLimited("-5").First(1)}, nil, [][2]time.Duration{exactly(defaultPause)}},
		"429, wait for a while":            {[]sample.Fault{sample.RateLimited("a while").First(1)}, nil, [][2]time.Duration{exactly(defaultPause)}},
		"429, twice, each says how long":   {[]sample.Fault{sample.RateLimited("2").First(1), sample.RateLimited("3").First(1)}, nil, [][2]time.Duration{exactly(2 * second), exactly(3 * second)}},
		"429 for ever":                     {[]sample.Fault{sample.RateLimited("2")}, &RateLimited{}, [][2]time.Duration{exactly(2 * second), exactly(2 * second)}},
		"429, wait 29 s of 30":             {[]sample.Fault{sample.RateLimited("29").First(1)}, nil, [][2]time.Duration{exactly(29 * second)}},
		"429, wait 30 s of 30":             {[]sample.Fault{sample.RateLimited("30")}, &RateLimited{}, nil},
		"429, wait an hour":                {[]sample.Fault{sample.RateLimited("3600")}, &RateLimited{}, nil},
		"429, wait longer than an int":     {[]sample.Fault{sample.RateLimited("99999999999999999999")}, &RateLimited{}, nil},
		"429, wait until next year":        {[]sample.Fault{sample.RateLimited("Fri, 31 Dec 2100 23:59:59 GMT")}, &RateLimited{}, nil},
		"429, wait until last year":        {[]sample.Fault{sample.RateLimited("Fri, 31 Dec 1999 23:59:59 GMT").First(1)}, nil, [][2]time.Duration{exactly(defaultPause)}},
		"500, then well":                   {[]sample.Fault{sample.Status(500, "").First(1)}, nil, [][2]time.Duration{soon}},
		"503 twice, then well":             {[]sample.Fault{sample.HTML(503, "").First(2)}, nil, [][2]time.Duration{soon, later}},
		"555 twice, then well":             {[]sample.Fault{sample.Status(555, "").First(2)}, nil, [][2]time.Duration{soon, later}},
		"555 for ever":                     {[]sample.Fault{sample.Status(555, "")}, ErrUnavailable, [][2]time.Duration{soon, later}},
		"502, 429, then well":              {[]sample.Fault{sample.Text(502, "").First(1), sample.RateLimited("4").First(1)}, nil, [][2]time.Duration{soon, exactly(4 * second)}},
		"503 with Retry-After":             {[]sample.Fault{withRetryAfter(503, "7").First(1)}, nil, [][2]time.Duration{exactly(7 * second)}},
		"503 with Retry-After of an hour":  {[]sample.Fault{withRetryAfter(503, "3600")}, ErrUnavailable, nil},
		"401 is not tried again":           {[]sample.Fault{sample.Status(401, "").First(1)}, ErrCredentialRejected, nil},
		"404 is not tried again":           {[]sample.Fault{sample.Status(404, "").First(1)}, ErrNotFound, nil},
		"400 is not tried again":           {[]sample.Fault{sample.Status(400, "").First(1)}, ErrUnavailable, nil},
		"a redirect is not tried again":    {[]sample.Fault{sample.RedirectTo(302, "/").First(1)}, ErrNotFound, nil},
		"half an answer is not asked anew": {[]sample.Fault{sample.CutJSON().First(1)}, ErrUnavailable, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := inMemory(t, one(t, sample.Options{}))
				s.Fail(test.faults...)
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), callTime)
				defer cancel()
				_, err := s.client.Repository(ctx, s.repo(t, "api", policy.Definition{}))
				if test.want == nil {
					require.NoError(t, err)
				} else {
					assertFails(t, test.want, err)
				}
				starts := s.starts()
				require.Len(t, starts, len(test.gaps)+1)
				for i, gap := range test.gaps {
					assert.GreaterOrEqual(t, starts[i+1]-starts[i], gap[0])
					assert.LessOrEqual(t, starts[i+1]-starts[i], gap[1])
				}
				assert.Equal(t, starts[len(starts)-1], time.Since(began), "an answer that is clear is given at once")
			})
		})
	}
}

func withRetryAfter(status int, value string) sample.Fault {
	return sample.Fault{Instead: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", value)
		w.WriteHeader(status)
	}}
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"3600": time.Hour,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
			"99999999999999999999": 24 * time.Hour,
		} {
			s := inMemory(t, one(t, sample.Options{}))
			s.Fail(sample.RateLimited(value))
			_, err := s.client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
			var limited *RateLimited
			require.ErrorAs(t, err, &limited)
			assert.Equal(t, want, limited.After)
		}
	})
}

// Who leaves while a retry waits does not wait on.
func TestWaitingForARetryEndsWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, one(t, sample.Options{}))
		s.Fail(sample.RateLimited("20"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*second, cancel)
		began := time.Now()
		_, err := s.client.Repository(ctx, s.repo(t, "api", policy.Definition{}))
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 3*second, time.Since(began))
		time.Sleep(time.Minute)
		assert.Len(t, s.Journal(), 1)
	})
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "1": second, "3600": time.Hour, "-1": 0, "1.5": 0, "x": 0, "1 s": 0, "+2": 2 * second,
		"86401": 24 * time.Hour, "9223372036854775807": 24 * time.Hour, "99999999999999999999": 24 * time.Hour, "-99999999999999999999": 0,
		"Mon, 01 Jan 1990 00:00:00 GMT": 0,
	} {
		assert.Equal(t, want, retryAfter(http.Header{"Retry-After": {value}}), strconv.Quote(value))
	}
	assert.Zero(t, retryAfter(nil))
}

// Whatever a header asks for, no wait is longer than a day: a date in the year
// 9999 must not overflow into one that has passed.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"1", "-1", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Monday, 02-Jan-06 15:04:05 MST"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		wait := retryAfter(http.Header{"Retry-After": {value}})
		assert.True(t, 0 <= wait && wait <= 24*time.Hour, "%q: %s", value, wait)
	})
}

func TestJitterStaysInTheSecondHalf(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := jitter(300 * time.Millisecond)
		assert.True(t, 150*time.Millisecond <= d && d < 300*time.Millisecond, d)
		seen[d] = true
	}
	assert.Greater(t, len(seen), 100, "it spreads")
	for _, d := range []time.Duration{-1, 0, 1, 2, 3} {
		assert.LessOrEqual(t, jitter(d), d)
	}
}

func TestOnlyRetryableFailuresAreRetried(t *testing.T) {
	attempts := 0
	failed := errors.New("failed")
	_, err := withRetries(t.Context(), 0, func() ([]byte, error) { attempts++; return nil, failed })
	assert.Equal(t, failed, err)
	assert.Equal(t, 1, attempts)
}
