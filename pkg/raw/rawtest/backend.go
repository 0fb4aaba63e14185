package rawtest

import (
	"context"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Service is the full name of the service that Register adds to a server. Its
// messages are all google.protobuf.BytesValue.
const Service = "fairlead.rawtest.v1.EchoService"

// The methods of Service.
const (
	echo     = "/" + Service + "/Echo"     // answers the request, and its x-test metadata as header and trailer
	fail     = "/" + Service + "/Fail"     // answers a status with details and a trailer
	hang     = "/" + Service + "/Hang"     // waits until the call is cancelled
	deadline = "/" + Service + "/Deadline" // answers the time that is left
	collect  = "/" + Service + "/Collect"  // client stream: answers all requests joined
	repeat   = "/" + Service + "/Repeat"   // server stream: answers each byte of the request by itself
	chat     = "/" + Service + "/Chat"     // bidi: answers each request at once; fails on "fail"
)

// A Backend is the service that a Caller under test reaches.
type Backend struct {
	entered   chan struct{} // gets a value when a call begins to hang
	cancelled chan struct{} // gets a value when a hanging call sees its end
}

// Register adds the service to a server.
func (b *Backend) Register(s grpc.ServiceRegistrar) {
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: Service,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			unary("Echo", b.echo), unary("Fail", b.fail), unary("Hang", b.hang), unary("Deadline", b.deadline),
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Collect", ClientStreams: true, Handler: b.collect},
			{StreamName: "Repeat", ServerStreams: true, Handler: b.repeat},
			{StreamName: "Chat", ClientStreams: true, ServerStreams: true, Handler: b.chat},
		},
	}, b)
}

type message = wrapperspb.BytesValue

func unary(name string, f func(context.Context, *message) (*message, error)) grpc.MethodDesc {
	handler := func(_ any, ctx context.Context, dec func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		in := new(message)
		if err := dec(in); err != nil {
			return nil, err
		}
		if intercept == nil {
			return f(ctx, in)
		}
		info := &grpc.UnaryServerInfo{FullMethod: "/" + Service + "/" + name}
		return intercept(ctx, in, info, func(ctx context.Context, in any) (any, error) { return f(ctx, in.(*message)) })
	}
	return grpc.MethodDesc{MethodName: name, Handler: handler}
}

func (b *Backend) echo(ctx context.Context, in *message) (*message, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	out := metadata.MD{"x-test": md.Get("x-test"), "x-test-bin": md.Get("x-test-bin")}
	if err := grpc.SetHeader(ctx, out); err != nil {
		return nil, err
	}
	return in, grpc.SetTrailer(ctx, metadata.MD{"x-test-trailer": md.Get("x-test")})
}

// failure is what Fail and Chat answer.
func failure() error {
	s, err := status.New(codes.FailedPrecondition, "no: ünïcode").WithDetails(
		&errdetails.ErrorInfo{Reason: "NOPE", Domain: "rawtest"},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)},
	)
	if err != nil {
		return err
	}
	return s.Err()
}

func (b *Backend) fail(ctx context.Context, _ *message) (*message, error) {
	if err := grpc.SetTrailer(ctx, metadata.Pairs("x-test-trailer", "failed")); err != nil {
		return nil, err
	}
	return nil, failure()
}

func (b *Backend) hang(ctx context.Context, _ *message) (*message, error) {
	b.entered <- struct{}{}
	<-ctx.Done()
	b.cancelled <- struct{}{}
	return nil, ctx.Err()
}

func (b *Backend) deadline(ctx context.Context, _ *message) (*message, error) {
	d, ok := ctx.Deadline()
	if !ok {
		return &message{}, nil
	}
	return &message{Value: []byte(time.Until(d).String())}, nil
}

func (b *Backend) collect(_ any, s grpc.ServerStream) error {
	all := new(message)
	for {
		in := new(message)
		err := s.RecvMsg(in)
		if err == io.EOF {
			return s.SendMsg(all)
		}
		if err != nil {
			return err
		}
		all.Value = append(all.Value, in.Value...)
	}
}

func (b *Backend) repeat(_ any, s grpc.ServerStream) error {
	in := new(message)
	if err := s.RecvMsg(in); err != nil {
		return err
	}
	for _, c := range in.Value {
		if err := s.SendMsg(&message{Value: []byte{c}}); err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) chat(_ any, s grpc.ServerStream) error {
	if err := s.SendHeader(metadata.Pairs("x-test", "hello")); err != nil {
		return err
	}
	s.SetTrailer(metadata.Pairs("x-test-trailer", "bye"))
	for {
		in := new(message)
		err := s.RecvMsg(in)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			b.cancelled <- struct{}{}
			return err
		case string(in.Value) == "fail":
			return failure()
		}
		if err := s.SendMsg(in); err != nil {
			return err
		}
	}
}
