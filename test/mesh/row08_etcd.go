package mesh

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
	"github.com/fairlead-mesh/fairlead/test/mesh/load"
)

// firstOutage is for how long etcd is away the first time.
const firstOutage = time.Minute

var etcdDown = Scenario{
	Number: 8, Name: "etcd is down for a minute, and then for ten",
	Bars: []Bar{
		failedCalls,
		{What: "a replica restarted meanwhile is ready after", Limit: 1, Unit: "s", Timed: true},
		{What: "a client restarted meanwhile is ready after", Limit: 1, Unit: "s", Timed: true},
		{What: "failed calls of the restarted client"},
		{What: "all are registered again after", Limit: 30, Unit: "s"},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		other, err := r.AddLoad(ctx, lab.LoadOptions{})
		if err != nil {
			return err
		}
		few := r.plan
		few.Rate = max(10, r.Rate/20)
		if err := other.Follow(ctx, few); err != nil { // so that it knows the replicas
			return err
		}
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		for _, outage := range []time.Duration{firstOutage, r.Outage} {
			if err := r.withoutEtcd(ctx, outage, other, few); err != nil {
				return err
			}
		}
		return nil
	},
}

// withoutEtcd kills etcd, restarts a replica and a client, and starts etcd again.
func (r *Run) withoutEtcd(ctx context.Context, outage time.Duration, other *lab.Load, few load.Plan) error {
	from := time.Now()
	r.Etcd.KillAll()
	if _, _, err := r.stay(ctx, outage/3, "etcd is away"); err != nil {
		return err
	}
	if err := r.restarts(ctx, other, few); err != nil {
		return err
	}
	if _, _, err := r.stay(ctx, time.Until(from.Add(outage)), "etcd is away"); err != nil {
		return err
	}
	if err := r.Etcd.StartAll(ctx); err != nil {
		return err
	}
	if err := r.registeredAgain(ctx); err != nil {
		return err
	}
	s, err := r.window(ctx, from, time.Now())
	if err != nil {
		return err
	}
	r.note(fmt.Sprintf("calls, etcd away for %v", outage), float64(s.Calls), "")
	r.measure(failedCalls.What, float64(s.Failed))
	return nil
}

// restarts restarts a replica and a client while etcd is away.
func (r *Run) restarts(ctx context.Context, other *lab.Load, few load.Plan) error {
	if err := r.Nodes[0].Stop(); err != nil {
		return err
	}
	took, err := r.Nodes[0].Start(ctx)
	if err != nil {
		return err
	}
	r.measure("a replica restarted meanwhile is ready after", took.Seconds())
	if err := other.Stop(); err != nil {
		return err
	}
	took, err = other.Start(ctx)
	if err != nil {
		return err
	}
	r.measure("a client restarted meanwhile is ready after", took.Seconds())
	if err := other.Follow(ctx, few); err != nil {
		return err
	}
	from, to, err := r.stay(ctx, 5*time.Second, "a client is new")
	if err != nil {
		return err
	}
	s, err := other.Window(ctx, from, to)
	if err != nil {
		return err
	}
	r.evidence(s.Errors...)
	r.measure("failed calls of the restarted client", float64(s.Failed))
	return nil
}

// registeredAgain looks for how long somebody is missing in an etcd that has come
// back, for longer than a lease lives.
func (r *Run) registeredAgain(ctx context.Context) error {
	changes, err := r.Etcd.WatchChanges(ctx, echo.Services[echo.Back])
	if err != nil {
		return err
	}
	back := time.Now()
	looking, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	missing, err := r.Etcd.Missing(looking, echo.Services[echo.Back], r.instances())
	if err != nil {
		return err
	}
	var puts []time.Duration
	for _, c := range changes.Stop() {
		if !c.Gone {
			puts = append(puts, c.At.Sub(back))
		}
	}
	after := time.Duration(0)
	if len(missing) > 0 {
		after = missing[len(missing)-1].Sub(back)
	}
	r.measure("all are registered again after", after.Seconds())
	if len(puts) > 0 {
		r.note("records written again, first", puts[0].Seconds(), "s")
		r.note("records written again, last", puts[len(puts)-1].Seconds(), "s")
	}
	return nil
}

// instances are the ids of the replicas that run.
func (r *Run) instances() []string {
	var ids []string
	for _, n := range r.Nodes {
		if n.Running() {
			ids = append(ids, n.Instance)
		}
	}
	return ids
}
