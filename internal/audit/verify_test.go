package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func cloneRecords(records []Record) []Record {
	records = slices.Clone(records)
	for i := range records {
		records[i].Body, records[i].MAC = bytes.Clone(records[i].Body), bytes.Clone(records[i].MAC)
	}
	return records
}

func twoChains(t testing.TB) *memory {
	m := newMemory()
	m.chains["one"], m.chains["two"] = signedChain(t, "one", 9), signedChain(t, "two", 9)
	return m
}

func headsOf(m *memory) Heads {
	heads := Heads{}
	for writer, chain := range m.chains {
		r := chain[len(chain)-1]
		heads[writer] = Head{Seq: r.Seq, MAC: r.MAC, ID: r.Event.ID}
	}
	return heads
}

func TestAWholeChainHasNoFinding(t *testing.T) {
	m := twoChains(t)
	for _, heads := range []Heads{nil, headsOf(m), {"one": {}}} {
		report := m.verify(t, heads)
		assert.True(t, report.OK(), report.Findings)
		assert.Equal(t, int64(18), report.Events)
		assert.Equal(t, 2, report.Writers)
	}
	heads := headsOf(m)
	for writer, records := range m.chains {
		m.chains[writer] = append(records, nextOf(t, records))
	}
	assert.True(t, m.verify(t, heads).OK(), "what is written after the head is no finding")
}

func nextOf(t *testing.T, records []Record) Record {
	t.Helper()
	last := records[len(records)-1]
	c := chain{writer: last.Writer}
	c.advance(last)
	e := canonical(event("next"))
	body, err := encode(e)
	require.NoError(t, err)
	r, err := c.next(testKey, entry{event: e, body: body})
	require.NoError(t, err)
	return r
}

// An edit changes a chain and returns the index of the first record that is
// not as it was signed, or -1 where nothing changed.
type edit struct {
	name  string
	apply func(r *rand.Rand, m *memory, i, j int) int
}

