package main

import (
	"errors"
	"fmt"
	"time"
)

// somebody is a repository that the sample has.
const somebody = "duplocloud-billing-api"

var getSomebody = params{"repository": somebody}

// The targets of time.
const (
	maxGetRepo  = 0.35 // ms more than a direct request
	maxOverhead = 1.5  // × the empty tool of the bare server
	maxStart    = 2.0  // × the bare server
)

// getRepo compares get_repo with asking for the same answer directly.
func (b *bench) getRepo() ([]finding, error) {
	var found []finding
	for _, e := range []era{legacy, modern} {
		f, err := b.getRepoIn(e)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, nil
}

func (b *bench) getRepoIn(e era) (f finding, err error) {
	gate, err := b.gate(e, "^duplocloud-.*")
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, gate.close()) }()
	path, err := b.pathOf(gate)
	if err != nil {
		return finding{}, err
	}
	client := b.direct()
	through, straight, err := interleaved(b.rounds(400, 150), b.rounds(3000, 700),
		gate.timing("get_repo", getSomebody), func() (time.Duration, error) { return client.get(path) })
	if err != nil {
		return finding{}, err
	}
	return judged(fmt.Sprintf("get_repo over stdio (%s), more than a direct request", e),
		milliseconds(through-straight), maxGetRepo, inMilliseconds,
		fmt.Sprintf("%.3f against %.3f ms, %.2f ×", milliseconds(through), milliseconds(straight), ratio(through, straight))), nil
}

// pathOf returns what get_repo asks of the upstream.
func (b *bench) pathOf(gate *session) (string, error) {
	if err := b.upstream.reset(0); err != nil {
		return "", err
	}
	if _, err := gate.call("get_repo", getSomebody); err != nil {
		return "", err
	}
	asked, err := b.upstream.taken()
	if err != nil {
		return "", err
	}
	if len(asked.Requests) != 1 {
		return "", fmt.Errorf("get_repo asked %q", asked.Requests)
	}
	return asked.Requests[0], nil
}

// overhead compares the protocol's work with that of mcp-go alone.
func (b *bench) overhead() ([]finding, error) {
	var found []finding
	for _, e := range []era{legacy, modern} {
		f, err := b.overheadIn(e)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, nil
}

func (b *bench) overheadIn(e era) (f finding, err error) {
	gate, err := b.gate(e, "^duplocloud-.*")
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, gate.close()) }()
	bare, err := b.bare(e)
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	ours, theirs, err := interleaved(b.rounds(500, 200), b.rounds(5000, 1500),
		gate.timing("my_access", params{}), bare.timing("nothing", params{}))
	if err != nil {
		return finding{}, err
	}
	return judged(fmt.Sprintf("my_access (%s), of bare mcp-go's empty tool", e), ratio(ours, theirs), maxOverhead, inTimes,
		fmt.Sprintf("%.3f against %.3f ms", milliseconds(ours), milliseconds(theirs))), nil
}

// start compares how long it takes from nothing to the first answer.
func (b *bench) start() ([]finding, error) {
	starting := func(open func() (*session, error)) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			s, err := open()
			if err != nil {
				return 0, err
			}
			return s.started, s.close()
		}
	}
	ours, theirs, err := interleaved(b.rounds(5, 2), b.rounds(100, 20),
		starting(func() (*session, error) { return b.gate(legacy, "^duplocloud-.*") }),
		starting(func() (*session, error) { return b.bare(legacy) }))
	if err != nil {
		return nil, err
	}
	return []finding{judged("start to initialize answered, of bare mcp-go", ratio(ours, theirs), maxStart, inTimes,
		fmt.Sprintf("%.1f against %.1f ms", milliseconds(ours), milliseconds(theirs)))}, nil
}
