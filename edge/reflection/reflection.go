// Package reflection answers gRPC reflection at the edge, so that grpcurl and
// its like work without protos: it shows the methods that the edge exposes and
// what they need, and nothing else of the services.
package reflection

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// Reflection is a gRPC server inside the process. It is reached through the same
// seam as every service, so that the front door has one way of passing streams.
type Reflection struct {
	table  func() *route.Table
	server *grpc.Server
	conn   *grpc.ClientConn

	mu   sync.Mutex
	of   *route.Table // what shown was made of
	view view
}

// New starts to answer for the table which table returns at that moment.
func New(table func() *route.Table) (*Reflection, error) {
	r := &Reflection{table: table, server: grpc.NewServer()}
	options := reflection.ServerOptions{Services: r, DescriptorResolver: r}
	reflectionv1.RegisterServerReflectionServer(r.server, reflection.NewServerV1(options))
	reflectionv1alpha.RegisterServerReflectionServer(r.server, reflection.NewServer(options))
	l := bufconn.Listen(64 << 10)
	go r.server.Serve(l) // returns when Close stops the server
	conn, err := grpc.NewClient("passthrough:reflection", grpc.WithDisableRetry(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		r.server.Stop()
		return nil, err
	}
	r.conn = conn
	return r, nil
}

// Services returns the callers of the reflection services, by gRPC name.
func (r *Reflection) Services() map[string]raw.Caller {
	c := raw.FromConn(r.conn)
	return map[string]raw.Caller{
		reflectionv1.ServerReflection_ServiceDesc.ServiceName:      c,
		reflectionv1alpha.ServerReflection_ServiceDesc.ServiceName: c,
	}
}

// Close ends it.
func (r *Reflection) Close() {
	r.conn.Close()
	r.server.Stop()
}

// current returns the view of the table that is served now.
func (r *Reflection) current() view {
	t := r.table()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of != t {
		r.of, r.view = t, newView(t)
	}
	return r.view
}

// GetServiceInfo implements reflection.ServiceInfoProvider.
func (r *Reflection) GetServiceInfo() map[string]grpc.ServiceInfo {
	info := make(map[string]grpc.ServiceInfo)
	for _, s := range r.current().services {
		info[s] = grpc.ServiceInfo{}
	}
	return info
}

// FindFileByPath implements protodesc.Resolver. Two services may disagree about
// a file; the first by name is shown.
func (r *Reflection) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	for _, files := range r.current().files {
		if fd, err := files.FindFileByPath(path); err == nil {
			return fd, nil
		}
	}
	return nil, protoregistry.NotFound
}

// FindDescriptorByName implements protodesc.Resolver.
func (r *Reflection) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	for _, files := range r.current().files {
		if d, err := files.FindDescriptorByName(name); err == nil {
			return d, nil
		}
	}
	return nil, protoregistry.NotFound
}
