// Package mesh does to a mesh of real processes what happens to it in the field, while
// calls go on at a steady rate; and says for each scenario what must hold, what was
// measured, and whether that is enough. The scenarios are in files of their own,
// each with its bars as data.
package mesh

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Scenario is something that happens to a mesh, and what must hold nevertheless.
type Scenario struct {
	// Number is its row in the table, Name what happens.
	Number int
	Name   string
	// Bars are what must hold.
	Bars []Bar
	// Quick says that it is in the short run.
	Quick bool

	run func(context.Context, *Run) error
}

// Bar is a requirement: a value that is at most, or at least, so much.
type Bar struct {
	// What is measured, in Unit; without one it is a count.
	What string
	// Least makes Limit a lower bound.
	Least bool
	Limit float64
	Unit  string
	// Timed is for what a slow machine alone can miss: a short run, which may be on
	// any, shows it without judging.
	Timed bool
}

// Bars of every scenario: what failed before anything happened, and what is left over
// after it.
var (
	wellFailed = Bar{What: "failed calls while all was well"}
	leftovers  = Bar{What: "processes above their first level"}
)

// Met says whether a value is good enough.
func (b Bar) Met(v float64) bool {
	if b.Least {
		return v >= b.Limit
	}
	return v <= b.Limit
}

// String shows the requirement.
func (b Bar) String() string {
	if b.Least {
		return "at least " + number(b.Limit, b.Unit)
	}
	if b.Limit == 0 {
		return "0"
	}
	return "at most " + number(b.Limit, b.Unit)
}

// Scenarios are all, by their numbers.
func Scenarios() []Scenario {
	all := []Scenario{
		killNine, rollingRestart, hang, slow, failsFast, flaky, dependencyDown, oneWayDrop, overload, retryStorm, scale, zoneLoss, rotation, canary,
		etcdDown, massExpiry, compaction, frozenLeader,
	}
	slices.SortFunc(all, func(a, b Scenario) int { return a.Number - b.Number })
	return all
}

// bar returns the bar of that name.
func (s Scenario) bar(what string) (Bar, error) {
	for _, b := range append(slices.Clone(s.Bars), wellFailed, leftovers) {
		if b.What == what {
			return b, nil
		}
	}
	return Bar{}, fmt.Errorf("scenario %d has no bar %q", s.Number, what)
}

// Options are what a run can be told.
type Options struct {
	// Rate is how many calls begin per second.
	Rate int
	// Short makes all phases short, and judges nothing that depends on the speed of
	// the machine.
	Short bool
	// Duration is how long the nemesis goes on, and Seed chooses what it does.
	Duration time.Duration
	Seed     uint64
	// Outage is for how long etcd is away the second time.
	Outage time.Duration
	// Dir is an empty folder for everything.
	Dir string
}
