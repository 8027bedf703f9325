package audit

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFilterChooses(t *testing.T) {
	e := event("api")
	e.Scope = "team-a,team-b"
	for name, test := range map[string]struct {
		filter Filter
		want   bool
	}{
		"all":                  {Filter{}, true},
		"caller":               {Filter{Caller: "local"}, true},
		"another caller":       {Filter{Caller: "loca"}, false},
		"tool":                 {Filter{Tool: "get_repo"}, true},
		"another tool":         {Filter{Tool: "get"}, false},
		"first scope":          {Filter{Scope: "team-a"}, true},
		"second scope":         {Filter{Scope: "team-b"}, true},
		"part of a scope":      {Filter{Scope: "team"}, false},
		"two scopes in one":    {Filter{Scope: "team-a,team-b"}, false},
		"denied":               {Filter{Decision: Denied}, true},
		"allowed":              {Filter{Decision: Allowed}, false},
		"since that very time": {Filter{Since: e.Time}, true},
		"since later":          {Filter{Since: e.Time.Add(1)}, false},
		"until that very time": {Filter{Until: e.Time}, false},
		"until later":          {Filter{Until: e.Time.Add(1)}, true},
		"all but one":          {Filter{Caller: "local", Tool: "get_repo", Scope: "team-c"}, false},
	} {
		assert.Equal(t, test.want, test.filter.Matches(e), name)
	}
}

func TestEveryTextIsNamedAndCompared(t *testing.T) {
	var e Event
	raw, err := json.Marshal(e)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(raw, &fields))
	require.Equal(t, reflect.TypeFor[Event]().NumField(), len(texts(&e))+2, "texts holds all but time and decision")
	require.Len(t, textNames, len(texts(&e)))
	for i, text := range texts(&e) {
		*text = "canary"
		raw, err := json.Marshal(e)
		require.NoError(t, err)
		assert.Contains(t, string(raw), `"`+textNames[i]+`":"canary"`)
		*text = ""
	}
}

func TestCanonicalEventsSurviveAnyStore(t *testing.T) {
	e := event("a\x00b\xffc")
	e.Decision = "\xff"
	e.Time = time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.FixedZone("", 7200))
	c := canonical(e)
	assert.Equal(t, "a\uFFFDb\uFFFDc", c.Target)
	assert.Equal(t, Decision("\uFFFD"), c.Decision)
	assert.Equal(t, "2026-05-04T01:02:01.123456Z", c.Time.Format(time.RFC3339Nano))
	body, err := encode(c)
	require.NoError(t, err)
	said, err := decode(body)
	require.NoError(t, err)
	assert.Equal(t, c, said)
	assert.True(t, says(body, c))
}

func TestABodyOfAnOlderVersionSaysTheSame(t *testing.T) {
	e := event("api")
	e.GrantVersion, e.From = "", ""
	body := []byte(`{"reason":"matches no pattern","id":"` + e.ID + `","time":"2026-05-04T03:02:01Z","caller":"local","role":"agent","transport":"http","tool":"get_repo","scope":"environment","target":"api","decision":"denied"}`)
	assert.True(t, says(body, e))
	e.Time = e.Time.In(time.FixedZone("", 3600))
	assert.True(t, says(body, e))
	e.Target = "other"
	assert.False(t, says(body, e))
	assert.False(t, says([]byte("{"), e))
}
