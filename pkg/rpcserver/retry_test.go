package rpcserver_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// What failed further down was repeated there already, if it could be.
func TestFailuresOfCalleesAreNotRepeated(t *testing.T) {
	callee := func(c codes.Code) error { return errs.Callee(status.Error(c, "down")) }
	for name, test := range map[string]struct {
		err  error
		held bool
	}{
		"unavailable":      {callee(codes.Unavailable), true},
		"internal":         {callee(codes.Internal), true},
		"deadline":         {callee(codes.DeadlineExceeded), true},
		"exhausted":        {callee(codes.ResourceExhausted), true},
		"wrapped":          {fmt.Errorf("find: %w", callee(codes.Unavailable)), true},
		"of one's own":     {errs.Unavailable(errorsv1.Reason_REASON_UNAVAILABLE, "later").Because(callee(codes.Unavailable)), true},
		"not found":        {callee(codes.NotFound), false},
		"no callee":        {errs.Unavailable(errorsv1.Reason_REASON_UNAVAILABLE, "later"), false},
		"no callee either": {status.Error(codes.Unavailable, "later"), false},
		"none":             {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, method string) {
				s := start(t, rpcserver.Options{}, fails(test.err))
				got := trailerOf(t, s.client(t, "client"), method).Get("grpc-retry-pushback-ms")
				if test.held && (len(got) != 1 || got[0] != "-1") || !test.held && len(got) > 0 {
					t.Errorf("pushback is %v", got)
				}
			})
		})
	}
}

// trailerOf makes a call and returns its trailer, whatever its end.
func trailerOf(t *testing.T, cc *grpc.ClientConn, method string) (trailer metadata.MD) {
	t.Helper()
	if method == unary {
		_ = cc.Invoke(bounded(t), method, text(), text(), grpc.Trailer(&trailer))
		return trailer
	}
	s, err := cc.NewStream(bounded(t), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.SendMsg(text())
	_ = s.CloseSend()
	for s.RecvMsg(text()) == nil {
	}
	return s.Trailer()
}

func TestIsRetry(t *testing.T) {
	both(t, func(t *testing.T, method string) {
		var got bool
		s := start(t, rpcserver.Options{}, func(ctx context.Context) error { got = rpcserver.IsRetry(ctx); return nil })
		cc := s.client(t, "client")
		for _, want := range []bool{false, true} {
			ctx := bounded(t)
			if want {
				ctx = metadata.AppendToOutgoingContext(ctx, "grpc-previous-rpc-attempts", "1")
			}
			if err := call(ctx, cc, method); err != nil || got != want {
				t.Errorf("got %v, want %v: %v", got, want, err)
			}
		}
	})
}
