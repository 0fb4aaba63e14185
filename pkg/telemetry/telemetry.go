// Package telemetry is how a part says what it does: metrics through the
// OpenTelemetry SDK, scraped in Prometheus's format, and traces, whose context is
// handed from caller to callee. What happens to a single call is in rpc.go,
// stream.go and trace.go, cheap enough to be on for every call.
//
// Spans are recorded of the traces that are sampled, and pushed where
// OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT says, in
// OTLP over HTTP with OTEL_EXPORTER_OTLP_HEADERS; without those there are none.
// OTEL_TRACES_SAMPLER_ARG is which share of the traces that begin here is sampled,
// 0.01 when it is not set.
// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES name the process. Metrics are
// never pushed.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
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
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
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
	// Spans gets the spans; when nil, the environment says where they go.
	Spans sdktrace.SpanExporter
}

// Telemetry holds the metrics of a process. Its methods may be used by several
// goroutines at once.
type Telemetry struct {
	registry *prometheus.Registry
	provider *sdk.MeterProvider
	meter    metric.Meter
	server   *calls
	client   *calls
	spans    *spans
	share    sampleShare
}

// New makes the metrics of a process, on a registry of their own, with those of
// the Go runtime and of the process beside them.
func New(o Options) (*Telemetry, error) {
	res, err := newResource(o)
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	registry := prometheus.NewRegistry()
	provider, err := newProvider(registry, res)
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	t := &Telemetry{registry: registry, provider: provider, meter: provider.Meter(scope)}
	if t.share, err = readShare(os.Getenv("OTEL_TRACES_SAMPLER"), os.Getenv("OTEL_TRACES_SAMPLER_ARG")); err != nil {
		return nil, err
	}
	if t.spans, err = newSpans(o, res); err != nil {
		return nil, err
	}
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

// Close ends the collection, and waits 2 s at most for the last spans to be
// exported. Recording afterwards does nothing.
func (t *Telemetry) Close() error {
	return errors.Join(t.spans.close(), t.provider.Shutdown(context.Background()))
}

// register adds what every process measures.
func (t *Telemetry) register() error {
	var serverErr, clientErr error
	t.server, serverErr = newCalls(t.meter, true, "rpc.server.call.duration",
		"Duration of calls that the process answered.")
	t.client, clientErr = newCalls(t.meter, false, "rpc.client.call.duration",
		"Duration of calls that the process made, each attempt by itself.")
	return errors.Join(
		serverErr,
		clientErr,
		t.registry.Register(collectors.NewGoCollector()),
		t.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	)
}

// newProvider connects the SDK to the registry.
func newProvider(registry *prometheus.Registry, res *resource.Resource) (*sdk.MeterProvider, error) {
	exporter, err := otelprom.New(
		otelprom.WithRegisterer(registry),
		otelprom.WithoutScopeInfo(),
		otelprom.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
	)
	if err != nil {
		return nil, err
	}
	return sdk.NewMeterProvider(
		sdk.WithReader(exporter),
		sdk.WithResource(res),
		sdk.WithCardinalityLimit(maxSeries),
		sdk.WithExemplarFilter(exemplar.AlwaysOffFilter), // they would cost every call
	), nil
}

// newResource says what is measured. The environment has the last
// word.
func newResource(o Options) (*resource.Resource, error) {
	attrs := []attribute.KeyValue{attribute.String("service.name", o.Part)}
	if o.Version != "" {
		attrs = append(attrs, attribute.String("service.version", o.Version))
	}
	return resource.New(context.Background(), resource.WithAttributes(attrs...), resource.WithFromEnv())
}
