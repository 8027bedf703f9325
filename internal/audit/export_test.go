package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func exported(t *testing.T, m *memory, filter Filter, writer string) (string, int64) {
	t.Helper()
	var out bytes.Buffer
	n, err := Export(&out, filter, func(take func(Record) error) error { return m.each(t.Context(), writer, take) })
	require.NoError(t, err)
	return out.String(), n
}

func imported(export string) Each {
	return func(_ context.Context, writer string, take func(Record) error) error {
		lines := bufio.NewScanner(strings.NewReader(export))
		for lines.Scan() {
			r, err := ParseExport(lines.Bytes())
			if err == nil && r.Writer == writer {
				err = take(r)
			}
			if err != nil {
				return err
			}
		}
		return lines.Err()
	}
}

func TestAnExportVerifiesElsewhere(t *testing.T) {
	m := twoChains(t)
	awkward := event(`","writer":"two","seq":1,"mac":"00"}` + "\n\u2028{<&>\\")
	c := chain{writer: "one"}
	c.advance(m.chains["one"][8])
	body, err := encode(canonical(awkward))
	require.NoError(t, err)
	r, err := c.next(testKey, entry{event: canonical(awkward), body: body})
	require.NoError(t, err)
	m.chains["one"] = append(m.chains["one"], r)

	one, n := exported(t, m, Filter{}, "one")
	require.Equal(t, int64(10), n)
	two, _ := exported(t, m, Filter{}, "two")
	require.Equal(t, 19, strings.Count(one+two, "\n"))
	report, err := Verify(t.Context(), []string{"one", "two"}, imported(one+two), testKey, headsOf(m))
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	require.Equal(t, int64(19), report.Events)

	report, err = Verify(t.Context(), []string{"one"}, imported(strings.Replace(one, "one-4", "one-5", 1)), testKey, nil)
	require.NoError(t, err)
	require.Equal(t, int64(4), report.Findings[0].Seq)
}

func TestALineIsTheBodyAndItsPlace(t *testing.T) {
	m := twoChains(t)
	out, _ := exported(t, m, Filter{}, "one")
	line, _, _ := strings.Cut(out, "\n")
	r := m.chains["one"][0]
	assert.True(t, strings.HasPrefix(line, strings.TrimSuffix(string(r.Body), "}")))
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &fields))
	for _, name := range append([]string{"decision", "time", "writer", "seq", "mac"}, textNames...) {
		assert.Contains(t, fields, name)
	}
	parsed, err := ParseExport([]byte(line + "\r\n"))
	require.NoError(t, err)
	assert.Equal(t, r, parsed)
}

// A body of a later version, or a forged one, may have such fields itself.
func TestALineWhoseBodyHasAPlaceToo(t *testing.T) {
	r := Record{Writer: "one", Seq: 3, Body: []byte(`{"id":"x","writer":"two","seq":9,"mac":"00"}`), MAC: []byte{1}}
	line, err := appendExport(nil, r)
	require.NoError(t, err)
	r.Event.ID = "x"
	parsed, err := ParseExport(line)
	require.NoError(t, err)
	assert.Equal(t, r, parsed)
	for _, line := range []string{"", "{}", `{,"writer":}`, `{"id":"x","writer":"one","seq":1,"mac":"x"}`, `{"id":7,"writer":"one","seq":1,"mac":"00"}`} {
		_, err := ParseExport([]byte(line))
		assert.Error(t, err, line)
	}
}

func TestExportFiltersByWhatWasSigned(t *testing.T) {
	m := newMemory()
	m.chains["one"] = signedChain(t, "one", 3)
	m.chains["one"][1].Event.Caller = "mallory" // a column; the body still says local
	_, n := exported(t, m, Filter{Caller: "local"}, "one")
	assert.Equal(t, int64(3), n)
	_, n = exported(t, m, Filter{Caller: "mallory"}, "one")
	assert.Zero(t, n)
}

func TestABodyThatWouldMakeTwoLines(t *testing.T) {
	for _, body := range []string{"", "{}", "{\n\"id\":\"x\"}", `{"id":"x"},{"id":"y"}`, `[1]`, `{"id":"x"`, "}"} {
		m := newMemory()
		m.chains["one"] = signedChain(t, "one", 1)
		m.chains["one"][0].Body = []byte(body)
		_, err := Export(&bytes.Buffer{}, Filter{}, func(take func(Record) error) error { return m.each(t.Context(), "one", take) })
		require.ErrorContains(t, err, m.chains["one"][0].Event.ID, body)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errDisk }

func TestAnExportThatIsNotWritten(t *testing.T) {
	m := twoChains(t)
	_, err := Export(brokenWriter{}, Filter{}, func(take func(Record) error) error { return m.each(t.Context(), "one", take) })
	require.ErrorIs(t, err, errDisk)
	_, err = Export(&bytes.Buffer{}, Filter{}, func(func(Record) error) error { return errors.New("gone") })
	require.ErrorContains(t, err, "gone")
}

func FuzzParseExport(f *testing.F) {
	for _, r := range signedChain(f, "one", 2) {
		line, err := appendExport(nil, r)
		require.NoError(f, err)
		f.Add(line)
	}
	f.Add([]byte(`{,"writer":"x","seq":1,"mac":""}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseExport(line)
		if err != nil {
			return
		}
		again, err := appendExport(nil, r)
		if err != nil {
			return
		}
		same, err := ParseExport(again)
		require.NoError(t, err)
		require.Equal(t, r.Body, same.Body)
		require.Equal(t, r.Seq, same.Seq)
		require.Equal(t, r.MAC, same.MAC)
	})
}
