package mesh_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/static"
	greeterv1 "github.com/fairlead-mesh/fairlead/pkg/example/acme/greeter/v1"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

const greeterService = "acme.greeter.v1.GreeterService"

// greeter refuses the first calls, as often as busy says.
type greeter struct {
	greeterv1.UnimplementedGreeterServiceServer
	busy int
}

func (g *greeter) Greet(_ context.Context, req *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) {
	if g.busy > 0 {
		g.busy--
		return nil, status.Error(codes.Unavailable, "busy")
	}
	return &greeterv1.GreetResponse{Text: "Hello, " + req.GetName()}, nil
}

// must ends an example that cannot go on.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// quiet keeps the log out of what examples print.
var quiet = slog.New(slog.DiscardHandler)

// development makes an authority that issues the certificates of parts. In
// production they are files: mtls.Files.
func development() (authority *mtls.Authority, remove func()) {
	dir := must(os.MkdirTemp("", "ca"))
	return must(mtls.OpenAuthority(filepath.Join(dir, "ca"))), func() { os.RemoveAll(dir) }
}

// serve makes a part that serves greetings.
func serve(authority *mtls.Authority, registry discovery.Registry, id string, handler *greeter, listen net.Listener) *mesh.Mesh {
	source := authority.Part("greeter")
	part := must(mesh.Join(mesh.Config{Part: "greeter", ID: id, Registry: registry, TLS: source, Logger: quiet}))
	server := rpcserver.New(rpcserver.Options{TLS: source, Logger: quiet})
	greeterv1.RegisterGreeterServiceServer(server, handler)
	if err := part.Serve(context.Background(), listen, server, greeterv1.API); err != nil {
		panic(err)
	}
	return part
}

// Two parts in one process find each other by a registry in memory. With
// etcd.Open in its place they may be anywhere.
func Example() {
	authority, remove := development()
	defer remove()
	registry := memory.New()

	service := serve(authority, registry, "greeter-1", new(greeter), must(net.Listen("tcp", "127.0.0.1:0")))
	defer service.Close(context.Background())

	visitor := must(mesh.Join(mesh.Config{Part: "visitor", Registry: registry, TLS: authority.Part("visitor"), Logger: quiet}))
	defer visitor.Close(context.Background())
	client := greeterv1.NewGreeterServiceClient(visitor.Dial(greeterService))
	answer, err := client.Greet(context.Background(), &greeterv1.GreetRequest{Name: "Ada"})
	fmt.Println(answer.GetText(), err)
	// Output: Hello, Ada <nil>
}

// Without any registry: a list says who is there.
func ExampleMesh_Dial() {
	authority, remove := development()
	defer remove()
	listen := must(net.Listen("tcp", "127.0.0.1:0"))
	registry := must(static.New([]discovery.Instance{{
		ID: "greeter-1", Service: greeterService, Address: listen.Addr().String(),
		Identity: mtls.ID("greeter"), Digest: descriptor.Digest(greeterv1.API),
	}}, greeterv1.API))

	service := serve(authority, registry, "greeter-1", new(greeter), listen)
	defer service.Close(context.Background())

	visitor := must(mesh.Join(mesh.Config{Part: "visitor", Registry: registry, TLS: authority.Part("visitor"), Logger: quiet}))
	defer visitor.Close(context.Background())
	var conn grpc.ClientConnInterface = visitor.Dial(greeterService)
	answer, err := greeterv1.NewGreeterServiceClient(conn).Greet(context.Background(), &greeterv1.GreetRequest{Name: "Ada"})
	fmt.Println(answer.GetText(), err)

	// Nobody serves this one: calls say so, and go on as soon as somebody does.
	err = visitor.Dial("acme.nobody.v1.NobodyService").Invoke(context.Background(),
		"/acme.nobody.v1.NobodyService/Ask", &greeterv1.GreetRequest{}, &greeterv1.GreetResponse{})
	fmt.Println(status.Code(err))
	// Output:
	// Hello, Ada <nil>
	// Unavailable
}

// What happens beside the calls, for metrics. MethodsOf tells the mesh from the
// published descriptors that Greet has no side effects, so that it may be repeated.
func ExampleConfig_events() {
	authority, remove := development()
	defer remove()
	registry := memory.New()
	descriptors := descriptor.NewCache(registry.Descriptors)

	service := serve(authority, registry, "greeter-1", &greeter{busy: 1}, must(net.Listen("tcp", "127.0.0.1:0")))
	defer service.Close(context.Background())

	visitor := must(mesh.Join(mesh.Config{
		Part: "visitor", Registry: registry, TLS: authority.Part("visitor"), Logger: quiet,
		MethodsOf: func(digest string) mesh.Methods {
			return mesh.ReadMethods(must(descriptors.Get(context.Background(), digest)))
		},
		Events: func(e mesh.Event) { fmt.Println(e.Kind, e.Service, e.Reason) },
	}))
	defer visitor.Close(context.Background())
	client := greeterv1.NewGreeterServiceClient(visitor.Dial(greeterService))
	answer, err := client.Greet(context.Background(), &greeterv1.GreetRequest{Name: "Ada"})
	fmt.Println(answer.GetText(), err)
	// Output:
	// retry acme.greeter.v1.GreeterService Unavailable
	// Hello, Ada <nil>
}
