package mesh

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/calls"
)

// ended is how an attempt ended. paid says that the budget has paid for another
// one.
type ended struct {
	calls.Ended
	paid bool
}

// attempt makes attempt n, and counts n up when it has made another one beside.
func (c *call) attempt(n *int) ended {
	a := &balance.Attempt{Idempotent: c.repeatable, Tried: c.tried}
	if !c.repeatable {
		return c.unwatched(a, *n)
	}
	return c.watched(a, n)
}

// unwatched makes an attempt that goes on as long as the caller waits.
func (c *call) unwatched(a *balance.Attempt, n int) ended {
	ctx := numbered(c.ctx, n)
	if c.ours {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, c.deadline)
		defer cancel()
	}
	start := c.start(n)
	trailer, err := c.send(balance.WithAttempt(ctx, a), false)
	c.learn(a, time.Since(start), err, trailer)
	if err != nil {
		c.avoid(a)
	}
	return ended{Ended: calls.Ended{Attempt: n, Err: err, Trailer: trailer, Repeatable: c.repeatable}}
}

// watched makes an attempt that may be given up, and maybe another one beside it.
func (c *call) watched(a *balance.Attempt, n *int) ended {
	ctx, cancel := c.cancellable(*n)
	defer cancel()
	start := c.start(*n)
	l := watch(c, a, *n, start, cancel)
	trailer, err := c.send(balance.WithAttempt(ctx, a), false)
	l.end()
	if l.cut && err != nil {
		err = cutError(err)
	}
	c.learn(a, time.Since(start), err, trailer)
	if err != nil {
		c.avoid(a)
	}
	e := ended{Ended: calls.Ended{Attempt: *n, Err: err, Trailer: trailer, Repeatable: true, CutOff: l.cut}, paid: l.paid}
	if l.beside != nil {
		*n++
		e = l.settle(e)
	}
	l.release()
	return e
}

// start returns when attempt n begins: the first one with the call.
func (c *call) start(n int) time.Time {
	if n == 1 {
		return c.began
	}
	return time.Now()
}

// cancellable returns the context of an attempt. There is one context for the
// deadline and the end of the attempt: each costs a call half a microsecond.
func (c *call) cancellable(n int) (context.Context, context.CancelFunc) {
	if c.ours {
		return context.WithDeadline(numbered(c.ctx, n), c.deadline)
	}
	return context.WithCancel(numbered(c.ctx, n))
}

// numbered tells the server which attempt this is, so that what it calls in turn
// is not repeated as well.
func numbered(ctx context.Context, n int) context.Context {
	if n == 1 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, calls.PreviousAttempts, strconv.Itoa(n-1))
}
