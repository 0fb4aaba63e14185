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
	c, err := m.conns.get(service)
	if err != nil {
		return undialled{errs.Callee(err)}
	}
	return c
}

// undialled is a connection that could not be made.
type undialled struct{ err error }

func (u undialled) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return u.err }

func (u undialled) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, u.err
}

// Caller returns a Caller for all services of the mesh.
func (m *Mesh) Caller() raw.Caller { return caller{m.conns} }

type caller struct{ conns *conns }

func (c caller) Invoke(ctx context.Context, method string, request []byte) (raw.Reply, error) {
	to, err := c.route(method)
	if err != nil {
		return raw.Reply{}, err
	}
	return to.raw.Invoke(ctx, method, request)
}

func (c caller) NewStream(ctx context.Context, method string) (raw.Stream, error) {
	to, err := c.route(method)
	if err != nil {
		return nil, err
	}
	return to.raw.NewStream(ctx, method)
}

func (c caller) route(method string) (*conn, error) {
	service, _, ok := descriptor.SplitMethod(method)
	if !ok {
		return nil, status.Errorf(codes.Unimplemented, "malformed method name %q", method)
	}
	return c.conns.get(service)
}
