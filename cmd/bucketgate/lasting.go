package main

import "time"

// A lasting is a flag that takes how long something lasts, in whole days too.
type lasting time.Duration

func newLasting(of *time.Duration, by time.Duration) *lasting {
	*of = by
	return (*lasting)(of)
}

// Set reads what was given.
func (l *lasting) Set(text string) error {
	d, err := parseDuration(text)
	if err == nil {
		*l = lasting(d)
	}
	return err
}

// String is the value as --help shows it.
func (l *lasting) String() string { return time.Duration(*l).String() }

// Type is what --help calls the value.
func (l *lasting) Type() string { return "duration" }
