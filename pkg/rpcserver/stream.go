package rpcserver

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// errMoved is the cause of a stream's end when the server drains.
var errMoved = errors.New("the server drains: the stream is to go on with another replica")

// movedWithin spreads the streams that have to move over a quarter of a second.
const movedWithin = 250 * time.Millisecond

// stream is what unary is for calls of one message. gRPC's own services have no
// method here.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	m := s.methods[info.FullMethod]
	if m == nil {
		m = &method{server: s, name: info.FullMethod}
	}
	c := m.begin(stream.Context(), 0)
	err := c.stream(srv, stream, handle)
	s.log.ended(c, err)
	return err
}

// stream lists what happens to a stream. It holds no permit while it lives: it is
// let in, or not.
func (c *call) stream(srv any, stream grpc.ServerStream, handle grpc.StreamHandler) error {
	if _, err := c.enter(); err != nil {
		return err
	}
	if c.method.shed != nil {
		c.method.shed.Return()
	}
	ctx, cancel := context.WithCancelCause(c.Context)
	defer cancel(nil)
	c.Context = ctx
	defer context.AfterFunc(c.method.server.moving, func() { c.moveAway(cancel) })()
	defer c.disarm()
	err := c.handleStream(srv, stream, handle)
	if context.Cause(ctx) == errMoved {
		return moved().Because(err)
	}
	if err == nil {
		return nil
	}
	holdBack(c, err)
	return shown(c, err)
}

func (c *call) handleStream(srv any, stream grpc.ServerStream, handle grpc.StreamHandler) (err error) {
	defer func() { err = recovered(recover(), err) }()
	ctx, err := c.method.authorize(c)
	if err != nil {
		c.tellTrespass(err)
		return err
	}
	return handle(srv, &contextStream{stream, ctx})
}

// moveAway ends a stream whose handler still runs. Most handlers wait for a
// message, and nothing that grpc-go documents wakes them: its own stream, behind
// the interface, can write the status, which ends the waiting. If that should ever
// be gone, the handler's context has ended at least.
func (c *call) moveAway(cancel context.CancelCauseFunc) {
	cancel(errMoved)
	transport := grpc.ServerTransportStreamFromContext(c.Context)
	if s, ok := transport.(interface{ WriteStatus(*status.Status) error }); ok {
		_ = s.WriteStatus(moved().GRPCStatus()) // it fails when the stream is over
	}
}

// moved is how a stream ends that has to move.
func moved() *errs.Error {
	return errs.Unavailable(errorsv1.Reason_REASON_DRAINING, "the server is stopping; go on with another replica").
		RetryAfter(1 + rand.N(movedWithin))
}

// contextStream is a stream with another context.
type contextStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *contextStream) Context() context.Context { return s.ctx }
