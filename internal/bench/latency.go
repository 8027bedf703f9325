package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	upstreamLatency = 100 * time.Millisecond
	maxFarList      = 0.4 // s
)

// latency lists everything from an upstream that is far away, and beside it
// asks for the same pages one after the other, as a plain loop does.
func (b *bench) latency() ([]finding, error) {
	pages, err := b.pagesOfEverything()
	if err != nil {
		return nil, err
	}
	if err := b.upstream.reset(upstreamLatency); err != nil {
		return nil, err
	}
	var first, second, loop []time.Duration
	client := b.direct()
	for range b.rounds(7, 3) {
		once, again, err := b.farList()
		if err != nil {
			return nil, err
		}
		plain, err := inTurn(client, pages)
		if err != nil {
			return nil, err
		}
		first, second, loop = append(first, once), append(second, again), append(loop, plain)
	}
	return []finding{
		farFinding("first call", median(first), median(loop)),
		farFinding("later calls", median(second), median(loop)),
		told("the same pages one after the other", inSeconds(median(loop).Seconds())),
	}, b.upstream.reset(0)
}

func farFinding(which string, took, loop time.Duration) finding {
	return judged("list all 1,000 as names at 100 ms latency, "+which, took.Seconds(), maxFarList, inSeconds,
		fmt.Sprintf("%.2f × of the same pages in turn; %.1f × of the latency", ratio(took, loop), ratio(took, upstreamLatency)))
}

// farList lists everything twice with a program started for it: the first call
// finds no connection open, the second finds them all.
func (b *bench) farList() (first, second time.Duration, err error) {
	gate, err := b.gate(legacy, "")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, gate.close()) }()
	list := gate.timing("list_repos", params{"detail": "names", "limit": repositories})
	if first, err = list(); err != nil {
		return 0, 0, err
	}
	second, err = list()
	return first, second, err
}

// pagesOfEverything returns what a listing of everything asks for.
func (b *bench) pagesOfEverything() ([]string, error) {
	l, err := b.listOnce("", params{"detail": "names", "limit": repositories})
	if err != nil {
		return nil, err
	}
	for _, path := range l.asked.Requests {
		if !strings.Contains(path, "pagelen=100") {
			return nil, fmt.Errorf("the listing asked %q, which is no page of 100", path)
		}
	}
	return l.asked.Requests, nil
}

func inTurn(client direct, pages []string) (time.Duration, error) {
	var all time.Duration
	for _, path := range pages {
		took, err := client.get(path)
		if err != nil {
			return 0, err
		}
		all += took
	}
	return all, nil
}
