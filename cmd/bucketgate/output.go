package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
)

// addOutputFlag adds --output.
func addOutputFlag(cmd *cobra.Command, o *options) {
	cmd.Flags().StringVar(&o.output, "output", "table", "table or json")
}

func (o options) checkOutput() error {
	if o.output != "table" && o.output != "json" {
		return fmt.Errorf("%w: --output is table or json", errUsage)
	}
	return nil
}

// print writes records: as JSON, or as a table with these columns.
func (p program) print(o options, value any, columns []string, rows [][]string) error {
	if o.output == "json" {
		return p.printJSON(value)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{columns}, rows...) {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, plainCell(cell))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// plainCell keeps a caller's text, or a description, from writing to the
// terminal and from looking like two cells or lines.
func plainCell(text string) string {
	var plain strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			plain.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		plain.WriteString(quoted[1 : len(quoted)-1])
	}
	return plain.String()
}

func (p program) printJSON(value any) error {
	encoder := json.NewEncoder(p.stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}

// done answers a command that has nothing to show but that it is done.
func (p program) done(o options, words string, value any) error {
	if o.output == "json" {
		return p.printJSON(value)
	}
	_, err := fmt.Fprintln(p.stdout, words)
	return err
}
