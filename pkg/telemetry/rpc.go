package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// buckets are upper bounds in seconds: OpenTelemetry's for RPCs, and finer ones
// below, where calls inside a data centre are.
var buckets = []float64{
	0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
}

// calls records the calls of one side, with OpenTelemetry's names.
type calls struct {
	duration metric.Float64Histogram
	methods  methods
	server   bool
}

// Duration makes a histogram of how long calls take, in seconds: OpenTelemetry's
// own buckets are for milliseconds.
func Duration(meter metric.Meter, name, description string) (metric.Float64Histogram, error) {
	return meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(buckets...))
}

func newCalls(meter metric.Meter, server bool, name, description string) (*calls, error) {
	duration, err := Duration(meter, name, description)
	return &calls{duration: duration, server: server}, err
}

// running is a call that is to be recorded.
type running struct {
	*calls
	ctx    context.Context
	method string
	start  time.Time
	span   trace.Span // nil when there is none
}

// ended records the call.
func (r running) ended(err error) {
	code := codeOf(err)
	r.duration.Record(r.ctx, time.Since(r.start).Seconds(), r.methods.labels(r.method, code)...)
	endSpan(r.span, r.server, code)
}

// receive begins the record of a call that came with ctx, and keeps the caller's
// trace context, if it sent one.
func (t *Telemetry) receive(ctx context.Context, method string) running {
	r := running{calls: t.server, method: method, start: time.Now()}
	if v := metadata.ValueFromIncomingContext(ctx, traceHeader); len(v) == 1 {
		ctx = WithTrace(ctx, v[0])
	}
	r.ctx, r.span = t.spans.start(ctx, trace.SpanKindServer, method)
	return r
}

// send begins the record of a call that goes out, and hands the trace context on,
// if there is one.
func (t *Telemetry) send(ctx context.Context, method string) running {
	r := running{calls: t.client, method: method, start: time.Now()}
	r.ctx, r.span = t.spans.start(ctx, trace.SpanKindClient, method)
	if parent := Trace(r.ctx); parent != "" {
		r.ctx = metadata.AppendToOutgoingContext(r.ctx, traceHeader, parent)
	}
	return r
}

// UnaryServer is a grpc.UnaryServerInterceptor. It records the calls that a server
// answers, and takes the trace context out of them. It belongs before all others.
//
// A stats.Handler would see the same and cost several times as much: grpc-go makes
// up to nine events of each call for it, and copies of all metadata.
func (t *Telemetry) UnaryServer(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	r := t.receive(ctx, info.FullMethod)
	reply, err := handle(r.ctx, req)
	r.ended(err)
	return reply, err
}

// UnaryClient is a grpc.UnaryClientInterceptor. It records the calls that a client
// makes, and puts the trace context into them. It belongs behind all others, so
// that it sees each attempt by itself.
func (t *Telemetry) UnaryClient(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	r := t.send(ctx, method)
	err := invoke(r.ctx, method, req, reply, cc, opts...)
	r.ended(err)
	return err
}

// codeOf is the status that a call ended with. Codes that gRPC does not know are
// UNKNOWN, so that a callee cannot make new labels.
func codeOf(err error) codes.Code {
	if err == nil {
		return codes.OK
	}
	if code := codeIn(err); code <= codes.Unauthenticated {
		return code
	}
	return codes.Unknown
}

func codeIn(err error) codes.Code {
	// To make the status of an *errs.Error costs more than to ask for its code.
	if known, ok := err.(interface{ Code() codes.Code }); ok {
		return known.Code()
	}
	if code := status.Code(err); code != codes.Unknown {
		return code
	}
	return status.FromContextError(err).Code() // what grpc-go answers then
}
