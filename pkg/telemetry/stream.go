package telemetry

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
)

// StreamServer is UnaryServer for streams: a grpc.StreamServerInterceptor. A stream
// is recorded when it ends.
func (t *Telemetry) StreamServer(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	r := t.receive(s.Context(), info.FullMethod)
	err := handle(srv, traced{s, r.ctx})
	r.ended(err)
	return err
}

// traced is a stream with another context.
type traced struct {
	grpc.ServerStream
	ctx context.Context
}

func (s traced) Context() context.Context { return s.ctx }

// StreamClient is UnaryClient for streams: a grpc.StreamClientInterceptor. A stream
// is recorded when it ends, or when its context does and nobody has read the end.
func (t *Telemetry) StreamClient(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	r := t.send(ctx, method)
	s, err := open(r.ctx, desc, cc, method, opts...)
	if err != nil {
		r.ended(err)
		return nil, err
	}
	m := &measured{ClientStream: s, running: r, single: !desc.ServerStreams}
	m.unwatch = context.AfterFunc(ctx, func() { m.ended(ctx.Err()) })
	return m, nil
}

// measured is a stream whose end is recorded once.
type measured struct {
	grpc.ClientStream
	running running
	single  bool // there is one answer, and the stream ends with it
	unwatch func() bool
	once    sync.Once
}

func (s *measured) ended(err error) { s.once.Do(func() { s.running.ended(err) }) }

// RecvMsg implements grpc.ClientStream.
func (s *measured) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	switch {
	case err == io.EOF, err == nil && s.single:
		s.ended(nil)
	case err != nil:
		s.ended(err)
	default:
		return nil
	}
	s.unwatch()
	return err
}
