package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"bucketgate/internal/store"
)

func (p program) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "The keys that seal what is secret in the database", Args: usage(cobra.NoArgs), RunE: helpOnly,
		Long: `API keys and sensitive fields are sealed with keys that are in the database too,
sealed by the master key. They can be replaced while servers run.`,
	}
	cmd.AddCommand(p.keysStatus(), p.keysRotate())
	return cmd
}

// A keysView is which keys there are, as it is printed. Of a key it shows the
// number alone.
type keysView struct {
	Keys []keyView `json:"keys"` // oldest first
	Lost int       `json:"lost"`
}

type keyView struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Values int    `json:"values"`
}

func viewKeys(status store.KeyStatus) keysView {
	v := keysView{Keys: []keyView{}, Lost: status.Lost}
	for _, key := range status.Keys {
		state := "being replaced"
		if key.Primary {
			state = "in use"
		}
		v.Keys = append(v.Keys, keyView{strconv.FormatUint(uint64(key.ID), 10), state, key.Values})
	}
	return v
}

func (p program) keysStatus() *cobra.Command {
	return p.existingOfficeCommand("status", "Show which keys there are, and how many values each seals", cobra.NoArgs, func(f *office, c *invocation) error {
		status, err := f.store.KeyStatus(c.ctx)
		if err != nil {
			return err
		}
		return p.printKeys(c.options, status)
	})
}

func (p program) printKeys(o options, status store.KeyStatus) error {
	v := viewKeys(status)
	var rows [][]string
	for _, key := range v.Keys {
		rows = append(rows, []string{key.ID, key.State, strconv.Itoa(key.Values)})
	}
	if err := p.print(o, v, []string{"KEY", "STATE", "VALUES"}, rows); err != nil {
		return err
	}
	if len(status.Keys) > 1 {
		fmt.Fprintln(p.stderr, "bucketgate: a rotation is running or was interrupted; bucketgate keys rotate finishes it")
	}
	if status.Lost > 0 {
		fmt.Fprintf(p.stderr, "bucketgate: of %d values the key is gone; set them again, bucketgate doctor names them\n", status.Lost)
	}
	return nil
}

func (p program) keysRotate() *cobra.Command {
	cmd := p.existingOfficeCommand("rotate", "Seal everything anew with a new key, and drop the old one", cobra.NoArgs, func(f *office, c *invocation) error {
		status, err := f.RotateKeys(c.ctx, p.commandLine())
		if err != nil {
			return err
		}
		if len(status.Keys) > 1 {
			return p.printKeys(c.options, status) // another process has begun anew meanwhile
		}
		sealed := status.Keys[0]
		return p.done(c.options, fmt.Sprintf("sealed with the new key %d: %s; the old key is gone", sealed.ID, counted(sealed.Values, "value", "values")), viewKeys(status))
	})
	cmd.Long = `Makes a new key, seals every API key and sensitive field anew with it, and drops
the old one. Servers go on meanwhile. Where it is interrupted everything still
opens, and running it again finishes it. The master key stays the same.`
	return cmd
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
