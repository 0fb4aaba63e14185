package bench

import (
	"context"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/fairlead-mesh/fairlead/pkg/telemetry"
)

// The trace contexts that calls are made with: W3C's own example, in a trace that
// is recorded and in one that is not.
const (
	recorded = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	passedOn = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
)

// sampled makes each call part of a trace, as the edge does, and has one in a
// hundred recorded.
func sampled(call func(context.Context) error) func(context.Context) error {
	var calls atomic.Uint64
	return func(ctx context.Context) error {
		if calls.Add(1)%100 == 0 {
			return call(telemetry.WithTrace(ctx, recorded))
		}
		return call(telemetry.WithTrace(ctx, passedOn))
	}
}

// nowhere is where the spans go: what a collector does with them is its own cost.
type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }

func (nowhere) Shutdown(context.Context) error { return nil }
