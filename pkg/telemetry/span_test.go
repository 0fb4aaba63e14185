package telemetry

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
)

// kept keeps the spans that are exported.
type kept struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

func (k *kept) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spans = append(k.spans, spans...)
	return nil
}

func (k *kept) Shutdown(context.Context) error { return nil }

// of returns the spans of a kind, oldest first, once there are n.
func (k *kept) of(t *testing.T, tel *Telemetry, kind trace.SpanKind, n int) []sdktrace.ReadOnlySpan {
	t.Helper()
	var found []sdktrace.ReadOnlySpan
	eventually(t, kind.String()+" spans", func() bool {
		check(t, tel.spans.provider.ForceFlush(t.Context()))
		k.mu.Lock()
		defer k.mu.Unlock()
		found = nil
		for _, s := range k.spans {
			if s.SpanKind() == kind {
				found = append(found, s)
			}
		}
		return len(found) == n
	})
	return found
}

func recording(t *testing.T) (*Telemetry, *kept) {
	t.Helper()
	k := new(kept)
	tel, err := New(Options{Part: "test", Spans: k})
	check(t, err)
	t.Cleanup(func() { check(t, tel.Close()) })
	return tel, k
}

// A sampled call that makes another has four spans, each the child of the one
// before it, and the first that of whoever began the trace.
func TestSpansOfACall(t *testing.T) {
	tel, k := recording(t)
	h := &health{trace: make(chan string, 1)}
	h.next = grpc_health_v1.NewHealthClient(serve(t, tel, h))
	_, err := h.next.Check(WithTrace(t.Context(), goodTrace), &grpc_health_v1.HealthCheckRequest{Service: "forward"})
	check(t, err)

	client, server := k.of(t, tel, trace.SpanKindClient, 2), k.of(t, tel, trace.SpanKindServer, 2)
	chain := []sdktrace.ReadOnlySpan{client[1], server[1], client[0], server[0]} // the inner ones end first
	parent := spanContext(goodTrace)
	for i, s := range chain {
		if s.SpanContext().TraceID() != parent.TraceID() || s.Parent().SpanID() != parent.SpanID() {
			t.Errorf("span %d is %v below %v, want it below %v", i, s.SpanContext(), s.Parent(), parent)
		}
		if s.Name() != "grpc.health.v1.Health/Check" || s.Status().Code != otelcodes.Unset {
			t.Errorf("span %d is %q with status %v", i, s.Name(), s.Status())
		}
		parent = s.SpanContext()
	}
	if got := <-h.trace; got != traceparent(server[0].SpanContext()) {
		t.Errorf("the handler is part of %q", got)
	}
	if got := server[0].Resource().Attributes(); !contains(got, attribute.String("service.name", "test")) {
		t.Errorf("the resource is %v", got)
	}
}

func contains(list []attribute.KeyValue, want attribute.KeyValue) bool {
	for _, kv := range list {
		if kv == want {
			return true
		}
	}
	return false
}

// What a caller did wrong is an error of the caller's span alone.
func TestSpansOfAFailedCall(t *testing.T) {
	tel, k := recording(t)
	client := grpc_health_v1.NewHealthClient(serve(t, tel, &health{}))
	_, err := client.Check(WithTrace(t.Context(), goodTrace), &grpc_health_v1.HealthCheckRequest{Service: "fail"})
	if err == nil {
		t.Fatal("no error")
	}
	for kind, want := range map[trace.SpanKind]otelcodes.Code{trace.SpanKindClient: otelcodes.Error, trace.SpanKindServer: otelcodes.Unset} {
		s := k.of(t, tel, kind, 1)[0]
		if s.Status().Code != want || s.Status().Description != "" || !contains(s.Attributes(), attribute.String("rpc.response.status_code", "NOT_FOUND")) {
			t.Errorf("%v: status %v, attributes %v", kind, s.Status(), s.Attributes())
		}
	}
}

func TestFaultsOfServers(t *testing.T) {
	for code, want := range map[codes.Code]bool{codes.OK: false, codes.InvalidArgument: false, codes.ResourceExhausted: false, codes.Internal: true, codes.Unavailable: true} {
		if serverFault(code) != want {
			t.Errorf("%v: %v", code, !want)
		}
	}
}

func TestNoSpansOfWhatIsNotSampled(t *testing.T) {
	tel, k := recording(t)
	h := &health{trace: make(chan string, 2)}
	client := grpc_health_v1.NewHealthClient(serve(t, tel, h))
	for _, trace := range []string{goodTrace[:54] + "0", ""} {
		_, err := client.Check(WithTrace(t.Context(), trace), &grpc_health_v1.HealthCheckRequest{})
		check(t, err)
		if got := <-h.trace; got != trace {
			t.Errorf("sent %q, got %q", trace, got)
		}
	}
	k.of(t, tel, trace.SpanKindServer, 0)
	k.of(t, tel, trace.SpanKindClient, 0)
}

// Spans go where the environment says, and Close waits for the last.
func TestSpansAreExported(t *testing.T) {
	bodies := make(chan []byte, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("X-Key") != "a b" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- body
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b")
	tel, err := New(Options{Part: "test"})
	check(t, err)
	tel.send(WithTrace(t.Context(), goodTrace), "/s.S/M").ended(errors.New("no status"))
	check(t, tel.Close())
	var sent collectorpb.ExportTraceServiceRequest
	check(t, proto.Unmarshal(<-bodies, &sent))
	if span := sent.ResourceSpans[0].ScopeSpans[0].Spans[0]; span.Name != "s.S/M" || hex.EncodeToString(span.TraceId) != goodTrace[3:35] {
		t.Errorf("exported %v", span)
	}
}

// A collector that is not there is no reason for a process not to end well.
func TestCollectorRefuses(t *testing.T) {
	refuses := httptest.NewServer(http.NotFoundHandler())
	defer refuses.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", refuses.URL)
	c, err := newCollector()
	check(t, err)
	if err := c.UploadTraces(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}

func TestBadCollectors(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":        "collector:4318",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "grpc://collector:4317",
		"OTEL_EXPORTER_OTLP_HEADERS":         "secret",
		"OTEL_TRACES_SAMPLER":                "sometimes",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
			t.Setenv(name, value)
			if _, err := New(Options{Part: "test"}); err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Whoever imports this package must not change what every call of the process
// says and takes.
func TestNoCompressorIsRegistered(t *testing.T) {
	if encoding.GetCompressor("gzip") != nil {
		t.Error("gzip is")
	}
}

func TestSpansAreOff(t *testing.T) {
	for name, value := range map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none", "OTEL_SERVICE_NAME": "no endpoint"} {
		t.Run(name, func(t *testing.T) {
			if name != "OTEL_SERVICE_NAME" {
				t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/v1/traces")
			}
			t.Setenv(name, value)
			if tel := newTelemetry(t); tel.spans != nil {
				t.Error("spans are on")
			}
		})
	}
}
