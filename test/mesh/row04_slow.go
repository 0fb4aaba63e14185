package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// quickCall is short enough that a hundred times as long is within the deadline.
const quickCall = 5 * time.Millisecond

var slow = Scenario{
	Number: 4, Name: "one replica of three is 100 times slower",
	Bars: []Bar{
		failedCalls,
		{What: "p99 from 2 s on, against that while all was well", Limit: 1.5, Unit: "x", Timed: true},
		{What: "attempts that went to it", Limit: 0.5, Unit: "%", Timed: true},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{Delay: quickCall}); err != nil {
			return err
		}
		well, err := r.begin(ctx)
		if err != nil {
			return err
		}
		victim := r.Nodes[0]
		if err := victim.Behave(ctx, echo.Behaviour{Delay: 100 * quickCall}); err != nil {
			return err
		}
		from, to, err := r.stay(ctx, r.long(20*time.Second), "one is slow")
		if err != nil {
			return err
		}
		s, err := r.window(ctx, from, to)
		if err != nil {
			return err
		}
		later, err := r.load.Window(ctx, from.Add(min(2*time.Second, to.Sub(from)/2)), to)
		if err != nil {
			return err
		}
		r.note("calls", float64(s.Calls), "")
		r.measure(failedCalls.What, float64(s.Failed))
		before, after := load.Quantile(well.Good, 0.99), load.Quantile(later.All, 0.99)
		r.note("p99 while all was well", before.Seconds(), "s")
		r.measure("p99 from 2 s on, against that while all was well", ratio(after, before))
		r.measure("attempts that went to it", percent(s.Attempts[victim.Address], load.Total(s.Attempts)))
		return nil
	},
}
