package mesh

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// Dial returns the connection to a service, by its full name; generated clients
// are made of it. It never fails and does not wait: calls fail with UNAVAILABLE
// as long as nobody serves the service. Unary calls without a deadline get 5 s.
func (m *Mesh) Dial(service string) grpc.ClientConnInterface {
	c, err := m.targets.get(service)
	if err != nil {
		return undialled{errs.Callee(err)}
	}
	return typed{c}
}

// typed is the connection of generated clients.
type typed struct{ target *target }

// Invoke implements grpc.ClientConnInterface.
func (t typed) Invoke(ctx context.Context, method string, request, reply any, options ...grpc.CallOption) error {
	x := &typedExchange{cc: t.target.ClientConn, method: method, request: request, reply: reply, options: options}
	return errs.Callee(t.target.call(ctx, method, x))
}

// NewStream implements grpc.ClientConnInterface.
func (t typed) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := t.target.stream(ctx, desc, method, options...)
	if err != nil {
		return nil, errs.Callee(err)
	}
	return marked{s}, nil
}

// undialled is a connection that could not be made.
type undialled struct{ err error }

func (u undialled) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return u.err }

func (u undialled) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, u.err
}

// Caller returns a Caller for all services of the mesh.
func (m *Mesh) Caller() raw.Caller { return caller{m.targets} }

type caller struct{ targets *targets }

func (c caller) Invoke(ctx context.Context, method string, request []byte) (raw.Reply, error) {
	to, err := c.route(method)
	if err != nil {
		return raw.Reply{}, err
	}
	x := &rawExchange{caller: to.raw, method: method, request: request}
	err = to.call(ctx, method, x)
	return x.reply, err
}

func (c caller) NewStream(ctx context.Context, method string) (raw.Stream, error) {
	to, err := c.route(method)
	if err != nil {
		return nil, err
	}
	return raw.FromConn(streaming{to}).NewStream(ctx, method)
}

func (c caller) route(method string) (*target, error) {
	service, _, ok := descriptor.SplitMethod(method)
	if !ok {
		return nil, status.Errorf(codes.Unimplemented, "malformed method name %q", method)
	}
	return c.targets.get(service)
}