var edits = []edit{
	{"a byte of a body", func(r *rand.Rand, m *memory, i, _ int) int {
		body := m.chains["one"][i].Body
		body[r.IntN(len(body))] ^= byte(1 + r.IntN(255))
		return i
	}},
	{"a byte of a MAC", func(r *rand.Rand, m *memory, i, _ int) int {
		mac := m.chains["one"][i].MAC
		mac[r.IntN(len(mac))] ^= byte(1 + r.IntN(255))
		return i
	}},
	{"a shorter MAC", func(r *rand.Rand, m *memory, i, _ int) int {
		mac := m.chains["one"][i].MAC
		m.chains["one"][i].MAC = mac[:r.IntN(len(mac))]
		return i
	}},
	{"a body and its columns", func(r *rand.Rand, m *memory, i, _ int) int {
		e := &m.chains["one"][i].Event
		e.Decision = Allowed
		m.chains["one"][i].Body, _ = encode(*e)
		return i
	}},
	{"a body signed with another key", func(r *rand.Rand, m *memory, i, _ int) int {
		records := m.chains["one"]
		c := chain{writer: "one"}
		if i > 0 {
			c.advance(records[i-1])
		}
		for k := i; k < len(records); k++ { // the whole tail anew
			records[k], _ = c.next(hmacKey("guessed"), entry{event: records[k].Event, body: records[k].Body})
			c.advance(records[k])
		}
		return i
	}},
	{"one column", func(r *rand.Rand, m *memory, i, _ int) int {
		e := &m.chains["one"][i].Event
		fields := texts(e)
		switch k := r.IntN(len(fields) + 2); k {
		case len(fields):
			e.Decision = Allowed
		case len(fields) + 1:
			e.Time = e.Time.Add(Precision)
		default:
			*fields[k] += "x"
		}
		return i
	}},
	{"swapped with their numbers", func(r *rand.Rand, m *memory, i, j int) int {
		records := m.chains["one"]
		records[i], records[j] = records[j], records[i]
		return differs(i, j, min(i, j))
	}},
	{"swapped under the old numbers", func(r *rand.Rand, m *memory, i, j int) int {
		records := m.chains["one"]
		records[i], records[j] = records[j], records[i]
		records[i].Seq, records[j].Seq = records[j].Seq, records[i].Seq
		return differs(i, j, min(i, j))
	}},
	{"MACs swapped", func(r *rand.Rand, m *memory, i, j int) int {
		records := m.chains["one"]
		records[i].MAC, records[j].MAC = records[j].MAC, records[i].MAC
		return differs(i, j, min(i, j))
	}},
	{"dropped", func(r *rand.Rand, m *memory, i, _ int) int {
		m.chains["one"] = slices.Delete(m.chains["one"], i, i+1)
		return i // the one after it; past the end it is a cut tail
	}},
	{"dropped and renumbered", func(r *rand.Rand, m *memory, i, _ int) int {
		m.chains["one"] = renumber(slices.Delete(m.chains["one"], i, i+1))
		return i
	}},
	{"several dropped", func(r *rand.Rand, m *memory, i, j int) int {
		m.chains["one"] = slices.Delete(m.chains["one"], min(i, j), max(i, j)+1)
		return min(i, j)
	}},
	{"there twice", func(r *rand.Rand, m *memory, i, j int) int {
		m.chains["one"] = slices.Insert(m.chains["one"], max(i, j)+1, m.chains["one"][min(i, j)])
		return max(i, j) + 1
	}},
	{"there twice and renumbered", func(r *rand.Rand, m *memory, i, j int) int {
		m.chains["one"] = renumber(slices.Insert(m.chains["one"], max(i, j)+1, m.chains["one"][min(i, j)]))
		return max(i, j) + 1
	}},
	{"put in", func(r *rand.Rand, m *memory, i, j int) int {
		e := canonical(event("forged"))
		body, _ := encode(e)
		forged := Record{Writer: "one", Seq: int64(i + 1), Event: e, Body: body, MAC: m.chains["one"][j].MAC}
		m.chains["one"] = renumber(slices.Insert(m.chains["one"], i, forged))
		return i
	}},
	{"taken from another writer", func(r *rand.Rand, m *memory, i, j int) int {
		m.chains["one"][i] = m.chains["two"][j]
		m.chains["one"][i].Seq = int64(i + 1)
		return i
	}},
	{"taken from another writer under the name", func(r *rand.Rand, m *memory, i, j int) int {
		m.chains["one"][i] = m.chains["two"][j]
		m.chains["one"][i].Seq, m.chains["one"][i].Writer = int64(i+1), "one"
		return i
	}},
	{"a whole chain under another name", func(r *rand.Rand, m *memory, _, _ int) int {
		m.chains["one"] = m.chains["two"]
		for i := range m.chains["one"] {
			m.chains["one"][i].Writer = "one"
		}
		delete(m.chains, "two")
		return 0
	}},
	{"cut at the beginning", func(r *rand.Rand, m *memory, i, _ int) int {
		m.chains["one"] = renumber(m.chains["one"][i:])
		return differs(i, 0, 0)
	}},
	{"a number", func(r *rand.Rand, m *memory, i, _ int) int {
		m.chains["one"][i].Seq += int64(1 + r.IntN(3))
		return i
	}},
	{"a number below", func(r *rand.Rand, m *memory, i, _ int) int {
		m.chains["one"][i].Seq -= int64(1 + r.IntN(30))
		return i
	}},
	{"cut at the end", func(r *rand.Rand, m *memory, i, _ int) int {
		m.chains["one"] = m.chains["one"][:i]
		return i
	}},
	{"cut at the end and the writer gone", func(r *rand.Rand, m *memory, _, _ int) int {
		delete(m.chains, "one")
		return 0
	}},
}

func differs(i, j, first int) int {
	if i == j {
		return -1
	}
	return first
}

func renumber(records []Record) []Record {
	for i := range records {
		records[i].Seq = int64(i + 1)
	}
	return records
}

// The property: whatever one does to a chain without the key, the first event
// that is not as it was signed is named. With the heads that is so for an end
// that was cut off too, and without them it is the only thing not found.
func TestEveryEditIsFoundAndNamed(t *testing.T) {
	whole := twoChains(t)
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 100 * len(edits) {
		edit := edits[round%len(edits)]
		m := newMemory()
		for writer, records := range whole.chains {
			m.chains[writer] = cloneRecords(records)
		}
		first := edit.apply(r, m, r.IntN(9), r.IntN(9))
		why := fmt.Sprintf("round %d: %s at %d", round, edit.name, first)
		requireFound(t, m, headsOf(whole), first, why)
	}
}

