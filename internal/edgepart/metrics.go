package edgepart

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/codes"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/edge/event"
	"github.com/fairlead-mesh/fairlead/pkg/telemetry"
)

// metrics are the edge's own, beside those of the calls that it makes.
type metrics struct {
	events metric.Int64Counter
	calls  metric.Float64Histogram
}

func newMetrics(meter metric.Meter) (*metrics, error) {
	events, err := meter.Int64Counter("fairlead.edge.events", metric.WithUnit("{event}"),
		metric.WithDescription("Services and routes that were exposed, refused or removed"))
	calls, callsErr := telemetry.Duration(meter, "fairlead.edge.call.duration", "Time from a routed request to its answer, as the client sees it")
	return &metrics{events, calls}, errors.Join(err, callsErr)
}

func (m *metrics) event(k event.Kind) {
	m.events.Add(context.Background(), 1, metric.WithAttributes(attribute.String("kind", string(k))))
}

// call counts a call under its method, which is exposed and so one of few, and
// the status that the client got.
func (m *metrics) call(c *call.Call, code codes.Code, took time.Duration) {
	m.calls.Record(context.Background(), took.Seconds(), metric.WithAttributes(
		attribute.String("rpc.method", c.Method.FullName[1:]), attribute.String("rpc.response.status_code", telemetry.CodeName(code))))
}
