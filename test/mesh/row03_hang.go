package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// avoidedAfter is how long a replica that does not answer may get calls.
var avoidedAfter = Bar{What: "time until it is avoided", Limit: 1, Unit: "s", Timed: true}

// slowCalls is how many may be slower than three times the p99 of before.
var slowCalls = Bar{What: "calls slower than 3x the p99 while all was well", Limit: 1, Unit: "%", Timed: true}

var hang = Scenario{
	Number: 3, Name: "one replica of three hangs (SIGSTOP)", Quick: true,
	Bars: []Bar{failedCalls, slowCalls, avoidedAfter},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		well, err := r.begin(ctx)
		if err != nil {
			return err
		}
		victim := r.Nodes[0]
		victim.Freeze()
		from, to, err := r.stay(ctx, r.long(10*time.Second), "one hangs")
		victim.Thaw()
		if err != nil {
			return err
		}
		return r.unanswered(ctx, well, victim, from, to)
	},
}

// unanswered judges a time in which one replica did not answer.
func (r *Run) unanswered(ctx context.Context, well *load.Summary, victim *lab.Node, from, to time.Time) error {
	s, err := r.window(ctx, from, to)
	if err != nil {
		return err
	}
	r.note("calls", float64(s.Calls), "")
	r.measure(failedCalls.What, float64(s.Failed))
	p99 := load.Quantile(well.Good, 0.99)
	r.note("p99 while all was well", p99.Seconds(), "s")
	r.measure(slowCalls.What, percent(load.Slower(s.All, 3*p99), s.Calls))
	r.measure(avoidedAfter.What, r.avoided(victim.Address, from, to).Seconds())
	return nil
}
