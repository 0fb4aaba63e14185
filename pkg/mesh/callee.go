package mesh

import (
	"context"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
)

// calleeUnary marks the errors of calls, so that a handler which returns one does
// not pass it off as its own; see errs.Callee.
func calleeUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return errs.Callee(invoke(ctx, method, req, reply, cc, opts...))
}

func calleeStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, errs.Callee(err)
	}
	return marked{s}, nil
}

type marked struct{ grpc.ClientStream }

func (s marked) SendMsg(m any) error { return errs.Callee(s.ClientStream.SendMsg(m)) }
func (s marked) RecvMsg(m any) error { return errs.Callee(s.ClientStream.RecvMsg(m)) }
