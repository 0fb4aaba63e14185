package edgepart

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// beSeen lets operators see what the edge sees: on a port of the mesh, with mutual
// TLS, where it serves nothing else. It waits for nothing, since clients need the
// edge also while the registry is away; it is registered when that is back.
func (r *Running) beSeen(ctx context.Context, h *host.Host, listen string) error {
	server, err := seenServer(h)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("mesh port (FAIRLEAD_MESH_LISTEN): %w", err)
	}
	r.tasks.Go(func() {
		if err := r.mesh.Serve(ctx, l, server); err != nil && ctx.Err() == nil {
			r.log.Warn("operators do not see this edge", "error", err)
		}
	})
	return nil
}

func seenServer(h *host.Host) (*rpcserver.Server, error) {
	source, err := h.Source(host.EdgePart)
	if err != nil {
		return nil, err
	}
	set, err := descriptor.Parse(status.API)
	if err != nil {
		return nil, err
	}
	methods := mesh.ReadMethods(set)
	return rpcserver.New(rpcserver.Options{
		TLS: source, Policy: func(method string) *policy.Policy { return methods[method] },
		Outer: []grpc.UnaryServerInterceptor{h.Telemetry.UnaryServer}, Logger: h.LoggerOf(host.EdgePart),
	}), nil
}
