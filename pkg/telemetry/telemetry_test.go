package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newTelemetry(t testing.TB) *Telemetry {
	t.Helper()
	tel, err := New(Options{Part: "test", Version: "1.2.3"})
	check(t, err)
	t.Cleanup(func() { check(t, tel.Close()) })
	return tel
}

// scrape returns the lines of /metrics.
func scrape(t testing.TB, tel *Telemetry) []string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("metrics answered %d: %s", w.Code, w.Body)
	}
	return strings.Split(w.Body.String(), "\n")
}

// line returns the first line that contains all parts.
func line(lines []string, parts ...string) string {
	for _, l := range lines {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(l, p)
		}
		if all {
			return l
		}
	}
	return ""
}

// health is a service whose answers depend on what is asked. It reports the
// trace that its calls come with.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	trace chan string
	next  grpc_health_v1.HealthClient
}

func (h *health) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	switch r.GetService() {
	case "fail":
		return nil, status.Error(codes.NotFound, "no such service")
	case "forward":
		return h.next.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	}
	h.trace <- Trace(ctx)
	return &grpc_health_v1.HealthCheckResponse{}, nil
}

// serve starts h and returns a connection, both measured.
func serve(t *testing.T, tel *Telemetry, h *health) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	s := grpc.NewServer(grpc.UnaryInterceptor(tel.UnaryServer), grpc.StreamInterceptor(tel.StreamServer), grpc.UnknownServiceHandler(unknown))
	grpc_health_v1.RegisterHealthServer(s, h)
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///test",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(tel.UnaryClient), grpc.WithStreamInterceptor(tel.StreamClient),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return l.Dial() }))
	check(t, err)
	t.Cleanup(func() { conn.Close(); s.Stop(); <-done })
	return conn
}

// unknown answers every method, as the edge does; only then do calls to methods
// that grpc-go does not know reach an interceptor.
func unknown(any, grpc.ServerStream) error {
	return status.Error(codes.Unimplemented, "unknown method")
}

func TestCallsAreMeasuredOnBothSides(t *testing.T) {
	tel := newTelemetry(t)
	conn := serve(t, tel, &health{trace: make(chan string, 1)})
	client := grpc_health_v1.NewHealthClient(conn)
	_, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	check(t, err)
	client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "fail"})

	for _, side := range []string{"server", "client"} {
		for _, code := range []string{"OK", "NOT_FOUND"} {
			want := []string{
				"rpc_" + side + "_call_duration_seconds_count{",
				`rpc_method="grpc.health.v1.Health/Check"`,
				`rpc_service="grpc.health.v1.Health"`,
				`rpc_system_name="grpc"`,
				`rpc_response_status_code="` + code + `"`,
				"} 1",
			}
			eventually(t, fmt.Sprint(want), func() bool { return line(scrape(t, tel), want...) != "" })
		}
	}
}

func TestMadeUpMethodsHaveOneLabel(t *testing.T) {
	tel := newTelemetry(t)
	conn := serve(t, tel, &health{})
	for i := range 20 {
		method := fmt.Sprintf("/made.up.Service%d/Method", i)
		err := conn.Invoke(t.Context(), method, &grpc_health_v1.HealthCheckRequest{}, &grpc_health_v1.HealthCheckResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Fatalf("%s ended with %v", method, err)
		}
	}
	// Only the server's side: there strangers choose the names. grpc-go's client
	// now and then reports OK for a call that was refused before it had been sent.
	want := []string{"rpc_server_call_duration_seconds_count{", `rpc_method="_OTHER"`, `rpc_service="_OTHER"`, `"UNIMPLEMENTED"`, "} 20"}
	eventually(t, fmt.Sprint(want), func() bool { return line(scrape(t, tel), want...) != "" })
	if l := line(scrape(t, tel), "rpc_server", "made.up"); l != "" {
		t.Errorf("a made up name is a label: %s", l)
	}
}

func TestMethodsAreBounded(t *testing.T) {
	var m methods
	for i := range maxMethods + 10 {
		m.labels(fmt.Sprintf("/s.S/M%d", i), codes.OK)
	}
	if n := len(*m.known.Load()); n != maxMethods {
		t.Errorf("%d methods are kept, want %d", n, maxMethods)
	}
	once, again := m.labels("/s.S/M0", codes.OK), m.labels("/s.S/M0", codes.OK)
	if &once[0] != &again[0] {
		t.Error("labels are made again for each call")
	}
}

func TestCodes(t *testing.T) {
	for want, err := range map[codes.Code]error{
		codes.OK:               nil,
		codes.NotFound:         fmt.Errorf("around: %w", status.Error(codes.NotFound, "")),
		codes.AlreadyExists:    errs.Exists(errorsv1.Reason_REASON_PERMISSION_DENIED, "twice"),
		codes.Unknown:          status.Error(codes.Code(4711), "made up"),
		codes.DeadlineExceeded: context.DeadlineExceeded,
		codes.Canceled:         fmt.Errorf("around: %w", context.Canceled),
	} {
		if got := codeOf(err); got != want {
			t.Errorf("%v is recorded as %v, want %v", err, got, want)
		}
	}
	if got := codeOf(errors.New("no status")); got != codes.Unknown {
		t.Errorf("an error that is no status is recorded as %v", got)
	}
}

func TestMeterAndResource(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
	tel := newTelemetry(t)
	counter, err := tel.Meter().Int64Counter("fairlead.test.events")
	check(t, err)
	counter.Add(t.Context(), 3)
	lines := scrape(t, tel)
	for _, want := range [][]string{
		{"fairlead_test_events_total", " 3"},
		{"target_info", `service_name="test"`, `service_version="1.2.3"`, `deployment_environment_name="lab"`},
		{"go_goroutines "},
		{"process_resident_memory_bytes "},
	} {
		if line(lines, want...) == "" {
			t.Errorf("no line with %q", want)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("did not come: %s", what)
		}
	}
}

// A call costs this much on each side, beside the call itself.
func BenchmarkInterceptors(b *testing.B) {
	tel := newTelemetry(b)
	const method = "/fairlead.social.v1.SocialService/GetPost"
	ctx := metadata.NewIncomingContext(b.Context(), metadata.Pairs(":authority", "social", "user-agent", "grpc-go", traceHeader, goodTrace))
	b.Run("server", func(b *testing.B) {
		b.ReportAllocs()
		handle := func(context.Context, any) (any, error) { return nil, nil }
		for b.Loop() {
			tel.UnaryServer(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, handle)
		}
	})
	ctx = WithTrace(b.Context(), goodTrace)
	b.Run("client", func(b *testing.B) {
		b.ReportAllocs()
		invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
		for b.Loop() {
			tel.UnaryClient(ctx, method, nil, nil, nil, invoke)
		}
	})
}
