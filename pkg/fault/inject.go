package fault

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// do does what a rule says, until over is closed.
func (i *Injector) do(ctx context.Context, f *live.Fault, over <-chan struct{}) error {
	if f.Drop {
		return hang(ctx, over)
	}
	if f.Delay > 0 {
		if err := wait(ctx, i.delay(f), over); err != nil {
			return err
		}
	}
	if f.Abort != codes.OK {
		return status.Error(f.Abort, "fault injected by live configuration")
	}
	return nil
}

// delay is spread evenly over the jitter.
func (i *Injector) delay(f *live.Fault) time.Duration {
	if f.Jitter == 0 {
		return f.Delay
	}
	return f.Delay + time.Duration(i.options.Random()*float64(f.Jitter))
}

// hang waits for the end of the call, as when its packets are lost.
func hang(ctx context.Context, over <-chan struct{}) error {
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-over:
		return status.Error(codes.Unavailable, "a fault that was injected by live configuration is over")
	}
}

// wait waits for the time, or goes on at once when the rule is gone.
func wait(ctx context.Context, d time.Duration, over <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-t.C:
	case <-over:
	}
	return nil
}
