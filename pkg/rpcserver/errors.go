package rpcserver

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// errorsUnary shows callers what was made for them: an *errs.Error, or a status
// that the handler made itself. Whatever else a handler returns, also the status
// of a service that it has called (its NOT_FOUND is no answer to what our caller
// asked), is INTERNAL with a fixed sentence; the log has the rest.
func errorsUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	reply, err := handle(ctx, req)
	if err != nil {
		return nil, shown(ctx, err)
	}
	return reply, nil
}

func errorsStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	t := &transport{ServerStream: stream}
	err := handle(srv, t)
	if err == nil {
		return nil
	}
	if own := t.failure.Load(); own != nil && errors.Is(err, *own) {
		return *own
	}
	return shown(stream.Context(), err)
}

// transport remembers why the stream itself broke: that is no error of the
// handler, though the handler returns it.
type transport struct {
	grpc.ServerStream
	failure atomic.Pointer[error]
}

func (t *transport) RecvMsg(m any) error { return t.note(t.ServerStream.RecvMsg(m)) }
func (t *transport) SendMsg(m any) error { return t.note(t.ServerStream.SendMsg(m)) }

func (t *transport) note(err error) error {
	if err != nil && err != io.EOF {
		t.failure.Store(&err)
	}
	return err
}

// shown returns what the caller sees. A call that is over anyway fails for that
// reason, whatever the handler made of it.
func shown(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*errs.Error](err); ok {
		return e
	}
	switch ctx.Err() {
	case nil:
		return own(err)
	case context.DeadlineExceeded:
		return errs.Timeout(errorsv1.Reason_REASON_DEADLINE_EXCEEDED, "the deadline has passed").Because(err)
	default:
		return status.Error(codes.Canceled, "the call was cancelled")
	}
}

// own returns the status that a handler made, or else INTERNAL.
func own(err error) error {
	_, callee := errors.AsType[*errs.CalleeError](err)
	if _, ok := status.FromError(err); ok && !callee {
		return err
	}
	return errs.From(err)
}

// codeOf is status.Code without making the details of an *errs.Error.
func codeOf(err error) codes.Code {
	if e, ok := err.(*errs.Error); ok {
		return e.Code()
	}
	return status.Code(err)
}