func requireFound(t *testing.T, m *memory, heads Heads, first int, why string) {
	t.Helper()
	with, without := m.verify(t, heads), m.verify(t, nil)
	if first < 0 {
		require.Empty(t, with.Findings, why)
		return
	}
	require.NotEmpty(t, with.Findings, why)
	found := with.Findings[0]
	require.Equal(t, "one", found.Writer, why)
	require.NotEmpty(t, found.ID, why)
	require.NotEmpty(t, found.Words, why)
	if records := m.chains["one"]; first < len(records) {
		require.Equal(t, records[first].Seq, found.Seq, "%s: %s", why, found)
		require.Contains(t, []string{records[first].Event.ID, bodyID(records[first])}, found.ID, why)
		require.NotEmpty(t, without.Findings, why)
		require.Equal(t, found, without.Findings[0], why)
	} else {
		require.Equal(t, heads["one"].ID, found.ID, why)
		require.Empty(t, without.Findings, why)
	}
}

func bodyID(r Record) string {
	e, _ := decode(r.Body)
	return e.ID
}

func TestFindingsInWords(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(m *memory)
		want string
	}{
		"text":     {func(m *memory) { m.chains["one"][2].Body[20]++ }, "event ID3 (writer one, number 3): it is not what was signed here: its text, its place or its MAC was changed, or it was put in by somebody without the key"},
		"column":   {func(m *memory) { m.chains["one"][2].Event.Caller = "mallory" }, "event ID3 (writer one, number 3): what the table shows is not what was signed: caller"},
		"id":       {func(m *memory) { m.chains["one"][2].Event.ID = "x" }, `event ID3 (writer one, number 3): what the table shows is not what was signed: id (it shows the ID "x")`},
		"decision": {func(m *memory) { m.chains["one"][2].Event.Decision = Allowed }, "event ID3 (writer one, number 3): what the table shows is not what was signed: decision"},
		"time":     {func(m *memory) { m.chains["one"][2].Event.Time = time.Time{} }, "event ID3 (writer one, number 3): what the table shows is not what was signed: time"},
		"one gone": {func(m *memory) { m.chains["one"] = slices.Delete(m.chains["one"], 2, 3) }, "event ID4 (writer one, number 4): one event (number 3) is missing before it"},
		"two gone": {func(m *memory) { m.chains["one"] = slices.Delete(m.chains["one"], 2, 4) }, "event ID5 (writer one, number 5): 2 events (numbers 3 to 4) are missing before it"},
		"twice":    {func(m *memory) { m.chains["one"][3] = m.chains["one"][2] }, "event ID3 (writer one, number 3): it is there twice or out of order: number 4 was expected"},
		"writer":   {func(m *memory) { m.chains["one"][2].Writer = "two" }, "event ID3 (writer one, number 3): it stands among the events of writer one and is one of two"},
		"tail":     {func(m *memory) { m.chains["one"] = m.chains["one"][:7] }, "event ID9 (writer one, number 9): the head file knows it and it is gone: the chain ends at number 7 (event ID7), 2 events (numbers 8 to 9) are missing from the end"},
		"all":      {func(m *memory) { delete(m.chains, "one") }, "event ID9 (writer one, number 9): the head file knows it and it is gone: nothing of this writer is left, 9 events (numbers 1 to 9) are missing from the end"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			m.chains["one"] = namedChain(t)
			heads := headsOf(m)
			test.edit(m)
			report := m.verify(t, heads)
			require.Len(t, report.Findings, 1)
			assert.Equal(t, test.want, report.Findings[0].String())
			assert.False(t, report.OK())
		})
	}
}

func namedChain(t *testing.T) []Record {
	c := chain{writer: "one"}
	var records []Record
	for i := range 9 {
		e := canonical(event("api"))
		e.ID = fmt.Sprintf("ID%d", i+1)
		body, err := encode(e)
		require.NoError(t, err)
		r, err := c.next(testKey, entry{event: e, body: body})
		require.NoError(t, err)
		c.advance(r)
		records = append(records, r)
	}
	return records
}

// Who has an old copy of the database puts back another end than the one that
// the head knows.
func TestAHeadThatIsNotInTheChain(t *testing.T) {
	m := newMemory()
	m.chains["one"] = signedChain(t, "one", 4)
	heads := headsOf(m)
	m.chains["one"][3] = nextOf(t, m.chains["one"][:3])
	report := m.verify(t, heads)
	require.Len(t, report.Findings, 1)
	assert.Equal(t, int64(4), report.Findings[0].Seq)
	assert.Contains(t, report.Findings[0].Words, "not the event that the head file has")
}

