package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// failedCalls is a bar of most scenarios.
var failedCalls = Bar{What: "failed calls"}

var killNine = Scenario{
	Number: 1, Name: "kill -9 of one replica of three", Quick: true,
	Bars: []Bar{
		failedCalls,
		{What: "p99.9, against that while all was well", Limit: 2, Unit: "x", Timed: true},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		well, err := r.begin(ctx)
		if err != nil {
			return err
		}
		victim := r.Nodes[0]
		victim.Kill()
		from, to, err := r.stay(ctx, r.long(10*time.Second), "one is dead")
		if err != nil {
			return err
		}
		s, err := r.window(ctx, from, to)
		if err != nil {
			return err
		}
		r.note("calls", float64(s.Calls), "")
		r.measure(failedCalls.What, float64(s.Failed))
		before, after := load.Quantile(well.Good, 0.999), load.Quantile(s.All, 0.999)
		r.note("p99.9 while all was well", before.Seconds(), "s")
		r.measure("p99.9, against that while all was well", ratio(after, before))
		_, err = victim.Start(ctx)
		return err
	},
}
