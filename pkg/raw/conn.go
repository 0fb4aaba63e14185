package raw

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// FromConn makes a Caller of a grpc-go connection. The connection must have been
// made with grpc.WithDisableRetry: grpc-go's own retry buffers up to 256 KiB for
// each call, and retries belong to the mesh.
func FromConn(cc grpc.ClientConnInterface) Caller {
	return conn{cc}
}

type conn struct {
	cc grpc.ClientConnInterface
}

var forceRaw = grpc.ForceCodecV2(Codec{})

func (c conn) Invoke(ctx context.Context, method string, request []byte) (Reply, error) {
	i := &invocation{request: request}
	i.options = [...]grpc.CallOption{forceRaw, grpc.Header(&i.reply.Header), grpc.Trailer(&i.reply.Trailer)}
	err := c.cc.Invoke(ctx, method, &i.request, &i.reply.Message, i.options[:]...)
	if err != nil {
		i.reply.Message.Free()
		return i.reply, asStatus(err)
	}
	return i.reply, nil
}

// invocation is all that a call needs beside what grpc makes, in one piece of
// memory.
type invocation struct {
	request []byte
	reply   Reply
	options [3]grpc.CallOption
}

// bidi fits every kind of stream: the kind only matters to generated code.
var bidi = &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

func (c conn) NewStream(ctx context.Context, method string) (Stream, error) {
	s, err := c.cc.NewStream(ctx, bidi, method, forceRaw)
	if err != nil {
		return nil, asStatus(err)
	}
	return stream{s}, nil
}

type stream struct {
	grpc.ClientStream
}

func (s stream) Send(message []byte) error {
	return s.SendMsg(&message)
}

func (s stream) Recv() (Message, error) {
	var m Message
	err := s.RecvMsg(&m)
	if err != nil {
		return Message{}, asStatus(err)
	}
	return m, nil
}

func (s stream) Header() (metadata.MD, error) {
	md, err := s.ClientStream.Header()
	if err != nil {
		return nil, asStatus(err)
	}
	return md, nil
}

// asStatus makes a status of the plain context errors that grpc-go lets through
// in places. io.EOF stays what it is.
func asStatus(err error) error {
	if err == io.EOF {
		return err
	}
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	if s := status.FromContextError(err); s.Code() != codes.Unknown {
		return s.Err()
	}
	return status.Error(codes.Unknown, err.Error())
}
