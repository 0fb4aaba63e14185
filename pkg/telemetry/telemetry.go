// Package telemetry is how a part says what it does: metrics through the
// OpenTelemetry SDK, scraped in Prometheus's format, and trace context that is
// handed from caller to callee. What happens to a single call is in rpc.go and
// trace.go, cheap enough to be on for every call.
//
// Spans are not recorded and nothing is pushed: OTEL_* variables name the
// resource (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES), and an OTLP endpoint
// that they name is not used.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
)

// scope names the metrics of this project among those of libraries.
const scope = "github.com/fairlead-mesh/fairlead"

// maxSeries bounds the label sets of one metric. What comes after that many is
// counted together, under otel_metric_overflow="true".
const maxSeries = 4096

// Options name what is measured.
type Options struct {
	// Part is the name of the part, or of the process that runs several.
	Part string
	// Version is the version of the program; empty when it has none.
	Version string
}

// Telemetry holds the metrics of a process. Its methods may be used by several
// goroutines at once.
type Telemetry struct {
	registry *prometheus.Registry
	provider *sdk.MeterProvider
	meter    metric.Meter
	server   *rpcHandler
	client   *rpcHandler
}

// New makes the metrics of a process, on a registry of their own, with those of
// the Go runtime and of the process beside them.
func New(o Options) (*Telemetry, error) {
	registry := prometheus.NewRegistry()
	provider, err := newProvider(registry, o)
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	t := &Telemetry{registry: registry, provider: provider, meter: provider.Meter(scope)}
	if err := t.register(); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return t, nil
}

// Meter is where other packages make their counters and histograms. Names and
// attributes follow OpenTelemetry's conventions; attribute values come from
// bounded sets, never from what a client sent.
func (t *Telemetry) Meter() metric.Meter { return t.meter }

// Handler serves the metrics in Prometheus's format.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}

// Close ends the collection. Recording afterwards does nothing.
func (t *Telemetry) Close() error {
	return t.provider.Shutdown(context.Background())
}

// register adds what every process measures.
func (t *Telemetry) register() error {
	var serverErr, clientErr error
	t.server, serverErr = newHandler(t.meter, true, "rpc.server.call.duration",
		"Duration of calls that the process answered.")
	t.client, clientErr = newHandler(t.meter, false, "rpc.client.call.duration",
		"Duration of calls that the process made, each attempt by itself.")
	return errors.Join(
		serverErr,
		clientErr,
		t.registry.Register(collectors.NewGoCollector()),
		t.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	)
}

// newProvider connects the SDK to the registry.
func newProvider(registry *prometheus.Registry, o Options) (*sdk.MeterProvider, error) {
	exporter, err := otelprom.New(
		otelprom.WithRegisterer(registry),
		otelprom.WithoutScopeInfo(),
		otelprom.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
	)
	if err != nil {
		return nil, err
	}
	res, err := newResource(o)
	if err != nil {
		return nil, err
	}
	return sdk.NewMeterProvider(
		sdk.WithReader(exporter),
		sdk.WithResource(res),
		sdk.WithCardinalityLimit(maxSeries),
		sdk.WithExemplarFilter(exemplar.AlwaysOffFilter), // there are no spans to point to
	), nil
}

// newResource says what the metrics are about. The environment has the last
// word.
func newResource(o Options) (*resource.Resource, error) {
	attrs := []attribute.KeyValue{attribute.String("service.name", o.Part)}
	if o.Version != "" {
		attrs = append(attrs, attribute.String("service.version", o.Version))
	}
	return resource.New(context.Background(), resource.WithAttributes(attrs...), resource.WithFromEnv())
}
