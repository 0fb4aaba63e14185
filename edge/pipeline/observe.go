package pipeline

import (
	"context"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	"github.com/fairlead-mesh/fairlead/pkg/telemetry"
)

// observe tells what became of each call, as its client sees it, and how long it
// took. A stream counts when it ends.
func observe(tell func(c *call.Call, code codes.Code, took time.Duration)) call.Decorator {
	if tell == nil {
		tell = func(*call.Call, codes.Code, time.Duration) {}
	}
	return func(next call.Handler) call.Handler { return &observer{next, tell} }
}

type observer struct {
	next call.Handler
	tell func(*call.Call, codes.Code, time.Duration)
}

func (o *observer) Unary(ctx context.Context, c *call.Call) (raw.Reply, error) {
	start := time.Now()
	r, err := o.next.Unary(ctx, c)
	o.tell(c, status.Code(err), time.Since(start))
	return r, err
}

func (o *observer) Stream(ctx context.Context, c *call.Call) (raw.Stream, error) {
	start := time.Now()
	s, err := o.next.Stream(ctx, c)
	if err != nil {
		o.tell(c, status.Code(err), time.Since(start))
		return nil, err
	}
	observed := &observedStream{Stream: s, tell: func(err error) { o.tell(c, status.Code(err), time.Since(start)) }}
	// The door ends the context when it is done: nobody may have read the end.
	context.AfterFunc(ctx, func() { observed.end(status.FromContextError(ctx.Err()).Err()) })
	return observed, nil
}

type observedStream struct {
	raw.Stream
	tell func(error)
	once sync.Once
}

// end tells how the stream ended, once: the first that knows.
func (s *observedStream) end(err error) {
	s.once.Do(func() { s.tell(err) })
}

func (s *observedStream) Recv() (raw.Message, error) {
	m, err := s.Stream.Recv()
	switch err {
	case nil:
	case io.EOF:
		s.end(nil)
	default:
		s.end(err)
	}
	return m, err
}

// trace keeps the trace of a client that is part of one, or begins one. The mesh
// sends it with the call.
func trace(start func(context.Context, string) context.Context) func(context.Context, *call.Call) (context.Context, error) {
	if start == nil {
		start = telemetry.StartTrace
	}
	return func(ctx context.Context, c *call.Call) (context.Context, error) {
		incoming := ""
		if v := c.Metadata.Get("traceparent"); len(v) == 1 {
			incoming = v[0]
		}
		return start(ctx, incoming), nil
	}
}
