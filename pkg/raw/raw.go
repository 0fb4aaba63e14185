// Package raw is the seam between whoever makes calls and the mesh: calls on
// protobuf bytes that nobody has decoded. The edge, and everything that comes
// after it, reaches services through a Caller and through nothing else, so that
// retries, breakers, drain and all that the mesh does are written once, below
// it. rawtest holds what every Caller must pass.
package raw

import (
	"context"
	"io"

	"google.golang.org/grpc/metadata"
)

// Caller makes calls by full method name, "/package.Service/Method". All of its
// methods may be used by several goroutines at once.
//
// Metadata goes out with the context (metadata.NewOutgoingContext), and so does
// the deadline. Errors are gRPC statuses (status.FromError) with their details,
// whether they come from the service or are made on the way.
type Caller interface {
	// Invoke makes a unary call. The request is handed over: it must not be
	// changed any more, since an answer may come before the transport has sent
	// all of it. With an error the reply has no message, but has the header and
	// trailer that came before it.
	Invoke(ctx context.Context, method string, request []byte) (Reply, error)

	// NewStream opens a stream of any of the three kinds. It ends when Recv
	// returns an error (io.EOF after an OK status) or when ctx ends; one of the
	// two must happen, or the stream leaks.
	NewStream(ctx context.Context, method string) (Stream, error)
}

// Reply is the answer to a unary call. Its owner calls Message.Free once, when
// the bytes are not needed any more.
type Reply struct {
	Header  metadata.MD
	Trailer metadata.MD
	Message Message
}

// Stream is an open call. Send and CloseSend may be used by one goroutine, and
// Recv by another, at the same time.
type Stream interface {
	// Send sends one message, which is handed over: it must not be changed any
	// more, since it is sent after Send returns. Send returns io.EOF when the
	// stream has ended: Recv tells why.
	Send(message []byte) error

	// CloseSend says that no more messages follow.
	CloseSend() error

	// Recv returns the next message, which its receiver frees. The error is
	// io.EOF when the stream ended well, or else a status.
	Recv() (Message, error)

	// Header waits for the header of the answer. It is empty, without an error,
	// when the stream ended before there was one: Recv tells why.
	Header() (metadata.MD, error)

	// Trailer is complete once Recv has returned an error.
	Trailer() metadata.MD
}

// DiscardStream reads a stream to its end and returns the status it ended with,
// nil when it ended well.
func DiscardStream(s Stream) error {
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		m.Free()
	}
}
