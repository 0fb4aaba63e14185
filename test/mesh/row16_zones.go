package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

var zoneLoss = Scenario{
	Number: 16, Name: "a zone of three is lost; and zones of five replicas and of one",
	Bars: []Bar{
		{What: "failed calls in the first second", Limit: 0.1, Unit: "%"},
		{What: "failed calls after that"},
		{What: "5:1: failed calls"},
		{What: "5:1: busiest replica, against the mean", Limit: 1.3, Unit: "x", Timed: true},
	},
	run: func(ctx context.Context, r *Run) error {
		for _, zone := range []string{"a", "b", "c"} {
			if err := r.AddNodes(ctx, 2, lab.NodeOptions{Zone: zone, Delay: callTime}); err != nil {
				return err
			}
		}
		if err := r.generator(ctx, lab.LoadOptions{Zone: "a"}); err != nil {
			return err
		}
		well, err := r.begin(ctx)
		if err != nil {
			return err
		}
		near := well.Answered[r.Nodes[0].Instance] + well.Answered[r.Nodes[1].Instance]
		r.note("calls answered in the caller's zone", percent(near, well.Calls), "%")
		if err := r.loseZone(ctx); err != nil {
			return err
		}
		return r.imbalance(ctx)
	},
}

// loseZone kills all replicas in the zone of the generator.
func (r *Run) loseZone(ctx context.Context) error {
	for _, n := range r.Nodes {
		if n.Zone == "a" {
			n.Kill()
		}
	}
	from, to, err := r.stay(ctx, r.long(10*time.Second), "a zone is lost")
	if err != nil {
		return err
	}
	edge := from.Add(time.Second)
	first, err := r.window(ctx, from, edge)
	if err != nil {
		return err
	}
	later, err := r.load.Window(ctx, edge, to)
	if err != nil {
		return err
	}
	r.measure("failed calls in the first second", percent(first.Failed, r.plan.Rate))
	r.measure("failed calls after that", float64(later.Failed))
	r.evidence(later.Errors...)
	return nil
}

// imbalance has five replicas in one zone and one in another, and as many calls from
// each.
func (r *Run) imbalance(ctx context.Context) error {
	if err := r.AddNodes(ctx, 5, lab.NodeOptions{Zone: "a", Delay: callTime}); err != nil {
		return err
	}
	var gone []*lab.Node
	for _, n := range r.Nodes[:6] {
		if n.Zone == "c" || n == r.Nodes[2] {
			gone = append(gone, n)
		}
	}
	for _, n := range gone {
		if err := n.Stop(); err != nil {
			return err
		}
	}
	other, err := r.AddLoad(ctx, lab.LoadOptions{Zone: "b"})
	if err != nil {
		return err
	}
	half := r.plan
	half.Rate /= 2
	for _, g := range r.Loads {
		if err := g.Follow(ctx, half); err != nil {
			return err
		}
	}
	if _, _, err := r.stay(ctx, r.long(35*time.Second), "zones find their balance"); err != nil { // slow start takes 30 s
		return err
	}
	from, to, err := r.stay(ctx, r.long(10*time.Second), "zones of five and one")
	if err != nil {
		return err
	}
	return r.balanced(ctx, from, to, other)
}

func (r *Run) balanced(ctx context.Context, from, to time.Time, other *lab.Load) error {
	answered, failed, calls := make(map[string]int), 0, 0
	for _, g := range []*lab.Load{r.load, other} {
		s, err := g.Window(ctx, from, to)
		if err != nil {
			return err
		}
		failed, calls = failed+s.Failed, calls+s.Calls
		r.evidence(s.Errors...)
		for id, n := range s.Answered {
			answered[id] += n
		}
	}
	busiest := 0
	for _, n := range answered {
		busiest = max(busiest, n)
	}
	living := len(r.instances())
	r.note("5:1: calls", float64(calls), "")
	r.note("5:1: replicas", float64(living), "")
	r.measure("5:1: failed calls", float64(failed))
	r.measure("5:1: busiest replica, against the mean", float64(busiest*living)/float64(max(1, load.Total(answered))))
	return nil
}
