package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"bucketgate/bitbucket/bitbuckettest"
)

var update = flag.Bool("update", false, "rewrite the conversations in testdata")

// The protocols, each with its own file in testdata.
var protocols = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}

// Each file is a conversation as clients depend on it: a line that begins with
// "-> " is what the client says, one with "<- " and what follows it, up to an
// empty line, is the answer. They are about the data of Neighbours, whose
// commits are the same in every run. With -update the answers are written anew.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conversation")
	require.NoError(t, err)
	assert.Len(t, files, len(protocols), "one file for each protocol, and no other")
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			path := filepath.Join("testdata", protocol+".conversation")
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			f := fixtureOn(t, bitbuckettest.NewNeighbours(t).Server)
			f.toolbox.Tools = f.toolbox.Tools[:4] // those of the product
			got := f.replay(t, string(want))
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
				return
			}
			assert.Equal(t, string(want), got, "run go test ./server -update if the change is meant")
			assert.Contains(t, got, protocol)
			assert.Contains(t, got, `"structuredContent"`)
		})
	}
}

// replay says what the client of a conversation says, one message at a time,
// and returns the conversation with the answers that came.
func (f *fixture) replay(t *testing.T, conversation string) string {
	c := f.connect(t)
	var b strings.Builder
	answering := false
	for line := range strings.Lines(conversation) {
		said, isSaid := strings.CutPrefix(line, "-> ")
		switch {
		case isSaid:
			answering = false
			b.WriteString(line)
			said = strings.TrimSpace(said)
			c.send(said)
			if decode(t, said).ID != nil {
				fmt.Fprintf(&b, "<- %s\n", indented(t, c.next().text))
			}
		case strings.HasPrefix(line, "<- "):
			answering = true
		case line == "\n":
			answering = false
			b.WriteString(line)
		case !answering:
			b.WriteString(line) // a comment
		}
	}
	sent, err := c.end()
	require.NoError(t, err)
	require.Empty(t, sent, "nothing is said unasked")
	return b.String()
}

func indented(t *testing.T, text string) string {
	var b bytes.Buffer
	require.NoError(t, json.Indent(&b, []byte(text), "", "  "))
	return b.String()
}
