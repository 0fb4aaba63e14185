package rpcserver_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// refusals notes whom a server has turned away.
type refusals struct {
	mu  sync.Mutex
	all []rpcserver.Refusal
}

func (r *refusals) note(one rpcserver.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

func (r *refusals) take() []rpcserver.Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// full starts a server that takes one call at a time, and is busy with it until
// the test ends.
func full(t *testing.T, o rpcserver.Options) (*running, *grpc.ClientConn) {
	t.Helper()
	o.Shed = shed.Options{Min: 1, Max: 1, Rest: 1}
	o.Policy = timeout(time.Hour)
	entered, finish := make(chan struct{}, 2), make(chan struct{})
	s := start(t, o, func(ctx context.Context) error {
		entered <- struct{}{}
		<-finish
		return nil
	})
	cc, answered := s.client(t, "client"), make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	go func() { answered <- call(ctx, cc, unary) }()
	<-entered
	t.Cleanup(func() {
		defer cancel()
		close(finish)
		if err := <-answered; err != nil {
			t.Errorf("the call that was in: %v", err)
		}
	})
	return s, cc
}

func TestOverloadIsRefusedBeforeTheRequestIsRead(t *testing.T) {
	var told refusals
	// A request that is too large would be refused for that when it is read.
	_, cc := full(t, rpcserver.Options{Refused: told.note, MaxRequestBytes: 10})
	var trailer metadata.MD
	err := cc.Invoke(bounded(t), unary, largeText(), text(), grpc.Trailer(&trailer))
	checkOverloaded(t, err, trailer)
	if got := told.take(); len(got) != 1 || got[0] != (rpcserver.Refusal{Method: unary, Reason: rpcserver.RefusedOverload}) {
		t.Errorf("told of %v", got)
	}
}

func TestStreamsAreLetInOrNot(t *testing.T) {
	_, cc := full(t, rpcserver.Options{})
	s, err := cc.NewStream(bounded(t), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, stream)
	if err != nil {
		t.Fatal(err)
	}
	err = s.RecvMsg(text())
	checkOverloaded(t, err, s.Trailer())
}

func checkOverloaded(t *testing.T, err error, trailer metadata.MD) {
	t.Helper()
	if _, reason := errs.ReasonOf(err); status.Code(err) != codes.ResourceExhausted || reason != "OVERLOADED" {
		t.Fatalf("got %v", err)
	}
	retry, ok := status.Convert(err).Details()[1].(*errdetails.RetryInfo)
	if !ok {
		t.Fatalf("got %v", status.Convert(err).Details())
	}
	wait := retry.RetryDelay.AsDuration()
	if wait < 50*time.Millisecond || wait > 150*time.Millisecond {
		t.Errorf("to be tried again after %v", wait)
	}
	if got := trailer.Get("grpc-retry-pushback-ms"); len(got) != 1 || got[0] != strconv.FormatInt(wait.Milliseconds()/10, 10) {
		t.Errorf("pushback is %v, want a tenth of %v", got, wait)
	}
	if got := trailer.Get("x-fairlead-unprocessed"); len(got) != 1 || got[0] != "1" {
		t.Errorf("unprocessed is %v", got)
	}
}

func TestHealthIsNeverRefused(t *testing.T) {
	_, cc := full(t, rpcserver.Options{})
	for range 10 {
		r, err := healthpb.NewHealthClient(cc).Check(bounded(t), &healthpb.HealthCheckRequest{})
		if err != nil || r.Status != healthpb.HealthCheckResponse_SERVING {
			t.Fatalf("got %v, %v", r, err)
		}
	}
}

func TestStreamsHoldNoPermit(t *testing.T) {
	s := start(t, rpcserver.Options{Shed: shed.Options{Min: 1, Max: 1, Rest: 1}}, fails(nil))
	cc := s.client(t, "client")
	for range 3 { // they live on, since nothing is sent
		if _, err := cc.NewStream(bounded(t), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, stream); err != nil {
			t.Fatal(err)
		}
	}
	if err := call(bounded(t), cc, unary); err != nil {
		t.Error(err)
	}
}

func TestLimitCanBeChanged(t *testing.T) {
	s, cc := full(t, rpcserver.Options{})
	if s.Limit(3, 2) || s.Limit(-1, 0) {
		t.Error("bounds that contradict each other were taken")
	}
	if load := s.Load(); load.Limit != 1 || load.Running != 1 {
		t.Errorf("got %+v", load)
	}
	if !s.Limit(2, 2) {
		t.Error("refused")
	}
	answered := make(chan error, 1)
	ctx, cancel := context.WithCancel(bounded(t))
	go func() { answered <- call(ctx, cc, unary) }()
	await(t, "another call is let in", func() bool { return s.Load().Running == 2 })
	cancel()
	if err := <-answered; status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestServerWithoutLimit(t *testing.T) {
	s := start(t, rpcserver.Options{NoShed: true}, fails(nil))
	both(t, func(t *testing.T, method string) {
		if err := call(bounded(t), s.client(t, "client"), method); err != nil {
			t.Error(err)
		}
	})
	if s.Limit(1, 1) || s.Load() != (shed.State{}) {
		t.Errorf("has a limit: %+v", s.Load())
	}
}

// A request that cannot be read is the caller's fault, and no error of the server
// in its log.
func TestGarbledRequest(t *testing.T) {
	s := start(t, rpcserver.Options{}, fails(nil))
	err := s.client(t, "client").Invoke(bounded(t), unary, garbage("\xff"), text(), grpc.ForceCodec(asIs{}))
	if status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
	checkLogged(t, s.log.await(t, unary), false)
}

type garbage string

// asIs sends garbage.
type asIs struct{}

func (asIs) Marshal(v any) ([]byte, error) { return []byte(v.(garbage)), nil }
func (asIs) Unmarshal([]byte, any) error   { return nil }
func (asIs) Name() string                  { return "proto" }

func largeText() any {
	m := text()
	m.Value = strings.Repeat("x", 100)
	return m
}
