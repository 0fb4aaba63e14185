package telemetry

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
)

// spans records the calls whose trace is sampled, and no others: what is not
// sampled costs a look at one character. At most 2,048 spans wait to be exported;
// what comes beside them is dropped.
type spans struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// newSpans returns nil when there is nowhere to export spans to.
func newSpans(o Options, res *resource.Resource) (*spans, error) {
	exporter := o.Spans
	if exporter == nil {
		c, err := newCollector()
		if c == nil || err != nil {
			return nil, err
		}
		exporter = otlptrace.NewUnstarted(c) // there is nothing to start
	}
	// Whether to record was decided where the trace began.
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	return &spans{p, p.Tracer(scope)}, nil
}

// start begins the span of a call, and makes it the parent of what is done with
// the context. Without a sampled trace, or without spans, it returns ctx and nil.
func (s *spans) start(ctx context.Context, kind trace.SpanKind, method string) (context.Context, trace.Span) {
	parent := Trace(ctx)
	if s == nil || !isSampled(parent) {
		return ctx, nil
	}
	if kind == trace.SpanKindServer || !trace.SpanContextFromContext(ctx).IsSampled() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, spanContext(parent))
	}
	name := strings.TrimPrefix(method, "/")
	ctx, span := s.tracer.Start(ctx, name, trace.WithSpanKind(kind),
		trace.WithAttributes(attribute.String("rpc.system.name", "grpc"), attribute.String("rpc.method", name)))
	return WithTrace(ctx, traceparent(span.SpanContext())), span
}

// endSpan ends the span of a call; nil is none. Texts of errors stay out of it:
// they may say something about a person.
func endSpan(span trace.Span, server bool, code codes.Code) {
	if span == nil {
		return
	}
	span.SetAttributes(attribute.String("rpc.response.status_code", CodeName(code)))
	if code != codes.OK && (!server || serverFault(code)) {
		span.SetAttributes(attribute.String("error.type", CodeName(code)))
		span.SetStatus(otelcodes.Error, "")
	}
	span.End()
}

// serverFault says which codes OpenTelemetry counts as errors of a server; the
// others are an answer like any.
func serverFault(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	}
	return false
}

// exportTime bounds how long Close waits for the spans that are left.
const exportTime = 2 * time.Second

func (s *spans) close() error {
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), exportTime)
	defer cancel()
	return s.provider.Shutdown(ctx)
}

// spanContext reads a valid traceparent.
func spanContext(traceparent string) trace.SpanContext {
	var c trace.SpanContextConfig
	// Valid means that these are hex digits, of the right number.
	_, _ = hex.Decode(c.TraceID[:], []byte(traceparent[3:35]))
	_, _ = hex.Decode(c.SpanID[:], []byte(traceparent[36:52]))
	c.TraceFlags, c.Remote = trace.FlagsSampled, true
	return trace.NewSpanContext(c)
}

// traceparent is that of a sampled span.
func traceparent(c trace.SpanContext) string {
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-01"
}
