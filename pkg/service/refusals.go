package service

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// counter counts the calls and connections that a part has turned away. Methods
// and reasons come from the server itself, so that their number is bounded.
func counter(meter metric.Meter, part string) (func(rpcserver.Refusal), error) {
	refused, err := meter.Int64Counter("fairlead.server.refusals",
		metric.WithUnit("{refusal}"), metric.WithDescription("Calls and connections that were turned away before any handler saw them."))
	if err != nil {
		return nil, err
	}
	var labels sync.Map // they are made once: under overload there are many refusals
	return func(r rpcserver.Refusal) {
		r.Peer = ""
		ready, ok := labels.Load(r)
		if !ok {
			ready, _ = labels.LoadOrStore(r, metric.WithAttributeSet(attribute.NewSet(
				attribute.String("part", part), attribute.String("rpc.method", r.Method), attribute.String("reason", r.Reason),
			)))
		}
		refused.Add(context.Background(), 1, ready.(metric.AddOption))
	}, nil
}

// gauges show how much a server does, and how much it lets in.
func gauges(meter metric.Meter, part string, server *rpcserver.Server) error {
	limit, err := meter.Int64ObservableGauge("fairlead.server.limit",
		metric.WithUnit("{call}"), metric.WithDescription("Calls that may run at once, as the server finds out."))
	if err != nil {
		return err
	}
	running, err := meter.Int64ObservableGauge("fairlead.server.running",
		metric.WithUnit("{call}"), metric.WithDescription("Calls that run."))
	if err != nil {
		return err
	}
	with := metric.WithAttributes(attribute.String("part", part))
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		load := server.Load()
		o.ObserveInt64(limit, int64(load.Limit), with)
		o.ObserveInt64(running, int64(load.Running), with)
		return nil
	}, limit, running)
	return err
}
