package pipeline

import (
	"context"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// RequestTooLarge is the error of a request over the cap of its method. Doors
// return it too, as soon as a client announces or sends more.
func RequestTooLarge(limit int) error {
	return errs.Limited(errorsv1.Reason_REASON_REQUEST_TOO_LARGE, "the request has more than %d bytes, the most that this method takes", limit)
}

// limitRequest holds the protobuf form of a request to the cap; the doors hold
// what they read to it.
func limitRequest(ctx context.Context, c *call.Call) (context.Context, error) {
	if len(c.Request) > c.Method.Policy.MaxRequest {
		return ctx, RequestTooLarge(c.Method.Policy.MaxRequest)
	}
	return ctx, nil
}

// limitResponse refuses answers, and messages of a stream, over the cap.
func limitResponse(next call.Handler) call.Handler { return &responseLimit{next} }

type responseLimit struct{ next call.Handler }

func (l *responseLimit) Unary(ctx context.Context, c *call.Call) (raw.Reply, error) {
	r, err := l.next.Unary(ctx, c)
	if err != nil {
		return r, err
	}
	if err := checkResponse(&r.Message, c.Method.Policy.MaxResponse); err != nil {
		return raw.Reply{}, err
	}
	return r, nil
}

func (l *responseLimit) Stream(ctx context.Context, c *call.Call) (raw.Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s, err := l.next.Stream(ctx, c)
	if err != nil {
		cancel()
		return nil, err
	}
	return &limitedStream{s, cancel, c.Method.Policy.MaxResponse}, nil
}

type limitedStream struct {
	raw.Stream
	cancel context.CancelFunc
	limit  int
}

// Recv ends the stream upstream when it ends for the client.
func (s *limitedStream) Recv() (raw.Message, error) {
	m, err := s.Stream.Recv()
	if err == nil {
		err = checkResponse(&m, s.limit)
	}
	if err != nil {
		s.cancel()
	}
	return m, err
}

// checkResponse frees a message that is over the limit.
func checkResponse(m *raw.Message, limit int) error {
	if len(m.Bytes()) <= limit {
		return nil
	}
	m.Free()
	return errs.Internal(errorsv1.Reason_REASON_RESPONSE_TOO_LARGE, "the answer has more than %d bytes, the most that this method gives; ask for less at once", limit)
}
