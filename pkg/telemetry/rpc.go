package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/metric"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// buckets are upper bounds in seconds: OpenTelemetry's for RPCs, and finer ones
// below, where calls inside a data centre are.
var buckets = []float64{
	0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
}

// rpcHandler records how long calls take, with OpenTelemetry's names. The stock
// handler costs a call several times as much: it builds a span and a set of
// attributes each time, where this one looks up a set that it made for the
// method and the status before.
type rpcHandler struct {
	duration metric.Float64Histogram
	methods  methods
	server   bool
}

// ServerHandler records the calls that a grpc.Server answers, and takes the
// trace context out of them.
func (t *Telemetry) ServerHandler() stats.Handler { return t.server }

// ClientHandler records the calls that a grpc.ClientConn makes, and puts the
// trace context into them.
func (t *Telemetry) ClientHandler() stats.Handler { return t.client }

func newHandler(meter metric.Meter, server bool, name, description string) (*rpcHandler, error) {
	duration, err := Duration(meter, name, description)
	return &rpcHandler{duration: duration, server: server}, err
}

// Duration makes a histogram of how long calls take, in seconds: OpenTelemetry's
// own buckets are for milliseconds.
func Duration(meter metric.Meter, name, description string) (metric.Float64Histogram, error) {
	return meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(buckets...))
}

// methodKey is where a call's context holds its *method.
type methodKey struct{}

// TagRPC notes which method is called and passes the trace context on.
func (h *rpcHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if h.server {
		ctx = receiveTrace(ctx)
	} else {
		ctx = sendTrace(ctx)
	}
	return context.WithValue(ctx, methodKey{}, h.methods.lookup(info.FullMethodName))
}

// HandleRPC records a call when it ends.
func (h *rpcHandler) HandleRPC(ctx context.Context, event stats.RPCStats) {
	end, ok := event.(*stats.End)
	if !ok {
		return
	}
	m, ok := ctx.Value(methodKey{}).(*method)
	if !ok {
		return
	}
	took := end.EndTime.Sub(end.BeginTime).Seconds()
	h.duration.Record(ctx, took, h.methods.labels(m, codeOf(end.Error))...)
}

// TagConn does nothing: connections are not measured.
func (h *rpcHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing: connections are not measured.
func (h *rpcHandler) HandleConn(context.Context, stats.ConnStats) {}

// codeOf is the status a call ended with. Codes that gRPC does not know are
// UNKNOWN, so that a callee cannot make new labels.
func codeOf(err error) codes.Code {
	if err == nil {
		return codes.OK
	}
	code := status.Code(err)
	if code > codes.Unauthenticated {
		return codes.Unknown
	}
	return code
}

// receiveTrace keeps the caller's trace context, if it sent one.
func receiveTrace(ctx context.Context) context.Context {
	if v := metadata.ValueFromIncomingContext(ctx, traceHeader); len(v) == 1 && validTrace(v[0]) {
		return WithTrace(ctx, v[0])
	}
	return ctx
}

// sendTrace hands the trace context on, if there is one.
func sendTrace(ctx context.Context) context.Context {
	if trace := Trace(ctx); trace != "" {
		return metadata.AppendToOutgoingContext(ctx, traceHeader, trace)
	}
	return ctx
}
