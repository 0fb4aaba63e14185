package telemetry

import (
	"context"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// Watch answers once, and then ends as it is asked to.
func (h *health) Watch(r *grpc_health_v1.HealthCheckRequest, s grpc_health_v1.Health_WatchServer) error {
	h.trace <- Trace(s.Context())
	if err := s.Send(&grpc_health_v1.HealthCheckResponse{}); err != nil {
		return err
	}
	switch r.GetService() {
	case "fail":
		return status.Error(codes.NotFound, "no such service")
	case "wait":
		<-s.Context().Done()
		return s.Context().Err()
	}
	return nil
}

func TestStreamsAreMeasuredOnBothSides(t *testing.T) {
	for service, test := range map[string]struct {
		read int // messages, and then the end
		code string
	}{
		"":     {2, "OK"},
		"fail": {2, "NOT_FOUND"},
		"wait": {1, "CANCELLED"},
	} {
		t.Run(test.code, func(t *testing.T) {
			tel := newTelemetry(t)
			h := &health{trace: make(chan string, 1)}
			conn := serve(t, tel, h)
			ctx, cancel := context.WithCancel(WithTrace(t.Context(), goodTrace))
			defer cancel()
			s, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
			check(t, err)
			for range test.read {
				if _, err = s.Recv(); err != nil && err != io.EOF && status.Code(err) != codes.NotFound {
					t.Fatal(err)
				}
			}
			cancel()
			for _, side := range []string{"server", "client"} {
				want := []string{"rpc_" + side + "_call_duration_seconds_count{", `rpc_method="grpc.health.v1.Health/Watch"`, `"` + test.code + `"`, "} 1"}
				eventually(t, fmt.Sprint(want), func() bool { return line(scrape(t, tel), want...) != "" })
			}
			if got := <-h.trace; got != goodTrace {
				t.Errorf("the trace is %q", got)
			}
			if l := line(scrape(t, tel), "_count{", "} 2"); l != "" {
				t.Errorf("recorded twice: %s", l)
			}
		})
	}
}

// A stream with one answer ends with that, and nobody need read on.
func TestStreamWithOneAnswer(t *testing.T) {
	tel := newTelemetry(t)
	conn := serve(t, tel, &health{trace: make(chan string, 1)})
	s, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, grpc_health_v1.Health_Check_FullMethodName)
	check(t, err)
	check(t, s.SendMsg(&grpc_health_v1.HealthCheckRequest{}))
	check(t, s.CloseSend())
	check(t, s.RecvMsg(&grpc_health_v1.HealthCheckResponse{}))
	want := []string{"rpc_client_call_duration_seconds_count{", "Health/Check", `"OK"`, "} 1"}
	if line(scrape(t, tel), want...) == "" {
		t.Errorf("not recorded: %q", want)
	}
}

// A stream that could not be opened is a call as well.
func TestStreamThatIsNotOpened(t *testing.T) {
	tel := newTelemetry(t)
	conn := serve(t, tel, &health{})
	check(t, conn.Close())
	if _, err := grpc_health_v1.NewHealthClient(conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Canceled {
		t.Fatal(err)
	}
	if line(scrape(t, tel), "rpc_client_call_duration_seconds_count{", "Health/Watch", `"CANCELLED"`) == "" {
		t.Error("not recorded")
	}
}
