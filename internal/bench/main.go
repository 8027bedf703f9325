// Command bench measures what docs promise of speed, size and thrift, side by
// side with the least that the same work can cost: `make bench`, or
// `go run ./internal/bench -quick -row latency`.
//
// It builds the real program and runs it as an MCP client would, against a
// sample Bitbucket in a process of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/debug"
	"time"
)

// A row is a group of findings that is measured in one go.
type row struct {
	name    string
	measure func(*bench) ([]finding, error)
}

var rows = []row{
	{"get_repo", (*bench).getRepo},
	{"overhead", (*bench).overhead},
	{"start", (*bench).start},
	{"find", (*bench).find},
	{"list", (*bench).listAll},
	{"latency", (*bench).latency},
	{"patterns", (*bench).patterns},
	{"tokens", (*bench).tokens},
	{"reading", (*bench).reading},
	{"memory", (*bench).memory},
	{"stored", (*bench).stored},
	{"http", (*bench).overHTTP},
	{"console", (*bench).consolePages},
}

// A bench is what the rows work with.
type bench struct {
	ctx      context.Context
	programs programs
	upstream *upstream
	quick    bool
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == upstreamArgument {
		exit(serveUpstream(os.Stdin, os.Stdout))
	}
	quick := flag.Bool("quick", false, "fewer rounds")
	which := flag.String("row", "", "only the rows whose name matches this `regexp`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *quick, *which)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run prints the table. A target that is missed is no error: that is for the
// reader to judge, on a machine that may have been busy.
func run(ctx context.Context, quick bool, which string) error {
	wanted, err := regexp.Compile(which)
	if err != nil {
		return fmt.Errorf("reading -row: %w", err)
	}
	debug.SetGCPercent(800) // collections here would be measured as theirs
	dir, err := os.MkdirTemp("", "bucketgate-bench-")
	if err != nil {
		return fmt.Errorf("making a folder for the programs: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{ctx: ctx, quick: quick}
	fmt.Fprintln(os.Stderr, "building …")
	if b.programs, err = build(ctx, dir); err != nil {
		return err
	}
	if b.upstream, err = startUpstream(ctx); err != nil {
		return err
	}
	defer b.upstream.close()
	return b.table(wanted)
}

func (b *bench) table(wanted *regexp.Regexp) error {
	began := time.Now()
	var found []finding
	for _, r := range rows {
		if !wanted.MatchString(r.name) {
			continue
		}
		at := time.Now()
		if err := b.upstream.reset(0); err != nil {
			return err
		}
		some, err := r.measure(b)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", r.name, err)
		}
		fmt.Fprintf(os.Stderr, "measured %s in %.1f s\n", r.name, time.Since(at).Seconds())
		found = append(found, some...)
	}
	fmt.Printf("Machines differ, and so do moments: of the times, ratios and differences are what counts.\n"+
		"%s %s/%s, %d CPUs, %.0f s. Times are medians; KB and MB are thousands and millions of bytes.\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), time.Since(began).Seconds())
	return printTable(os.Stdout, found)
}

// rounds is how often something is done; every row is bounded.
func (b *bench) rounds(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}
