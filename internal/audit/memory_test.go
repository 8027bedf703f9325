package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hmacKey is a key of the standard library.
type hmacKey string

func (k hmacKey) MAC(data []byte) ([]byte, error) {
	h := hmac.New(sha256.New, []byte(k))
	h.Write(data)
	return h.Sum(nil), nil
}

func (k hmacKey) VerifyMAC(mac, data []byte) error {
	if want, _ := k.MAC(data); !hmac.Equal(mac, want) {
		return errors.New("invalid MAC")
	}
	return nil
}

const testKey = hmacKey("the key of the tests")

// memory is a store that keeps what its interface promises, and fails when
// told to.
type memory struct {
	mu      sync.Mutex
	chains  map[string][]Record
	appends int           // that were tried
	groups  []int         // sizes of what was appended
	before  error         // fail, and write nothing
	after   error         // write, and say that it failed
	slow    time.Duration // for each append
	key     Key           // to verify with
}

func newMemory() *memory { return &memory{chains: map[string][]Record{}, key: testKey} }

func (m *memory) append(ctx context.Context, records []Record) error {
	if m.slow > 0 {
		time.Sleep(m.slow)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.appends++
	if m.before != nil {
		return m.before
	}
	if err := m.insert(records); err != nil {
		return err
	}
	return m.after
}

func (m *memory) insert(records []Record) error {
	var fresh []Record
	for _, r := range records {
		chain := m.chains[r.Writer]
		if r.Seq > int64(len(chain)) {
			fresh = append(fresh, r)
		} else if !bytes.Equal(chain[r.Seq-1].MAC, r.MAC) {
			return fmt.Errorf("inserting: %w", ErrBehind)
		}
	}
	for _, r := range fresh {
		if r.Seq != int64(len(m.chains[r.Writer]))+1 {
			panic("a gap")
		}
		m.chains[r.Writer] = append(m.chains[r.Writer], r)
	}
	if len(fresh) > 0 {
		m.groups = append(m.groups, len(fresh))
	}
	return nil
}

// commit is a transaction of one record, for With.
func (m *memory) commit(r Record) error { return m.append(context.Background(), []Record{r}) }

func (m *memory) last(writer string) func(context.Context) (Head, error) {
	return func(context.Context) (Head, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		chain := m.chains[writer]
		if len(chain) == 0 {
			return Head{}, nil
		}
		r := chain[len(chain)-1]
		return Head{Seq: r.Seq, MAC: r.MAC}, nil
	}
}

func (m *memory) fail(before, after error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before, m.after = before, after
}

func (m *memory) each(_ context.Context, writer string, take func(Record) error) error {
	for _, r := range m.chains[writer] {
		if err := take(r); err != nil {
			return fmt.Errorf("taking: %w", err)
		}
	}
	return nil
}

func (m *memory) verify(t *testing.T, heads Heads) Report {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	report, err := Verify(t.Context(), slices.Collect(maps.Keys(m.chains)), m.each, m.key, heads)
	require.NoError(t, err)
	return report
}

// requireTargets says which events the chain holds, and that it is whole.
func (m *memory) requireTargets(t *testing.T, writer string, want ...string) {
	t.Helper()
	require.Empty(t, m.verify(t, nil).Findings)
	require.Equal(t, want, m.targets(writer))
}

func (m *memory) targets(writer string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var targets []string
	for _, r := range m.chains[writer] {
		targets = append(targets, r.Event.Target)
	}
	return targets
}

func (m *memory) count() (appends, records int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, chain := range m.chains {
		records += len(chain)
	}
	return m.appends, records
}

func (m *memory) config(writer string) Config {
	return Config{Writer: writer, Key: testKey, Append: m.append, Last: m.last(writer)}
}

func openWriter(t *testing.T, c Config) *Writer {
	t.Helper()
	w, err := NewWriter(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.Close(ctx)
	})
	return w
}

func read(target string) Event {
	e := event(target)
	e.Decision, e.Reason = Allowed, ""
	return e
}

// signedChain is what a writer makes of n events.
func signedChain(t testing.TB, writer string, n int) []Record {
	t.Helper()
	c := chain{writer: writer}
	var records []Record
	for i := range n {
		e := canonical(event(fmt.Sprintf("%s-%d", writer, i+1)))
		body, err := encode(e)
		require.NoError(t, err)
		r, err := c.next(testKey, entry{event: e, body: body})
		require.NoError(t, err)
		c.advance(r)
		records = append(records, r)
	}
	return records
}
