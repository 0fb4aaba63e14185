package balance

import (
	"time"

	"google.golang.org/grpc/codes"
)

// Call is one attempt between Picker.Pick and Done. It may be used again after
// Done, so that a choice allocates nothing.
type Call struct {
	start
	endpoint *Endpoint
	attempt  *Attempt
}

// start is how an attempt began.
type start struct {
	began int64
	era   uint32 // of the breaker
	probe bool   // it is the one that tries a replica again
}

// ending is how an attempt ended.
type ending struct {
	start
	verdict Verdict
	err     error
	hung    bool          // it failed, since no answer came
	safe    bool          // the call may be made again
	took    time.Duration // 0 when it says nothing
}

// code says how it ended, for people.
func (x ending) code() string {
	if x.hung {
		return "no answer"
	}
	return code(x.err).String()
}

// Outcome is how the caller saw an attempt end.
type Outcome struct {
	// Err is what it ended with: a status, or nil.
	Err error
	// Unsent says that nothing was sent to the replica.
	Unsent bool
	// Refused says that the replica has turned the call away, or asked not to be
	// called again at once: it answers, and gets fewer calls.
	Refused bool
}

func (k *Call) begin(e *Endpoint, a *Attempt, now int64, probe bool) {
	*k = Call{start{now, e.era.Load(), probe}, e, a}
	e.calls.at(now).chosen.Add(1)
	if a != nil {
		a.start = k.start
		a.Chosen.Store(e)
	}
	if k.stream() {
		e.streams.Add(1)
		return
	}
	e.flight.enter(now)
}

func (k *Call) stream() bool { return k.attempt != nil && k.attempt.Stream }

// Done ends the attempt. It must be called once.
func (k *Call) Done(o Outcome) {
	e := k.endpoint
	now := e.cluster.now()
	x := ending{start: k.start, err: o.Err, took: time.Duration(now - k.began)}
	if k.stream() {
		k.streamed(now, x, o)
		return
	}
	e.flight.leave(k.began)
	x.safe = k.attempt != nil && k.attempt.Idempotent
	x.verdict, x.hung = k.judge(now, x.took, o)
	e.learn(now, x, o)
	e.ended(now, x)
}

// judge returns the verdict, and whether no answer came.
func (k *Call) judge(now int64, took time.Duration, o Outcome) (v Verdict, hung bool) {
	switch {
	case o.Unsent || o.Refused:
		return Excluded, false
	case o.Err == nil:
		return Success, false
	case k.attempt != nil && (k.attempt.Beaten.Load() || k.attempt.TimedOut.Load() && took >= shortest):
		return Failure, true
	}
	v = Judge(o.Err, took, k.endpoint.cluster.typical(now))
	return v, v == Failure && code(o.Err) == codes.DeadlineExceeded
}

// streamed ends a stream, and judges it unless that has been done. One that lived
// for long worked.
func (k *Call) streamed(now int64, x ending, o Outcome) {
	e := k.endpoint
	e.streams.Add(-1)
	switch {
	case o.Unsent: // there may be another choice for the same attempt
		x.verdict = Excluded
	case !k.attempt.judged.CompareAndSwap(false, true):
		return
	case o.Refused:
		x.verdict = Excluded
	case o.Err == nil || x.took >= streamLongest:
		x.verdict = Success
	default:
		x.verdict = Judge(o.Err, x.took, e.cluster.typical(now))
	}
	x.took = 0
	e.ended(now, x)
}

// learn takes note of how long an attempt took. What failed or was cut off would
// have taken at least that long, and never makes a replica look fast. What began in
// another era of the breaker is of a replica that has changed since.
func (e *Endpoint) learn(now int64, x ending, o Outcome) {
	took := float64(x.took)
	switch {
	case o.Unsent || e.era.Load() != x.era:
	case x.verdict == Success:
		e.cost.observe(now, took)
		e.latency.add(now, int64(x.took))
	case o.Refused || code(o.Err) == codes.ResourceExhausted:
		e.refused(now)
	default:
		e.cost.observe(now, max(e.cost.value(now), took))
	}
}
