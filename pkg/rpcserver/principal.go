package rpcserver

import (
	"context"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// identify makes the caller known to the handler.
type identify func(context.Context) (context.Context, error)

func (f identify) known(ctx context.Context) (context.Context, error) {
	if f == nil {
		return ctx, nil
	}
	known, err := f(ctx)
	if err != nil {
		return nil, errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_INVALID, "the principal is not known here").Because(err)
	}
	return known, nil
}

func (f identify) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, err := f.known(ctx)
	if err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

func (f identify) stream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, err := f.known(s.Context())
	if err != nil {
		return err
	}
	return handle(srv, &contextStream{s, ctx})
}

// contextStream is a stream with another context.
type contextStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *contextStream) Context() context.Context { return s.ctx }
