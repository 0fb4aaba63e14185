package mesh

import (
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/test/mesh/echo"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

// guard is the event of a list that has shrunk too fast to be believed.
const guard = string(discovery.Shrunk)

var massExpiry = Scenario{
	Number: 9, Name: "all leases are revoked while the replicas live", Quick: true,
	Bars: []Bar{
		failedCalls,
		{What: "all are registered again after", Limit: 5, Unit: "s", Timed: true},
		{What: "the guard has fired", Least: true, Limit: 1},
	},
	run: func(ctx context.Context, r *Run) error {
		if err := r.replicas(ctx, 3, lab.NodeOptions{}); err != nil {
			return err
		}
		if _, err := r.begin(ctx); err != nil {
			return err
		}
		fired, err := r.load.Events(ctx, guard)
		if err != nil {
			return err
		}
		from := time.Now()
		leases, err := r.Etcd.RevokeAll(ctx)
		if err != nil {
			return err
		}
		looking, cancel := context.WithTimeout(ctx, r.long(10*time.Second)+2*time.Second)
		defer cancel()
		missing, err := r.Etcd.Missing(looking, echo.Services[echo.Back], r.instances())
		if err != nil {
			return err
		}
		return r.expired(ctx, from, leases, missing, fired)
	},
}

func (r *Run) expired(ctx context.Context, from time.Time, leases int, missing []time.Time, fired float64) error {
	s, err := r.window(ctx, from, time.Now())
	if err != nil {
		return err
	}
	now, err := r.load.Events(ctx, guard)
	if err != nil {
		return err
	}
	r.note("leases revoked", float64(leases), "")
	r.note("calls", float64(s.Calls), "")
	r.measure(failedCalls.What, float64(s.Failed))
	after := time.Duration(0)
	if len(missing) > 0 {
		after = missing[len(missing)-1].Sub(from)
	}
	r.measure("all are registered again after", after.Seconds())
	r.measure("the guard has fired", now-fired)
	return nil
}
