// Package balance chooses, for each attempt of a call, the replica of a service
// that is to serve it, and learns from what came of it. It keeps away from slow,
// hanging and failing replicas, and never refuses a call while one is reachable.
//
// It knows nothing of connections: whoever uses it says which replicas are ready.
package balance

import (
	"context"
	"sync/atomic"
)

// Attempt is what the choice knows of one attempt of a call, and what the call
// learns from the choice. An Attempt belongs to one attempt: it is made anew for
// each, and is not changed by others while the attempt runs, but where said.
type Attempt struct {
	// Context is that of WithAttempt.
	context.Context
	// Stream is set for a stream: it counts in flight, its age is no sign of a
	// hanging replica, and it is judged when Answered is called, or at its end.
	Stream bool
	// Idempotent calls are the first to be tried on a replica that failed.
	Idempotent bool
	// TimedOut is set, before the attempt ends, by whoever cuts it off because it
	// took too long. A cut is a failure of the replica then, and none otherwise. It
	// is atomic, since a timer may set it while the attempt is ending.
	TimedOut atomic.Bool
	// Beaten is set, before the attempt ends, by whoever cuts it off because one that
	// was made later, beside it, was answered first. It is a failure of the replica:
	// without it, one that hangs would never be seen to fail, since each time another
	// one helps out. It happens to slow calls of good replicas as well, but not five
	// times in a row. The later one of the two is never beaten: it had less time.
	Beaten atomic.Bool
	// Tried are not chosen again while another can be. At most 4 are looked at.
	Tried []*Endpoint
	// Chosen is who serves the attempt; nil until one is chosen. It is atomic, since
	// whoever hedges reads it while the attempt runs.
	Chosen atomic.Pointer[Endpoint]

	start  start
	judged atomic.Bool // of a stream: Answered, or its end, has told
}

// Answered says that a stream works: its first header or message has come. Later
// calls of it, and those for what is no stream, do nothing.
func (a *Attempt) Answered() {
	e := a.Chosen.Load()
	if a.Stream && e != nil && a.judged.CompareAndSwap(false, true) {
		e.ended(e.cluster.now(), ending{start: a.start, verdict: Success})
	}
}

type attemptKey struct{}

// WithAttempt returns a context by which the choice finds the attempt: the attempt
// itself, since it is there anyway. It may be called once for an attempt.
func WithAttempt(ctx context.Context, a *Attempt) context.Context {
	a.Context = ctx
	return a
}

// Value implements context.Context.
func (a *Attempt) Value(key any) any {
	if key == (attemptKey{}) {
		return a
	}
	return a.Context.Value(key)
}

// AttemptOf returns the attempt of a context; nil when it has none.
func AttemptOf(ctx context.Context) *Attempt {
	a, _ := ctx.Value(attemptKey{}).(*Attempt)
	return a
}
