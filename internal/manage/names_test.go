package manage

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An advice is copied into a shell. A name that somebody has put into the
// database is one word there, whatever it holds.
func TestShellWordIsOneWord(t *testing.T) {
	for name, want := range map[string]string{
		"team": "team", "a.b_c-1": "a.b_c-1", "web team": "'web team'", "$(id)": "'$(id)'", "a;id": "'a;id'", "it's": `'it'\''s'`, "": "''", "a\nid": "'a\nid'",
	} {
		assert.Equal(t, want, ShellWord(name))
		shell, err := exec.LookPath("sh")
		if err != nil {
			continue
		}
		said, err := exec.Command(shell, "-c", "printf %s "+ShellWord(name)).Output()
		require.NoError(t, err)
		assert.Equal(t, name, string(said))
	}
}
