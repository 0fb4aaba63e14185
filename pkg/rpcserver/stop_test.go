package rpcserver_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

func TestHealth(t *testing.T) {
	s := start(t, rpcserver.Options{}, fails(nil))
	cc := s.client(t, "client")
	check := func(service string) healthpb.HealthCheckResponse_ServingStatus {
		t.Helper()
		r, err := healthpb.NewHealthClient(cc).Check(bounded(t), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		return r.Status
	}
	for _, name := range []string{"", service} {
		if got := check(name); got != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q is %s", name, got)
		}
	}
	s.Drain()
	for _, name := range []string{"", service} {
		if got := check(name); got != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("%q is %s when it drains", name, got)
		}
	}
	if err := call(bounded(t), cc, unary); err != nil {
		t.Errorf("a call while it drains: %v", err)
	}
}

func TestServices(t *testing.T) {
	s := start(t, rpcserver.Options{}, fails(nil))
	if got := s.Services(); !slices.Equal(got, []string{service}) {
		t.Errorf("got %v", got)
	}
}

// inFlight starts a call whose handler runs until finish is closed, or, when it
// listens, until its call is cancelled.
func inFlight(t *testing.T, listens bool) (s *running, finish chan struct{}, answered chan error) {
	t.Helper()
	entered := make(chan struct{})
	finish, answered = make(chan struct{}), make(chan error, 1)
	s = start(t, rpcserver.Options{Policy: timeout(time.Hour)}, func(ctx context.Context) error {
		close(entered)
		if !listens {
			ctx = context.Background()
		}
		select {
		case <-finish:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	cc := s.client(t, "client")
	ctx := bounded(t)
	go func() { answered <- call(ctx, cc, unary) }()
	<-entered
	return s, finish, answered
}

func TestStopWaitsForRunningCalls(t *testing.T) {
	s, finish, answered := inFlight(t, true)
	ctx, stopped := bounded(t), make(chan error, 1)
	go func() { stopped <- s.Stop(ctx) }()
	// The listener is closed once the server stops.
	await(t, "new callers are turned away", func() bool {
		return call(bounded(t), s.client(t, "client"), unary) != nil
	})
	select {
	case err := <-stopped:
		t.Errorf("stopped while a call was running: %v", err)
	default:
	}
	close(finish)
	if err := <-answered; err != nil {
		t.Errorf("the call in flight: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestStopIsBounded(t *testing.T) {
	s, _, answered := inFlight(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if err := <-answered; status.Code(err) != codes.Unavailable {
		t.Errorf("the call that was cut off ended with %v", err)
	}
}

// A handler that does not listen cannot be ended; Stop says so and returns.
func TestStopGivesUpADeafHandler(t *testing.T) {
	s, finish, _ := inFlight(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	if err := s.Stop(ctx); err == nil {
		t.Error("stopped, although a handler runs")
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %s", took)
	}
	close(finish)
}

// Who watches the health of a server keeps a stream open, which must not keep the
// server from stopping.
func TestStopDoesNotWaitForWatchersOfHealth(t *testing.T) {
	s := start(t, rpcserver.Options{}, fails(nil))
	w, err := healthpb.NewHealthClient(s.client(t, "client")).Watch(bounded(t), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Recv(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := s.Stop(bounded(t)); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > patience/4 {
		t.Errorf("took %s", took)
	}
	for err == nil { // NOT_SERVING may come before the end
		_, err = w.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the watcher got %v", err)
	}
}

// A process that is told to stop while it starts ends well.
func TestServeAfterStop(t *testing.T) {
	s := start(t, rpcserver.Options{}, fails(nil))
	for range 2 {
		if err := s.Stop(bounded(t)); err != nil {
			t.Error(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the listener is open")
	}
}
