package service

import (
	"context"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/mesh"
)

// Handler makes a Build of a handler that needs no configuration, calls nobody, and
// has nothing to close. It is told first how such a handler is registered, from
// which Go infers what it must implement, and then which it is:
//
//	service.Handler(greeterv1.RegisterGreeterServiceServer)(greeter{})
func Handler[H any](register func(grpc.ServiceRegistrar, H)) func(handler H) Build[struct{}] {
	return func(handler H) Build[struct{}] {
		return func(context.Context, *mesh.Mesh, struct{}) (Service, error) {
			return registered(func(r grpc.ServiceRegistrar) { register(r, handler) }), nil
		}
	}
}

// registered is a Service that is registered, and no more.
type registered func(grpc.ServiceRegistrar)

func (f registered) Register(r grpc.ServiceRegistrar) { f(r) }
func (registered) Close() error                       { return nil }
