package bitbucket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
	"bucketgate/bitbucket/sample"
	"bucketgate/policy"
)

// An asker asks for the repository of a value, with so much time, and notes
// what came of it and when.
type asker struct {
	err  error
	took time.Duration
}

func (s *site) ask(ctx context.Context, group *sync.WaitGroup, repo policy.Repo) *asker {
	a := &asker{}
	began := time.Now()
	group.Go(func() {
		_, a.err = s.client.Repository(ctx, repo)
		a.took = time.Since(began)
	})
	synctest.Wait()
	return a
}

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestEqualReadsCostOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, one(t, sample.Options{}))
		s.SetLatency(second)
		scope := s.scope(t, policy.Definition{})
		call := func() policy.Repo { return s.repoOf(t, "somebody", scope) }
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				r, err := s.client.Repository(t.Context(), s.repoOf(t, fmt.Sprint("caller ", i), scope))
				assert.NoError(t, err)
				assert.Equal(t, "acme/api", r.FullName)
			})
		}
		group.Wait()
		assert.Len(t, s.Journal(), 1)

		_, err := s.client.Repository(t.Context(), call())
		require.NoError(t, err)
		assert.Len(t, s.Journal(), 2, "only while it runs: nothing is kept")
	})
}

// repoOf is the repository api as a caller of its own holds it.
func (s *site) repoOf(t *testing.T, caller string, scopes ...policy.Scope) policy.Repo {
	t.Helper()
	ref, err := policy.ParseReference("api")
	require.NoError(t, err)
	call, err := policy.NewGrant(caller, scopes...).Begin(policy.Read, "")
	require.NoError(t, err)
	repos, err := call.Repositories(ref)
	require.NoError(t, err)
	require.Len(t, repos, 1)
	return repos[0]
}

// What differs in anything that decides about the answer shares nothing, and
// no two keys are alike because of how their parts are joined.
func TestUnequalReadsShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, one(t, sample.Options{}))
		s.SetLatency(second)
		scope := func(edit func(*policy.Definition)) policy.Scope {
			d := policy.Definition{Name: "s", Credential: "c", Version: "1"}
			edit(&d)
			return s.scope(t, d)
		}
		same := scope(func(*policy.Definition) {})
		different := []policy.Repo{
			s.repoOf(t, "somebody", same),
			s.repoOf(t, "somebody", scope(func(d *policy.Definition) { d.Credential = "other" })),
			s.repoOf(t, "somebody", scope(func(d *policy.Definition) { d.Version = "2" })),
			s.repoOf(t, "somebody", scope(func(d *policy.Definition) { d.Repositories = []string{"api"} })),
			s.repoOf(t, "somebody", scope(func(d *policy.Definition) { d.Branches = []string{"main"} })),
			s.repoOf(t, "somebody", scope(func(d *policy.Definition) { d.ExcludeBranches = []string{"main"} })),
			s.repoOf(t, "somebody", scope(func(d *policy.Definition) { d.Name = "other" })),
			s.repoOf(t, "somebody", same, scope(func(d *policy.Definition) { d.Name = "s2" })),
		}
		var group sync.WaitGroup
		for _, repo := range different {
			group.Go(func() {
				_, err := s.client.Repository(t.Context(), repo)
				assert.NoError(t, err)
			})
		}
		group.Wait()
		assert.Len(t, s.Journal(), len(different))
		for _, at := range s.starts() {
			assert.Zero(t, at, "all at the same time")
		}
	})
}

func TestEndpointsShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, one(t, sample.Options{}))
		s.SetLatency(second)
		var group sync.WaitGroup
		for _, r := range []route{routeRepository, routeBranches} {
			e, err := at(r, s.repo(t, "api", policy.Definition{}))
			require.NoError(t, err)
			group.Go(func() {
				_, err := s.client.fetch(t.Context(), e, "")
				assert.NoError(t, err)
			})
		}
		group.Wait()
		assert.Len(t, s.Journal(), 2)
	})
}

// The first leaves: the request goes on for the second.
func TestFirstMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, one(t, sample.Options{}))
		s.SetLatency(5 * second)
		repo := s.repo(t, "api", policy.Definition{})
		var group sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		first, second := s.ask(ctx, &group, repo), s.ask(t.Context(), &group, repo)
		time.Sleep(time.Second)
		cancel()
		group.Wait()
		require.ErrorIs(t, first.err, context.Canceled)
		assert.Equal(t, time.Second, first.took, "it does not wait on")
		require.NoError(t, second.err)
		require.Len(t, s.Journal(), 1)
		assert.False(t, s.Journal()[0].Canceled)
	})
}

// The last leaves: the request ends, and who comes now gets one of its own.
func TestLastEndsTheRequest(t *testing.T) {
	upstream := bitbuckettest.NewNeighbours(t)
	s := on(t, upstream.Server)
	s.Fail(sample.Hang().First(1))
	repo := s.repo(t, "api", policy.Definition{})
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			_, err := s.client.Repository(ctx, repo)
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	require.Eventually(t, func() bool { return len(s.Journal()) == 1 }, 5*time.Second, time.Millisecond)
	cancel()
	group.Wait()
	_, err := s.client.Repository(t.Context(), repo)
	require.NoError(t, err, "it does not join a request that ends")
	require.Eventually(t, func() bool { return s.Journal()[0].Canceled }, 5*time.Second, time.Millisecond, "the request goes on")
	assert.Len(t, s.Journal(), 2)
}

