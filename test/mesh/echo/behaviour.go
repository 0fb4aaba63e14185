package echo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	echov1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/echo/v1"
)

// Behaviour is how a replica treats its calls. The zero value answers at once.
type Behaviour struct {
	// Delay is how long a call takes, in nanoseconds; each takes up to a quarter more
	// or less.
	Delay time.Duration `json:"delay,omitempty"`
	// Fail is the code with which calls fail, "UNAVAILABLE" or "INTERNAL", and
	// FailPercent how many of 100 do. Those that fail take Delay only with FailLate.
	Fail        string  `json:"fail,omitempty"`
	FailPercent float64 `json:"fail_percent,omitempty"`
	FailLate    bool    `json:"fail_late,omitempty"`
	// Capacity is how many calls are worked on at once; the others wait for their
	// turn. 0 means all.
	Capacity int `json:"capacity,omitempty"`
}

// failures are the errors that a replica can be told to answer with.
var failures = map[string]error{
	"":            nil,
	"UNAVAILABLE": errs.Unavailable(echov1.Reason_REASON_TOLD_TO_FAIL, "told to fail"),
	"INTERNAL":    errs.Internal(echov1.Reason_REASON_TOLD_TO_FAIL, "told to fail"),
}

// worker treats calls by one Behaviour.
type worker struct {
	Behaviour
	failure error
	turns   chan struct{} // nil for no bound
}

func newWorker(b Behaviour) (*worker, error) {
	failure, known := failures[b.Fail]
	switch {
	case !known:
		return nil, fmt.Errorf("fail: %q is neither UNAVAILABLE nor INTERNAL", b.Fail)
	case b.Delay < 0 || b.Capacity < 0 || b.FailPercent < 0 || b.FailPercent > 100:
		return nil, fmt.Errorf("delay %v, capacity %d and fail_percent %v must not be negative, the last not above 100", b.Delay, b.Capacity, b.FailPercent)
	}
	w := &worker{Behaviour: b, failure: failure}
	if b.Capacity > 0 {
		w.turns = make(chan struct{}, b.Capacity)
	}
	return w, nil
}

// work takes as long as a call does, and says whether it fails.
func (w *worker) work(ctx context.Context) error {
	fails := w.failure != nil && rand.Float64()*100 < w.FailPercent
	if fails && !w.FailLate {
		return w.failure
	}
	if err := w.wait(ctx); err != nil {
		return err
	}
	if fails {
		return w.failure
	}
	return nil
}

func (w *worker) wait(ctx context.Context) error {
	if w.turns != nil {
		select {
		case w.turns <- struct{}{}:
			defer func() { <-w.turns }()
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	if w.Delay == 0 {
		return nil
	}
	done := time.NewTimer(w.Delay*3/4 + rand.N(w.Delay/2))
	defer done.Stop()
	select {
	case <-done.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
