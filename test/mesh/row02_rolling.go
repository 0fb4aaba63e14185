package mesh

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

var rollingRestart = Scenario{
	Number: 2, Name: "rolling restart of all three replicas, with writes and streams",
	Bars: []Bar{
		failedCalls,
		{What: "writes that were done twice, or answered and not done"},
		{What: "items of streams that were lost or doubled"},
		{What: "streams that ended otherwise than with UNAVAILABLE"},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		r.plan.Writes, r.plan.Streams, r.plan.Every = 30, 20, 50
		begun := time.Now().Add(-load.SlotTime) // the slot of now began before
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		from := time.Now()
		done, err := r.roll(ctx)
		if err != nil {
			return err
		}
		return r.rolled(ctx, begun, from, time.Now(), done)
	},
}

// roll restarts one replica after the other, and returns how many writes those had
// done that have ended.
func (r *Run) roll(ctx context.Context) (writes int64, err error) {
	var longest time.Duration
	for n, node := range r.Nodes {
		r.progress.Step("%d  restarting replica %d of %d", r.Number, n+1, len(r.Nodes))
		began := time.Now()
		if err := node.Stop(); err != nil {
			return 0, err
		}
		longest = max(longest, time.Since(began))
		final, err := node.Final()
		if err != nil {
			return 0, err
		}
		writes += final.Writes
		if _, err := node.Start(ctx); err != nil {
			return 0, err
		}
		if _, _, err := r.stay(ctx, r.long(3*time.Second), "a replica is new"); err != nil {
			return 0, err
		}
	}
	r.note("longest drain", longest.Seconds(), "s")
	return writes, nil
}

// rolled judges the calls from the first restart on, and all writes ever made.
func (r *Run) rolled(ctx context.Context, begun, from, to time.Time, writes int64) error {
	s, err := r.window(ctx, from, to)
	if err != nil {
		return err
	}
	r.plan.Rate, r.plan.Streams = 0, 0
	if err := r.load.Follow(ctx, r.plan); err != nil {
		return err
	}
	if _, _, err := r.stay(ctx, deadline, "the last calls"); err != nil {
		return err
	}
	whole, err := r.load.Window(ctx, begun, time.Now())
	if err != nil {
		return err
	}
	for _, n := range r.Nodes {
		stats, err := n.Stats(ctx, false)
		if err != nil {
			return err
		}
		writes += stats.Writes
	}
	r.note("calls", float64(s.Calls), "")
	r.measure(failedCalls.What, float64(s.Failed))
	asked, answered := 0, 0
	if w := whole.Classes["write"]; w != nil {
		asked, answered = w.Calls, w.Codes[load.OK]
	}
	r.note("writes", float64(asked), "")
	// One that failed may have been done or not.
	wrong := max(0, int(writes)-asked, answered-int(writes))
	r.measure("writes that were done twice, or answered and not done", float64(wrong))
	r.note("items of streams", float64(s.Items), "")
	r.note("streams that went on elsewhere", float64(s.Resumed), "")
	r.measure("items of streams that were lost or doubled", float64(s.Lost))
	r.measure("streams that ended otherwise than with UNAVAILABLE", float64(load.Total(s.Broken)))
	if len(s.Broken) > 0 {
		r.evidence(fmt.Sprintf("streams ended with %v", s.Broken))
	}
	return nil
}