// Who has little time left does not spoil the answer of who has more, nor the
// other way round.
func TestDeadlineOfOneIsNotTheOthers(t *testing.T) {
	t.Run("the first has less time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, one(t, sample.Options{}))
			s.SetLatency(5 * second)
			repo := s.repo(t, "api", policy.Definition{})
			var group sync.WaitGroup
			short, long := s.ask(timeout(t, 2*second), &group, repo), s.ask(timeout(t, 20*second), &group, repo)
			group.Wait()
			require.ErrorIs(t, short.err, context.DeadlineExceeded)
			assert.Equal(t, 2*second, short.took)
			require.NoError(t, long.err)
			assert.Equal(t, 7*second, long.took)
			assert.Len(t, s.Journal(), 2)
		})
	})
	t.Run("the second has less time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, one(t, sample.Options{}))
			s.SetLatency(5 * second)
			repo := s.repo(t, "api", policy.Definition{})
			var group sync.WaitGroup
			long, short := s.ask(timeout(t, 20*second), &group, repo), s.ask(timeout(t, 2*second), &group, repo)
			group.Wait()
			require.ErrorIs(t, short.err, context.DeadlineExceeded)
			assert.Equal(t, 2*second, short.took)
			require.NoError(t, long.err)
			assert.Equal(t, 5*second, long.took)
			assert.Len(t, s.Journal(), 1)
		})
	})
	t.Run("the first has no time for a retry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for _, fault := range []sample.Fault{sample.RateLimited("10"), withRetryAfter(503, "10")} {
				s := inMemory(t, one(t, sample.Options{}))
				s.SetLatency(second)
				s.Fail(fault.First(1))
				repo := s.repo(t, "api", policy.Definition{})
				var group sync.WaitGroup
				short, long := s.ask(timeout(t, 5*second), &group, repo), s.ask(timeout(t, 30*second), &group, repo)
				group.Wait()
				require.Error(t, short.err)
				assert.Equal(t, second, short.took, "it hears at once")
				require.NoError(t, long.err)
				assert.Len(t, s.Journal(), 2)
			}
		})
	})
	t.Run("the pause is too long for the first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := inMemory(t, one(t, sample.Options{}))
			repo := s.repo(t, "api", policy.Definition{})
			gate := s.client.gates.of(s.api, basicOf(t, s))
			gate.heed(429, map[string][]string{"Retry-After": {"10"}})
			for range gateWidth {
				gate.active++ // all slots are taken, so that the two meet
			}
			var group sync.WaitGroup
			short, long := s.ask(timeout(t, 5*second), &group, repo), s.ask(timeout(t, 30*second), &group, repo)
			for range gateWidth {
				gate.leave()
			}
			group.Wait()
			assertFails(t, &RateLimited{}, short.err)
			require.NoError(t, long.err)
			assert.Equal(t, 10*second, long.took)
			assert.Len(t, s.Journal(), 1)
		})
	})
}

func basicOf(t *testing.T, s *site) string {
	t.Helper()
	e, err := at(routeRepository, s.repo(t, "api", policy.Definition{}))
	require.NoError(t, err)
	req, err := s.client.newRequest(t.Context(), e, "")
	require.NoError(t, err)
	return req.Header.Get("Authorization")
}

// Nobody waits for ever, not even who set no deadline, and the request is not
// begun again and again.
func TestReadWithoutDeadlineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, one(t, sample.Options{}))
		s.Fail(sample.Hang())
		began := time.Now()
		_, err := s.client.Repository(context.Background(), s.repo(t, "api", policy.Definition{}))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, callTime, time.Since(began))
		assert.Len(t, s.Journal(), 1)
	})
}

func TestErrorsAreSharedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inMemory(t, one(t, sample.Options{}))
		s.SetLatency(second)
		s.Fail(sample.Status(401, ""))
		repo := s.repo(t, "api", policy.Definition{})
		var group sync.WaitGroup
		var askers []*asker
		for range 10 {
			askers = append(askers, s.ask(t.Context(), &group, repo))
		}
		group.Wait()
		for _, a := range askers {
			assert.ErrorIs(t, a.err, ErrCredentialRejected)
		}
		assert.Len(t, s.Journal(), 1)
	})
}

// Many come and go at once: everybody gets an answer or what their own context
// says, reads run one at a time per key, and nothing is left behind.
func TestFlightsUnderLoad(t *testing.T) {
	var f flights
	var running [3]atomic.Int32
	var group sync.WaitGroup
	broken := errors.New("broken")
	for i := range 3000 {
		group.Go(func() {
			key := i % 3
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.N(int64(3*time.Millisecond))))
			defer cancel()
			body, err := f.do(ctx, string(rune('a'+key)), func(ctx context.Context) ([]byte, error) {
				running[key].Add(1)
				defer running[key].Add(-1)
				if err := sleep(ctx, time.Duration(rand.N(int64(time.Millisecond)))); err != nil {
					return nil, err
				}
				if rand.N(5) == 0 {
					return nil, broken
				}
				return []byte{byte(key)}, nil
			})
			switch {
			case err == nil:
				assert.Equal(t, []byte{byte(key)}, body)
			case !errors.Is(err, broken):
				deadline, _ := ctx.Deadline()
				assert.False(t, time.Now().Before(deadline), "somebody else's end: %v", err)
			}
		})
	}
	group.Wait()
	require.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.running) == 0 && running[0].Load()+running[1].Load()+running[2].Load() == 0
	}, 5*time.Second, time.Millisecond)
}
