package host

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead-mesh/fairlead/pkg/fault"
	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// ReadLive makes the parts of this process heed the live configuration that a
// source tells of. It is called before the first of them starts.
func (h *Host) ReadLive(source live.Source) error {
	counter, err := h.Telemetry.Meter().Int64Counter("fairlead.live.documents", metric.WithUnit("{document}"),
		metric.WithDescription("Live configurations that came into force, or were refused"))
	if err != nil {
		return err
	}
	h.Live = live.NewWatcher(live.Options{Source: source, Logger: h.Logger, Events: func(e live.Event) {
		outcome := "in force"
		if e.Err != nil {
			outcome = "refused"
		}
		counter.Add(context.Background(), 1, metric.WithAttributes(attribute.String("rpc.service", e.Service), attribute.String("outcome", outcome)))
	}})
	return nil
}

// Injector returns what injects the faults of live configuration into the calls
// that a part answers or makes. It injects none when the process has no leave.
func (h *Host) Injector(part string, side live.Side) (*fault.Injector, error) {
	counter, err := h.Telemetry.Meter().Int64Counter("fairlead.faults", metric.WithUnit("{call}"),
		metric.WithDescription("Calls that were delayed, failed or made to hang on purpose"))
	if err != nil {
		return nil, err
	}
	return fault.New(fault.Options{
		Side: side, Part: part, Instance: h.InstanceID, Enabled: h.Faults, Logger: h.LoggerOf(part),
		Injected: func(service string, k fault.Kind) {
			counter.Add(context.Background(), 1, metric.WithAttributes(
				attribute.String("rpc.service", service), attribute.String("kind", string(k)), attribute.String("side", string(side))))
		},
	}), nil
}
