package host

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead-mesh/fairlead/pkg/mesh"
)

// countMesh returns a counter of what happens beside the calls that parts make:
// retries, hedges, breakers that open. Services are bounded by mesh, kinds are a
// fixed list; which instance it was is in the log and in the view of the part.
func (h *Host) countMesh() (func(mesh.Event), error) {
	counter, err := h.Telemetry.Meter().Int64Counter("fairlead.mesh.events", metric.WithUnit("{event}"),
		metric.WithDescription("Retries, hedges, throttled calls, and changes of breakers and of who is called"))
	if err != nil {
		return nil, err
	}
	return func(e mesh.Event) {
		counter.Add(context.Background(), 1, metric.WithAttributes(
			attribute.String("kind", e.Kind), attribute.String("rpc.service", e.Service)))
	}, nil
}
