package bitbucket

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/sample"
	"bucketgate/internal/secret"
	"bucketgate/policy"
)

func newGate() *gate { return (&gates{}).of("api", "Bearer x") }

// assertAtRest fails the test when a slot or a place in the line was lost.
func assertAtRest(t *testing.T, g *gate) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	assert.Zero(t, g.active, "slots that nobody gave back")
	assert.Empty(t, g.callers)
	assert.Empty(t, g.queues)
}

func TestNoMoreThanTheWidthIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, sample.New(sample.Options{}))
		wanted := numbered("r", 5*gateWidth)
		repositories(t, s.Server, wanted...)
		s.SetLatency(second)
		var group sync.WaitGroup
		for _, slug := range wanted {
			group.Go(func() {
				_, err := s.client.Repository(t.Context(), s.repo(t, slug, policy.Definition{}))
				assert.NoError(t, err)
			})
		}
		group.Wait()
		at := map[time.Duration]int{}
		for _, start := range s.starts() {
			at[start]++
		}
		// A second each, so that five rounds of all slots are the quickest way.
		assert.Equal(t, map[time.Duration]int{0: gateWidth, second: gateWidth, 2 * second: gateWidth, 3 * second: gateWidth, 4 * second: gateWidth}, at)
	})
}

// A caller who asks a hundred times does not keep one waiting who asks once.
func TestCallersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		for range gateWidth {
			require.NoError(t, g.enter(t.Context(), "greedy"))
		}
		entered := make(chan string, 104)
		ask := func(caller string, times int) {
			for range times {
				go func() {
					assert.NoError(t, g.enter(t.Context(), caller))
					entered <- caller
				}()
				synctest.Wait() // in this order
			}
		}
		ask("greedy", 100)
		ask("modest", 2)
		ask("third", 1)
		ask("greedy", 1)
		var order []string
		for range 104 {
			g.leave()
			order = append(order, <-entered)
		}
		assert.Equal(t, []string{"greedy", "modest", "third", "greedy", "modest", "greedy", "greedy"}, order[:7])
		for range gateWidth {
			g.leave()
		}
		assertAtRest(t, g)
	})
}

// Whoever gives up, while waiting, while just being let in, or while inside:
// all slots come back, and never are there too many.
func TestGivingUpLosesNoSlot(t *testing.T) {
	g := newGate()
	var mu sync.Mutex
	inside, most := 0, 0
	var group sync.WaitGroup
	for i := range 2000 {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.N(int64(2*time.Millisecond))))
			defer cancel()
			if g.enter(ctx, fmt.Sprint("caller ", i%7)) != nil {
				return
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			time.Sleep(time.Duration(rand.N(int64(200 * time.Microsecond))))
			mu.Lock()
			inside--
			mu.Unlock()
			g.leave()
		})
	}
	group.Wait()
	assert.LessOrEqual(t, most, gateWidth)
	assertAtRest(t, g)
}

// The turn came in the moment in which the waiter left: it goes to the next.
func TestTurnOfWhoHasLeftIsPassedOn(t *testing.T) {
	g := newGate()
	for range gateWidth {
		require.NoError(t, g.enter(t.Context(), "a"))
	}
	turn := make(chan struct{})
	g.callers, g.queues = []string{"a"}, map[string][]chan struct{}{"a": {turn}}
	g.leave()
	<-turn
	g.giveUp("a", turn)
	assert.Equal(t, gateWidth-1, g.active)
	require.NoError(t, g.enter(t.Context(), "b"))
}

// After a 429 nobody of the account asks before the time is over, and who
// cannot wait so long hears at once how long it would be.
func TestPauseHoldsTheWholeAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, one(t, sample.Options{}))
		repositories(t, s.Server, "web")
		s.Fail(sample.RateLimited("3600").First(1))
		_, err := s.client.Repository(t.Context(), s.repo(t, "api", policy.Definition{}))
		assertFails(t, &RateLimited{}, err)
		require.Len(t, s.Journal(), 1)

		time.Sleep(10 * time.Minute)
		began := time.Now()
		for range 100 {
			_, err = s.client.Repository(t.Context(), s.repo(t, "web", policy.Definition{}))
			var limited *RateLimited
			require.ErrorAs(t, err, &limited)
			assert.Equal(t, 50*time.Minute, limited.After)
		}
		assert.Zero(t, time.Since(began), "the answer is there at once")
		assert.Len(t, s.Journal(), 1, "and nothing was sent")

		s.client.config.Credential = func(context.Context, string) (Credential, error) {
			return Credential{API: s.api, Username: "other@example.com", APIKey: secret.NewText("x")}, nil
		}
		_, err = s.client.Repository(t.Context(), s.repo(t, "web", policy.Definition{}))
		require.NoError(t, err, "another account is not held up")
		s.client.config.Credential = keyFor(s.api)

		time.Sleep(49*time.Minute + 50*second)
		_, err = s.client.Repository(t.Context(), s.repo(t, "web", policy.Definition{}))
		require.NoError(t, err, "ten seconds can be waited for")
		assert.Equal(t, time.Hour, s.starts()[2])
	})
}

