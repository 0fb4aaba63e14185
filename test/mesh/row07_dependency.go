package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

var dependencyDown = Scenario{
	Number: 7, Name: "all replicas fail for 60 s, since what they need is away",
	Bars: []Bar{
		{What: "attempts at the servers, against calls", Limit: 1.2, Unit: "x"},
		{What: "failed calls with another code than that of the servers"},
		{What: "99 % succeed again after", Limit: 2, Unit: "s", Timed: true},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		before, err := r.called(ctx, r.Nodes)
		if err != nil {
			return err
		}
		from := time.Now()
		if err := r.behave(ctx, r.Nodes, echo.Behaviour{Delay: callTime, Fail: "UNAVAILABLE", FailPercent: 100}); err != nil {
			return err
		}
		if _, _, err := r.stay(ctx, r.long(time.Minute), "all fail"); err != nil {
			return err
		}
		after, err := r.called(ctx, r.Nodes)
		if err != nil {
			return err
		}
		fixed := time.Now()
		if err := r.behave(ctx, r.Nodes, echo.Behaviour{Delay: callTime}); err != nil {
			return err
		}
		return r.dependencyBack(ctx, from, fixed, after-before)
	},
}

func (r *Run) dependencyBack(ctx context.Context, from, fixed time.Time, attempts int64) error {
	_, to, err := r.stay(ctx, r.long(8*time.Second), "all is mended")
	if err != nil {
		return err
	}
	s, err := r.load.Window(ctx, from, fixed)
	if err != nil {
		return err
	}
	r.note("calls", float64(s.Calls), "")
	r.measure("attempts at the servers, against calls", float64(attempts)/float64(s.Calls))
	r.note("failed calls with the reason of the servers", percent(s.Reasons["TOLD_TO_FAIL"], s.Failed), "%")
	other := s.Failed - s.Codes["UNAVAILABLE"]
	r.measure("failed calls with another code than that of the servers", float64(other))
	if other > 0 {
		r.evidence(s.Errors...)
	}
	back, err := r.succeeds(ctx, fixed, to)
	r.measure("99 % succeed again after", back.Seconds())
	return err
}

// behave tells replicas how to treat calls.
func (r *Run) behave(ctx context.Context, nodes []*lab.Node, b echo.Behaviour) error {
	for _, n := range nodes {
		if err := n.Behave(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// called is how many calls the handlers of replicas have seen.
func (r *Run) called(ctx context.Context, nodes []*lab.Node) (int64, error) {
	sum := int64(0)
	for _, n := range nodes {
		s, err := n.Stats(ctx, false)
		if err != nil {
			return 0, err
		}
		sum += s.Calls
	}
	return sum, nil
}

// succeeds says how long after a time the slots begin of which each, up to another
// time, has 99 of 100 calls answered well.
func (r *Run) succeeds(ctx context.Context, from, to time.Time) (time.Duration, error) {
	if _, err := r.load.Window(ctx, from, to); err != nil { // waits for them
		return 0, err
	}
	since := from
	for _, s := range r.load.Slots(from, to) {
		calls, good := 0, 0
		for _, c := range s.Classes {
			calls += load.Total(c.Codes)
			good += c.Codes[load.OK]
		}
		if good*100 < calls*99 {
			since = time.UnixMilli(s.At).Add(load.SlotTime)
		}
	}
	return since.Sub(from), nil
}
