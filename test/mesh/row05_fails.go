package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

var failsFast = Scenario{
	Number: 5, Name: "one replica of three fails at once (UNAVAILABLE, then INTERNAL)", Quick: true,
	Bars: []Bar{
		{What: "failed calls, UNAVAILABLE"},
		{What: "attempts that failed before it was avoided, UNAVAILABLE", Limit: 6},
		{What: "attempts that failed before it was avoided, INTERNAL", Limit: 6},
		{What: "time until it has half its share again, UNAVAILABLE", Limit: 5, Unit: "s", Timed: true},
		{What: "time until it has half its share again, INTERNAL", Limit: 5, Unit: "s", Timed: true},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		codes := []string{"UNAVAILABLE", "INTERNAL"}
		if r.Short {
			codes = codes[:1]
		}
		for _, code := range codes {
			if err := r.failAtOnce(ctx, code); err != nil {
				return err
			}
		}
		return nil
	},
}

// untilProbe is less than a breaker waits before it tries the replica again, and much
// more than it needs to open.
const untilProbe = 800 * time.Millisecond

// failAtOnce makes a replica fail for a time, and looks how it is found out and how it
// comes back.
func (r *Run) failAtOnce(ctx context.Context, code string) error {
	victim := r.Nodes[0]
	before, err := victim.Stats(ctx, false)
	if err != nil {
		return err
	}
	if err := victim.Behave(ctx, echo.Behaviour{Fail: code, FailPercent: 100}); err != nil {
		return err
	}
	from, _, err := r.stay(ctx, untilProbe, "one fails")
	if err != nil {
		return err
	}
	first, err := victim.Stats(ctx, false)
	if err != nil {
		return err
	}
	_, to, err := r.stay(ctx, r.long(9*time.Second), "one fails")
	if err != nil {
		return err
	}
	last, err := victim.Stats(ctx, false)
	if err != nil {
		return err
	}
	if err := victim.Behave(ctx, echo.Behaviour{Delay: callTime}); err != nil {
		return err
	}
	s, err := r.window(ctx, from, to)
	if err != nil {
		return err
	}
	r.note("calls, "+code, float64(s.Calls), "")
	if code == "UNAVAILABLE" {
		r.measure("failed calls, UNAVAILABLE", float64(s.Failed))
	} else {
		r.note("failed calls, "+code, float64(s.Failed), "")
	}
	r.measure("attempts that failed before it was avoided, "+code, float64(first.Failed-before.Failed))
	r.note("attempts that failed in all, "+code, float64(last.Failed-before.Failed), "")
	back, err := r.recovers(ctx, victim, to)
	r.measure("time until it has half its share again, "+code, back.Seconds())
	return err
}

// recoverTime bounds how long recovers waits.
const recoverTime = 40 * time.Second

// recovers waits until a replica has half of its fair share of the attempts for half a
// second, and says how long that took from a time on.
func (r *Run) recovers(ctx context.Context, n *lab.Node, from time.Time) (time.Duration, error) {
	living := 0
	for _, n := range r.Nodes {
		if n.Running() {
			living++
		}
	}
	const span = 500 * time.Millisecond
	for at := from; at.Sub(from) < recoverTime; at = at.Add(load.SlotTime) {
		s, err := r.load.Window(ctx, at, at.Add(span))
		if err != nil {
			return 0, err
		}
		if s.Attempts[n.Address]*living*2 >= load.Total(s.Attempts) && s.Attempts[n.Address] > 0 {
			return at.Sub(from), nil
		}
		r.progress.Step("%d  a replica comes back: %.0f s", r.Number, at.Sub(from).Seconds())
	}
	return recoverTime, nil
}
