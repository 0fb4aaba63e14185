package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

var flaky = Scenario{
	Number: 6, Name: "one replica of three fails every second call",
	Bars: []Bar{
		{What: "failed calls", Limit: 0.01, Unit: "%"},
		{What: "time until it is avoided", Limit: 2, Unit: "s", Timed: true},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		victim := r.Nodes[0]
		half := echo.Behaviour{Delay: callTime, Fail: "UNAVAILABLE", FailPercent: 50, FailLate: true}
		if err := victim.Behave(ctx, half); err != nil {
			return err
		}
		from, to, err := r.stay(ctx, r.long(20*time.Second), "one is flaky")
		if err != nil {
			return err
		}
		stats, err := victim.Stats(ctx, false)
		if err != nil {
			return err
		}
		s, err := r.window(ctx, from, to)
		if err != nil {
			return err
		}
		r.note("calls", float64(s.Calls), "")
		r.note("attempts that failed", float64(stats.Failed), "")
		r.measure("failed calls", percent(s.Failed, s.Calls))
		r.measure("time until it is avoided", r.avoided(victim.Address, from, to).Seconds())
		return victim.Behave(ctx, echo.Behaviour{Delay: callTime})
	},
}
