package mesh

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

const (
	few, many = 3, 30
	// simulated is how many instances are written into etcd beside the living.
	simulated = 1000
	// subset is how many replicas a client connects to when there are more: the
	// default of FAIRLEAD_MESH_SUBSET.
	subset = 60
)

var scale = Scenario{
	Number: 15, Name: "3 replicas become 30 and 3 again; and 1,000 more are registered",
	Bars: []Bar{
		failedCalls,
		{What: "longest time from registered to first call", Limit: 1, Unit: "s", Timed: true},
		{What: "connections opened, 3 to 30 to 3", Limit: many * 1.2},
		{What: "connections opened, 1,000 more", Limit: subset * 1.2},
		{What: "failed calls, 1,000 more"},
		{What: "processor of a replica at rest, 1,000 more", Limit: 5, Unit: "%", Timed: true},
		{What: "processor of a client at rest, 1,000 more", Limit: 5, Unit: "%", Timed: true},
		{What: "p99 of writes to etcd", Limit: 0.1, Unit: "s", Timed: true},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, few, lab.NodeOptions{}); err != nil {
			return err
		}
		r.plan.Rate /= 2 // thirty more processes share the machine
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		writing, cancel := context.WithCancel(ctx)
		defer cancel()
		done := make(chan struct{})
		var writes []time.Duration
		var failed error
		go func() {
			defer close(done)
			writes, failed = r.Etcd.Latencies(writing)
		}()
		err := r.scaleUpAndDown(ctx)
		if err == nil {
			err = r.crowd(ctx)
		}
		cancel()
		<-done
		if err != nil || failed != nil {
			return fmt.Errorf("%w, %w", err, failed)
		}
		slices.Sort(writes)
		r.measure("p99 of writes to etcd", writes[len(writes)*99/100].Seconds())
		return nil
	},
}

// scaleUpAndDown starts replicas three at a time, and stops them again.
func (r *Run) scaleUpAndDown(ctx context.Context) error {
	changes, err := r.Etcd.WatchChanges(ctx, echo.Services[echo.Back])
	if err != nil {
		return err
	}
	from := time.Now()
	for len(r.Nodes) < many {
		r.progress.Step("%d  %d replicas", r.Number, len(r.Nodes))
		if err := r.AddNodes(ctx, 3, lab.NodeOptions{Delay: callTime}); err != nil {
			return err
		}
	}
	if _, _, err := r.stay(ctx, r.long(3*time.Second), "30 replicas"); err != nil {
		return err
	}
	if err := r.firstCalls(ctx, changes.Stop()); err != nil {
		return err
	}
	if err := stopAll(r.Nodes[few:]); err != nil {
		return err
	}
	_, to, err := r.stay(ctx, r.long(3*time.Second), "3 replicas")
	if err != nil {
		return err
	}
	s, err := r.window(ctx, from, to)
	if err != nil {
		return err
	}
	r.note("calls", float64(s.Calls), "")
	r.measure(failedCalls.What, float64(s.Failed))
	r.measure("connections opened, 3 to 30 to 3", float64(load.Total(s.Connections)))
	return nil
}

// firstCalls measures how long replicas wait for their first call.
func (r *Run) firstCalls(ctx context.Context, changes []lab.Change) error {
	var longest time.Duration
	for _, n := range r.Nodes[few:] {
		s, err := n.Stats(ctx, false)
		if err != nil {
			return err
		}
		put := slices.IndexFunc(changes, func(c lab.Change) bool { return c.ID == n.Instance && !c.Gone })
		if put < 0 {
			return fmt.Errorf("%s was never registered", n.Name)
		}
		wait := time.Since(changes[put].At) // still
		if s.First > 0 {
			wait = time.Unix(0, s.First).Sub(changes[put].At)
		}
		longest = max(longest, wait)
	}
	r.measure("longest time from registered to first call", longest.Seconds())
	return nil
}

// stopAll stops replicas, all at once.
func stopAll(nodes []*lab.Node) error {
	failures := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { failures <- n.Stop() }()
	}
	var first error
	for range nodes {
		if err := <-failures; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// crowd registers a thousand instances that one server of ours is, and takes them out.
func (r *Run) crowd(ctx context.Context) error {
	like, err := r.Like(ctx)
	if err != nil {
		return err
	}
	sham, err := r.NewSham(r.Signer(false).Part(echo.Part))
	if err != nil {
		return err
	}
	defer sham.Close()
	from := time.Now()
	if err := sham.Register(ctx, simulated, like); err != nil {
		return err
	}
	_, to, err := r.stay(ctx, r.long(8*time.Second), "1,000 more")
	if err != nil {
		return err
	}
	if err := r.idle(ctx, sham); err != nil {
		return err
	}
	if err := r.load.Follow(ctx, r.plan); err != nil {
		return err
	}
	back := time.Now()
	if err := sham.Leave(ctx); err != nil {
		return err
	}
	_, end, err := r.stay(ctx, r.long(5*time.Second), "3 replicas")
	if err != nil {
		return err
	}
	come, err := r.window(ctx, from, to)
	if err != nil {
		return err
	}
	left, err := r.window(ctx, back, end)
	if err != nil {
		return err
	}
	r.note("calls that the 1,000 have answered", float64(sham.Calls.Load()), "")
	r.measure("connections opened, 1,000 more", float64(load.Total(come.Connections)))
	r.measure("failed calls, 1,000 more", float64(come.Failed+left.Failed))
	return nil
}

// idle measures what processes use while nobody calls, and ten of the thousand
// records are written each second.
func (r *Run) idle(ctx context.Context, sham *lab.Sham) error {
	if err := r.load.Follow(ctx, load.Plan{}); err != nil {
		return err
	}
	before, err := r.processors()
	if err != nil {
		return err
	}
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 0; time.Since(began) < r.long(10*time.Second); n++ {
		if err := sham.Touch(ctx, n, fmt.Sprint(n)); err != nil {
			return err
		}
		r.progress.Step("%d  at rest with 1,000 more", r.Number)
		<-tick.C
	}
	after, err := r.processors()
	if err != nil {
		return err
	}
	share := func(n int) float64 { return 100 * float64(after[n]-before[n]) / float64(time.Since(began)) }
	r.measure("processor of a replica at rest, 1,000 more", max(share(0), share(1), share(2)))
	r.measure("processor of a client at rest, 1,000 more", share(few))
	return nil
}

// processors is what the first replicas and the generator have used.
func (r *Run) processors() ([]time.Duration, error) {
	var all []time.Duration
	for _, n := range r.Nodes[:few] {
		used, err := n.CPU()
		if err != nil {
			return nil, err
		}
		all = append(all, used)
	}
	used, err := r.load.CPU()
	return append(all, used), err
}
