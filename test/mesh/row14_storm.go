package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

// stormRate bounds the calls, each of which is three: the bar is a ratio.
const stormRate = 500

var retryStorm = Scenario{
	Number: 14, Name: "three tiers, and half of all calls fail in the last",
	Bars: []Bar{
		{What: "attempts at the last tier, against calls", Limit: 1.3, Unit: "x"},
	},
	run: func(ctx context.Context, r *Run) error {
		tiers := []struct {
			tier  string
			count int
		}{{echo.Back, 3}, {echo.Middle, 2}, {echo.Front, 2}}
		nodes := make(map[string][]*lab.Node)
		for _, t := range tiers {
			before := len(r.Nodes)
			if err := r.AddNodes(ctx, t.count, lab.NodeOptions{Tier: t.tier, Delay: quickCall}); err != nil {
				return err
			}
			nodes[t.tier] = r.Nodes[before:]
		}
		if err := r.generator(ctx, lab.LoadOptions{}); err != nil {
			return err
		}
		r.plan.Service, r.plan.Rate = echo.Services[echo.Front], min(r.Rate, stormRate)
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		return r.storm(ctx, nodes)
	},
}

func (r *Run) storm(ctx context.Context, nodes map[string][]*lab.Node) error {
	half := echo.Behaviour{Delay: quickCall, Fail: "UNAVAILABLE", FailPercent: 50, FailLate: true}
	if err := r.behave(ctx, nodes[echo.Back], half); err != nil {
		return err
	}
	before := make(map[string]int64)
	var err error
	for tier, n := range nodes {
		if before[tier], err = r.called(ctx, n); err != nil {
			return err
		}
	}
	from, to, err := r.stay(ctx, r.long(20*time.Second), "half fail")
	if err != nil {
		return err
	}
	after := make(map[string]int64)
	for tier, n := range nodes {
		if after[tier], err = r.called(ctx, n); err != nil {
			return err
		}
	}
	s, err := r.load.Window(ctx, from, to)
	if err != nil {
		return err
	}
	per := func(tier string) float64 { return float64(after[tier]-before[tier]) / float64(s.Calls) }
	r.note("calls", float64(s.Calls), "")
	r.note("failed calls", percent(s.Failed, s.Calls), "%")
	r.note("attempts at the first tier, against calls", per(echo.Front), "x")
	r.note("attempts at the middle tier, against calls", per(echo.Middle), "x")
	r.measure("attempts at the last tier, against calls", per(echo.Back))
	return r.behave(ctx, nodes[echo.Back], echo.Behaviour{Delay: quickCall})
}
