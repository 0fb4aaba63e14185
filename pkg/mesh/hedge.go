package mesh

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// hedge is an attempt beside another one. err may be read when done is closed.
type hedge struct {
	attempt *balance.Attempt
	cancel  context.CancelFunc
	began   time.Time
	err     error
	done    chan struct{}
}

// hedge asks another replica, if there is one and the budget pays. The caller holds
// the mutex.
func (l *late) hedge() {
	c := l.call
	if !l.mayHedge() || !c.budget.Take() {
		return
	}
	c.hedges.Add(1)
	c.mesh.event(Event{Kind: Hedged, Service: c.service})
	a := &balance.Attempt{Idempotent: true, Tried: append(slices.Clip(c.tried), l.attempt.Chosen.Load())}
	ctx, cancel := c.cancellable(l.number + 1)
	l.beside = &hedge{attempt: a, cancel: cancel, began: time.Now(), done: make(chan struct{})}
	go l.beside.run(balance.WithAttempt(ctx, a), l)
}

// mayHedge asks for another replica, and for nobody further up who repeats calls.
func (l *late) mayHedge() bool {
	return l.call.twice() && l.attempt.Chosen.Load() != nil && l.call.cluster.Usable() > 1 && !rpcserver.IsRetry(l.call.ctx)
}

// run makes the attempt, and ends the first one when it is answered sooner.
func (h *hedge) run(ctx context.Context, l *late) {
	defer close(h.done)
	defer h.cancel()
	var trailer metadata.MD
	trailer, h.err = l.call.send(ctx, true)
	l.call.learn(h.attempt, time.Since(h.began), h.err, trailer)
	if h.err == nil {
		l.attempt.Beaten.Store(true)
		l.cancel()
	}
}

// settle decides between an attempt that has ended and the one beside it. It waits
// for that one, so that nobody writes into an answer that was given away.
func (l *late) settle(e ended) ended {
	h := l.beside
	switch {
	case e.Err == nil:
		h.cancel() // and not Beaten: it had less time
	case e.paid:
		defer h.giveUp(l.cutIn).Stop()
	}
	<-h.done
	switch {
	case e.Err == nil:
		l.call.drop()
		return e
	case h.err == nil:
		l.call.swap()
		return ended{}
	}
	l.call.drop()
	l.call.avoid(h.attempt)
	e.Attempt++
	return e
}

// giveUp cuts a hedge off that takes as long as the attempt beside which it was
// made. The budget has paid for the one that follows.
func (h *hedge) giveUp(cutIn time.Duration) *time.Timer {
	return time.AfterFunc(time.Until(h.began.Add(cutIn)), func() {
		h.attempt.TimedOut.Store(true)
		h.cancel()
	})
}
