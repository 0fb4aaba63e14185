package rpcserver_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// Streams end when the server drains, whatever their handlers wait for and make of
// it, so that Stop need not wait for them.
func TestStreamsMoveWhenTheServerDrains(t *testing.T) {
	for name, test := range map[string]struct {
		send int // the handler waits for the first message without it
		h    handler
	}{
		"waits for a message": {0, fails(nil)},
		"waits for its end":   {1, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		"says nothing":        {1, func(ctx context.Context) error { <-ctx.Done(); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, rpcserver.Options{StreamGrace: 50 * time.Millisecond}, test.h)
			open := openStream(t, s.client(t, "client"))
			for range test.send {
				if err := open.SendMsg(text()); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			if err := s.Stop(bounded(t)); err != nil {
				t.Error(err)
			}
			if took := time.Since(begin); took > patience/4 {
				t.Errorf("took %s", took)
			}
			var err error
			for err == nil { // the handler may have sent something
				err = open.RecvMsg(text())
			}
			checkMoved(t, err)
		})
	}
}

func openStream(t *testing.T, cc *grpc.ClientConn) grpc.ClientStream {
	t.Helper()
	s, err := cc.NewStream(bounded(t), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, stream)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkMoved(t *testing.T, err error) {
	t.Helper()
	if _, reason := errs.ReasonOf(err); status.Code(err) != codes.Unavailable || reason != "DRAINING" {
		t.Fatalf("got %v", err)
	}
	if retry, ok := status.Convert(err).Details()[1].(*errdetails.RetryInfo); !ok || retry.RetryDelay.AsDuration() > 250*time.Millisecond {
		t.Errorf("got %v", status.Convert(err).Details())
	}
}

// A handler that ends by itself within the grace ends as it likes.
func TestHandlersHearThatTheServerDrains(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		entered := make(chan struct{})
		s := start(t, rpcserver.Options{StreamGrace: patience}, func(ctx context.Context) error {
			close(entered)
			<-rpcserver.Draining(ctx)
			return ctx.Err()
		})
		cc, answered := s.client(t, "client"), make(chan error, 1)
		ctx := bounded(t)
		go func() { answered <- call(ctx, cc, method) }()
		<-entered
		select {
		case <-s.Draining():
			t.Error("drains already")
		default:
		}
		s.Drain()
		s.Drain()
		<-s.Draining()
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
	if rpcserver.Draining(t.Context()) != nil {
		t.Error("something drains outside of a call")
	}
}

func TestDeserted(t *testing.T) {
	s := start(t, rpcserver.Options{}, fails(nil))
	if !s.Deserted(bounded(t)) {
		t.Error("somebody is connected at the start")
	}
	first, second := s.client(t, "client"), s.client(t, "client")
	for _, cc := range []*grpc.ClientConn{first, second} {
		if err := call(bounded(t), cc, unary); err != nil {
			t.Fatal(err)
		}
	}
	first.Close()
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if s.Deserted(soon) {
		t.Error("nobody is connected, although one is")
	}
	second.Close()
	if !s.Deserted(bounded(t)) {
		t.Error("somebody is connected after all have left")
	}
}