// A pause that is learned of while others wait for their start holds for them.
func TestPauseHoldsWhoWaitsAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.pace = second
		began := time.Now()
		require.NoError(t, g.enter(t.Context(), "a"))
		entered := make(chan time.Duration)
		go func() {
			assert.NoError(t, g.enter(t.Context(), "b"))
			entered <- time.Since(began)
		}()
		synctest.Wait()
		g.heed(http.StatusTooManyRequests, http.Header{"Retry-After": {"10"}})
		assert.Equal(t, 10*second, <-entered)
	})
}

// Neither refused calls nor calls that leave push the others' start away: or
// who keeps asking would keep everybody out for ever.
func TestWhoDoesNotStartTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		slow := http.Header{"X-Ratelimit-Limit": {"1000"}, "X-Ratelimit-Remaining": {"1"}, "X-Ratelimit-Reset": {"3600"}}
		g.heed(http.StatusOK, slow)
		require.Equal(t, maxPace, g.pace)
		require.NoError(t, g.enter(t.Context(), "a"))
		g.leave()
		for range 500 {
			ctx, cancel := context.WithTimeout(t.Context(), second) // less than the pace
			assertFails(t, &RateLimited{}, g.enter(ctx, "hasty"))
			cancel()
		}
		var group sync.WaitGroup
		for range 500 {
			ctx, cancel := context.WithCancel(t.Context())
			group.Go(func() { assert.Error(t, g.enter(ctx, "fickle")) })
			synctest.Wait()
			cancel()
		}
		group.Wait()
		began := time.Now()
		require.NoError(t, g.enter(t.Context(), "b"))
		assert.Equal(t, maxPace, time.Since(began))
		g.leave()
		assertAtRest(t, g)
	})
}

func TestPace(t *testing.T) {
	limits := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set("X-RateLimit-"+pairs[i], pairs[i+1])
		}
		return h
	}
	for name, test := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"no headers":                     {limits(), 0},
		"plenty left":                    {limits("Limit", "1000", "Remaining", "900", "Reset", "3600"), 0},
		"a tenth left":                   {limits("Limit", "1000", "Remaining", "100", "Reset", "100"), 0},
		"less than a tenth: spread":      {limits("Limit", "1000", "Remaining", "99", "Reset", "100"), second},
		"less than a tenth, long to go":  {limits("Limit", "1000", "Remaining", "99", "Reset", "3600"), maxPace},
		"nothing left":                   {limits("Limit", "1000", "Remaining", "0", "Reset", "1"), second},
		"nothing left, reset any moment": {limits("Limit", "1000", "Remaining", "0", "Reset", "0"), 0},
		"the limit is a list":            {limits("Limit", "60, 60;w=3600", "Remaining", "3", "Reset", "4"), second},
		"low, reset unknown":             {limits("Limit", "1000", "Remaining", "1"), nearLimitPace},
		"near":                           {limits("NearLimit", "true"), nearLimitPace},
		"near, capital":                  {limits("NearLimit", "True"), nearLimitPace},
		"not near":                       {limits("NearLimit", "false"), 0},
		"limit unknown":                  {limits("Remaining", "1", "Reset", "60"), 0},
		"no numbers":                     {limits("Limit", "many", "Remaining", "few", "Reset", "soon"), 0},
		"negative":                       {limits("Limit", "-1", "Remaining", "-1", "Reset", "-1"), 0},
		"huge":                           {limits("Limit", "999999999999", "Remaining", "1", "Reset", "999999999999"), maxPace},
		"beyond numbers":                 {limits("Limit", "99999999999999999999", "Remaining", "1", "Reset", "1"), 0},
	} {
		assert.Equal(t, test.want, pace(test.header), name)
	}
}

// What an answer says of the limit spaces the requests after it out.
func TestRequestsKeepThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, sample.New(sample.Options{RateLimit: 40}))
		wanted := numbered("r", 40)
		repositories(t, s.Server, wanted...)
		for _, slug := range wanted {
			ctx, cancel := context.WithTimeout(t.Context(), callTime)
			_, err := s.client.Repository(ctx, s.repo(t, slug, policy.Definition{}))
			cancel()
			require.NoError(t, err)
		}
		starts := s.starts()
		assert.Zero(t, starts[32], "as long as a fifth is left")
		// An answer tells of the pace when the next start is set already.
		var gaps []time.Duration
		for i := 33; i < 40; i++ {
			gaps = append(gaps, starts[i]-starts[i-1])
		}
		const near, low = nearLimitPace, maxPace // less than a fifth, less than a tenth with an hour to go
		assert.Equal(t, []time.Duration{0, near, near, near, near, low, low}, gaps)
	})
}

// Bitbucket counts by user, whichever token is used, or by access token.
func TestAccounts(t *testing.T) {
	basic := func(user, password string) string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	var g gates
	a := g.of("https://a", basic("person@example.com", "one"))
	assert.Same(t, a, g.of("https://a", basic("person@example.com", "two")), "another token of the same user")
	assert.Same(t, a, g.of("https://a", basic("Person@Example.com", "one")), "the same user in another spelling")
	assert.NotSame(t, a, g.of("https://a", basic("other@example.com", "one")), "another user")
	assert.NotSame(t, a, g.of("https://b", basic("person@example.com", "one")), "another address")
	assert.NotSame(t, a, g.of("https://a", "Bearer person@example.com"), "an access token")
	assert.Same(t, g.of("https://a", "Bearer x"), g.of("https://a", "Bearer x"))
	assert.NotSame(t, g.of("https://a", "Bearer x"), g.of("https://a", "Bearer X"))
}
