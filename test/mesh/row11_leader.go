package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

var frozenLeader = Scenario{
	Number: 11, Name: "the leader of etcd hangs for 30 s (SIGSTOP), twice a lease's life",
	Bars: []Bar{
		failedCalls,
		{What: "longest time that a replica was not registered", Limit: 5, Unit: "s", Timed: true},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		leader, others, err := r.Etcd.Leader(ctx)
		if err != nil {
			return err
		}
		from := time.Now()
		leader.Freeze()
		thaw := time.AfterFunc(30*time.Second, leader.Thaw)
		defer thaw.Stop()
		looking, cancel := context.WithTimeout(ctx, 50*time.Second)
		defer cancel()
		missing, err := r.Etcd.Missing(looking, echo.Services[echo.Back], r.instances(), others...)
		if err != nil {
			return err
		}
		s, err := r.window(ctx, from, time.Now())
		if err != nil {
			return err
		}
		r.note("calls", float64(s.Calls), "")
		r.measure(failedCalls.What, float64(s.Failed))
		r.measure("longest time that a replica was not registered", longestRun(missing).Seconds())
		return nil
	},
}

// longestRun is how long the longest series of times lasts of which each is within a
// second of the one before.
func longestRun(times []time.Time) time.Duration {
	var longest time.Duration
	for first, n := 0, 0; n < len(times); n++ {
		if n > 0 && times[n].Sub(times[n-1]) > time.Second {
			first = n
		}
		longest = max(longest, times[n].Sub(times[first])+100*time.Millisecond)
	}
	return longest
}
