package mesh

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
)

// stream opens a stream. It is not repeated: what was sent on it nobody has kept.
// What no replica has seen, grpc-go itself sends to another one.
func (t *target) stream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	if t.mesh.config.Forward {
		ctx = forward(ctx)
	}
	if faults := t.mesh.config.Faults; faults != nil {
		if err := faults.Before(ctx, method); err != nil {
			return nil, err
		}
	}
	a := &balance.Attempt{Stream: true}
	s, err := t.ClientConn.NewStream(balance.WithAttempt(ctx, a), desc, method, options...)
	if err != nil {
		return nil, err
	}
	return judged{s, a}, nil
}

// judged is a stream whose replica is known to work once a message comes.
type judged struct {
	grpc.ClientStream
	attempt *balance.Attempt
}

func (s judged) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		s.attempt.Answered()
	}
	return err
}

func (s judged) Header() (metadata.MD, error) {
	md, err := s.ClientStream.Header()
	if err == nil && md != nil {
		s.attempt.Answered()
	}
	return md, err
}

// streaming is a target as a connection of which streams are made.
type streaming struct{ *target }

// NewStream implements grpc.ClientConnInterface.
func (s streaming) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	return s.stream(ctx, desc, method, options...)
}
