package bench

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	"github.com/fairlead-mesh/fairlead/pkg/telemetry"
	recipesv1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/recipes/v1"
	"github.com/fairlead-mesh/fairlead/test/recipes"
)

// openMesh is what a team has that uses the service kit, without validation, which
// is the business of its protos, and without telemetry.
func openMesh(a *mtls.Authority, c Case) (*stand, error) { return openParts(a, c, nil) }

// openObserved adds telemetry on both sides.
func openObserved(a *mtls.Authority, c Case) (*stand, error) {
	t, err := telemetry.New(telemetry.Options{Part: part, Spans: nowhere{}})
	if err != nil {
		return nil, err
	}
	s, err := openParts(a, c, t)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return &stand{sampled(s.call), func() error { return errors.Join(s.close(), t.Close()) }}, nil
}

// openParts makes one part for each replica, and one that calls.
func openParts(a *mtls.Authority, c Case, t *telemetry.Telemetry) (_ *stand, err error) {
	n := &parts{authority: a, registry: memory.New(), log: slog.New(slog.NewJSONHandler(io.Discard, nil))}
	if t != nil {
		n.server, n.client = []grpc.UnaryServerInterceptor{t.UnaryServer}, []grpc.UnaryClientInterceptor{t.UnaryClient}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	set, err := descriptor.Parse(recipes.API)
	if err != nil {
		return nil, err
	}
	n.methods = mesh.ReadMethods(set)
	for range c.Replicas {
		if err := n.serve(newKitchen(c)); err != nil {
			return nil, err
		}
	}
	m, err := n.join("client", n.client)
	if err != nil {
		return nil, err
	}
	call, err := meshCall(m, c)
	return &stand{call, n.close}, err
}

func meshCall(m *mesh.Mesh, c Case) (func(context.Context) error, error) {
	if !c.Raw {
		return typed(m.Dial(service), c), nil
	}
	return rawCall(m.Caller(), c)
}

// parts are those of a mesh.
type parts struct {
	authority *mtls.Authority
	registry  *memory.Registry
	methods   mesh.Methods
	log       *slog.Logger
	server    []grpc.UnaryServerInterceptor
	client    []grpc.UnaryClientInterceptor
	joined    []*mesh.Mesh
}

func (n *parts) join(name string, each []grpc.UnaryClientInterceptor) (*mesh.Mesh, error) {
	m, err := mesh.Join(mesh.Config{
		Part: name, Registry: n.registry, TLS: n.authority.Part(name), Logger: n.log,
		Grants: mesh.ByName, Forward: true, MethodsOf: func(string) mesh.Methods { return n.methods }, Unary: each, DrainDelay: time.Millisecond,
	})
	if err == nil {
		n.joined = append(n.joined, m)
	}
	return m, err
}

func (n *parts) serve(k *kitchen) error {
	m, err := n.join(part, n.client)
	if err != nil {
		return err
	}
	lis, err := listen()
	if err != nil {
		return err
	}
	source := n.authority.Part(part)
	server := rpcserver.New(rpcserver.Options{
		TLS: source, Logger: n.log, Outer: n.server,
		Principal: principal.NewVerifier(source, mtls.ID("edge")).Incoming,
		Policy:    func(method string) *policy.Policy { return n.methods[method] },
	})
	recipesv1.RegisterRecipesServiceServer(server, k)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return m.Serve(ctx, lis, server, recipes.API)
}

// patience bounds what takes no time unless something is wrong.
const patience = 10 * time.Second

// close ends the callers before those whom they call.
func (n *parts) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var failures []error
	for i := range n.joined {
		failures = append(failures, n.joined[len(n.joined)-1-i].Close(ctx))
	}
	return errors.Join(failures...)
}
