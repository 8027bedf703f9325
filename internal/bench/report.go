package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// A finding is one line of the table.
type finding struct{ what, measured, target, verdict string }

// A unit writes a number for people.
type unit func(float64) string

func inMilliseconds(v float64) string { return fmt.Sprintf("%.3f ms", v) }
func inSeconds(v float64) string      { return fmt.Sprintf("%.2f s", v) }
func inTimes(v float64) string        { return fmt.Sprintf("%.2f ×", v) }
func inKB(v float64) string           { return fmt.Sprintf("%.1f KB", v/1e3) }
func inMB(v float64) string           { return fmt.Sprintf("%.1f MB", v/1e6) }

// inCount writes a whole number of things, such as tokens.
func inCount(of string) unit { return func(v float64) string { return fmt.Sprintf("%.0f %s", v, of) } }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// judged is a finding of a value that must not exceed its target. The value is
// what is measured unless the words say more.
func judged(what string, value, target float64, u unit, words string) finding {
	f := finding{what: what, measured: u(value), target: "≤ " + u(target), verdict: "ok"}
	if words != "" {
		f.measured += "  (" + words + ")"
	}
	if value > target {
		f.verdict = "misses by " + u(value-target)
	}
	return f
}

// told is a finding without a target.
func told(what, measured string) finding {
	return finding{what: what, measured: measured, target: "-", verdict: "-"}
}

func printTable(out io.Writer, found []finding) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tMEASURED\tTARGET\tVERDICT")
	misses := 0
	for _, f := range found {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.what, f.measured, f.target, f.verdict)
		if f.verdict != "ok" && f.verdict != "-" {
			misses++
		}
	}
	fmt.Fprintf(w, "\n%d lines, %d misses.\n", len(found), misses)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	return nil
}
