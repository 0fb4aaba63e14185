package mesh

import (
	"context"
	"math"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/calls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// exchange is a request that can be sent several times, and has room for the
// answers of two attempts that run at once.
type exchange interface {
	// twice says whether there is room for two answers.
	twice() bool
	// send makes an attempt. spare says in which of the two rooms the answer goes.
	send(ctx context.Context, spare bool) (trailer metadata.MD, err error)
	// swap makes the answer in the spare room the answer of the call.
	swap()
	// drop throws away what is in the spare room.
	drop()
}

// call is one unary call on its way. The life of a call: it gets a deadline, pays
// into the budget, may be throttled, and is attempted until there is an answer or
// nothing more may be tried.
type call struct {
	*target
	exchange
	name       string
	policy     *policy.Policy // nil when it is not known
	method     *method
	ctx        context.Context // of the caller, with the metadata that goes on
	began      time.Time
	deadline   time.Time
	ours       bool // the deadline is sooner than that of ctx
	repeatable bool
	tried      []*balance.Endpoint
}

// call makes a unary call.
func (t *target) call(ctx context.Context, name string, x exchange) error {
	t.list(ctx)
	m := t.method(name)
	p := t.policyOf(name, m)
	c := &call{target: t, exchange: x, name: name, policy: p, method: m, ctx: ctx, repeatable: repeatable(ctx, p)}
	c.bound()
	if t.mesh.config.Forward {
		c.ctx = forward(ctx)
	}
	if err := c.throttled(); err != nil {
		return err
	}
	t.budget.Pay()
	return c.run()
}

// throttled returns what to answer for a call that is better not made, else nil.
func (c *call) throttled() error {
	if !c.method.throttle.Troubled() {
		return nil
	}
	err := c.method.throttle.Refusal(c.criticality())
	if err != nil {
		c.target.throttled.Add(1)
		c.mesh.event(Event{Kind: Throttled, Service: c.service, Reason: err.Error()})
	}
	return err
}

// criticality is asked for in trouble alone: reading metadata takes a copy.
func (c *call) criticality() criticality.Level {
	otherwise := criticality.Default
	if c.policy != nil {
		otherwise = c.policy.Criticality
	}
	return criticality.FromOutgoing(c.ctx, otherwise)
}

// bound finds out when the call has to end: at the caller's deadline, or after the
// timeout of the policy or that of the live configuration, whichever comes first.
func (c *call) bound() {
	deadline, has := c.ctx.Deadline()
	limit := time.Duration(math.MaxInt64)
	switch {
	case c.policy != nil:
		limit = c.policy.Timeout
	case !has:
		limit = policy.DefaultTimeout
	}
	if live := c.timeout(c.name); live > 0 {
		limit = min(limit, live)
	}
	c.began = time.Now()
	end := c.began.Add(limit)
	if c.ours = !has || end.Before(deadline); c.ours {
		deadline = end
	}
	c.deadline = deadline
}

func (c *call) run() error {
	for n := 1; ; n++ {
		ended := c.attempt(&n)
		if ended.Err == nil {
			return nil
		}
		if !c.again(ended) {
			return ended.Err
		}
		c.retries.Add(1)
		c.mesh.event(Event{Kind: Retried, Service: c.service, Reason: status.Code(ended.Err).String()})
	}
}

// again waits until the next attempt is due, and says whether there is one.
func (c *call) again(e ended) bool {
	wait, again := calls.After(e.Ended)
	if !again || c.ctx.Err() != nil || time.Until(c.deadline) <= wait || rpcserver.IsRetry(c.ctx) {
		return false
	}
	if !e.paid && !c.budget.Take() {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// send makes an attempt, unless a fault is to be tried out.
func (c *call) send(ctx context.Context, spare bool) (metadata.MD, error) {
	if faults := c.mesh.config.Faults; faults != nil {
		if err := faults.Before(ctx, c.name); err != nil {
			return nil, err
		}
	}
	return c.exchange.send(ctx, spare)
}

// learn takes note of how an attempt went. One that was cut off took at least that
// long: left out, it would make the usual time look shorter than it is, and ever
// more attempts would be cut off. One that found no replica says nothing.
func (c *call) learn(a *balance.Attempt, took time.Duration, err error, trailer metadata.MD) {
	if a.Chosen.Load() == nil {
		return
	}
	if err == nil || a.TimedOut.Load() || a.Beaten.Load() {
		c.method.latency.Observe(took)
	}
	if err != nil || c.method.throttle.Troubled() {
		c.method.throttle.Ended(c.criticality(), err, trailer)
	}
}

// avoid keeps the next attempt away from the replica of this one.
func (c *call) avoid(a *balance.Attempt) {
	if chosen := a.Chosen.Load(); chosen != nil {
		c.tried = append(c.tried, chosen)
	}
}

// cutError is what an attempt that was given up ended with: it shows as cancelled,
// which nobody asked for.
func cutError(err error) error {
	if status.Code(err) != codes.Canceled {
		return err
	}
	return status.Error(codes.DeadlineExceeded, "the attempt took too long")
}