func TestEveryBrokenChainIsNamedOnce(t *testing.T) {
	m := twoChains(t)
	m.chains["one"][3].MAC[0]++
	m.chains["two"][5].MAC[0]++
	m.chains["two"][6].MAC[0]++
	report := m.verify(t, nil)
	require.Len(t, report.Findings, 2)
	assert.Equal(t, int64(4), report.Findings[0].Seq)
	assert.Equal(t, "two", report.Findings[1].Writer)
	assert.Equal(t, int64(6), report.Findings[1].Seq)
}

func TestWhatCannotBeReadIsNoFinding(t *testing.T) {
	broken := errors.New("disk")
	each := func(context.Context, string, func(Record) error) error { return broken }
	_, err := Verify(t.Context(), []string{"one"}, each, testKey, nil)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "reading the events of writer one")
}

// A reader that forgets the error of take must not make a chain look whole.
func TestAReaderThatGoesOn(t *testing.T) {
	m := twoChains(t)
	m.chains["one"][3].MAC[0]++
	each := func(ctx context.Context, writer string, take func(Record) error) error {
		for _, r := range m.chains[writer] {
			_ = take(r)
		}
		return nil
	}
	report, err := Verify(t.Context(), []string{"one"}, each, testKey, headsOf(m))
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	assert.Equal(t, int64(4), report.Findings[0].Seq)
}

// What is signed must be readable in one way only, or bytes could move from
// one part into the next under the same MAC.
func TestPartsDoNotRunTogether(t *testing.T) {
	seen := map[string]string{}
	for _, writer := range []string{"a", "ab", "a\x00"} {
		for _, prev := range []string{"", "b", "bc", "c"} {
			for _, body := range []string{"", "c", "bc", "cd", "d"} {
				c := chain{writer: writer, head: Head{MAC: []byte(prev)}}
				data := string(c.data(1, []byte(body)))
				parts := fmt.Sprintf("%q %q %q", writer, prev, body)
				require.NotContains(t, seen, data, parts)
				seen[data] = parts
			}
		}
	}
}

// What is signed is a promise to logs that are there already, and differs for
// each thing that is signed.
func TestWhatIsSigned(t *testing.T) {
	c := chain{writer: "one", head: Head{MAC: []byte{7, 8}}}
	assert.Equal(t, "\x00\x00\x00\x00\x00\x00\x00\x19bucketgate audit record 1"+
		"\x00\x00\x00\x00\x00\x00\x00\x03one"+
		"\x00\x00\x00\x00\x00\x00\x01\x02"+
		"\x00\x00\x00\x00\x00\x00\x00\x02\x07\x08"+
		"\x00\x00\x00\x00\x00\x00\x00\x02{}", string(c.data(258, []byte("{}"))))
	assert.Equal(t, "\x00\x00\x00\x00\x00\x00\x00\x18bucketgate audit heads 1"+
		"\x00\x00\x00\x00\x00\x00\x00\x03one"+
		"\x00\x00\x00\x00\x00\x00\x01\x02"+
		"\x00\x00\x00\x00\x00\x00\x00\x01A"+
		"\x00\x00\x00\x00\x00\x00\x00\x02\x07\x08", string(headsData(Heads{"one": {258, []byte{7, 8}, "A"}})))
	body, err := encode(canonical(Event{ID: "A", Time: time.Unix(0, 0), Target: "<é>", Decision: Denied}))
	require.NoError(t, err)
	assert.Equal(t, `{"id":"A","time":"1970-01-01T00:00:00Z","caller":"","role":"","transport":"","tool":"","scope":"","target":"\u003cé\u003e","decision":"denied","reason":"","grant_version":""}`, string(body))
}

func FuzzAnotherBodyIsFound(f *testing.F) {
	records := signedChain(f, "one", 2)
	f.Add(records[1].Body, records[1].MAC)
	f.Add(records[0].Body, records[0].MAC)
	f.Fuzz(func(t *testing.T, body, mac []byte) {
		m := newMemory()
		m.chains["one"] = cloneRecords(records)
		m.chains["one"][1].Body, m.chains["one"][1].MAC = body, mac
		same := bytes.Equal(body, records[1].Body) && bytes.Equal(mac, records[1].MAC)
		require.Equal(t, same, m.verify(t, nil).OK())
	})
}
