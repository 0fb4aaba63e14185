package service

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	"github.com/fairlead-mesh/fairlead/pkg/validate"
)

// newServer makes the server of a part, and joins the mesh for it.
func newServer(h *host.Host, p Part) (*rpcserver.Server, *mesh.Mesh, error) {
	policies, err := policies(p.API)
	if err != nil {
		return nil, nil, err
	}
	source, err := h.Source(p.Name)
	if err != nil {
		return nil, nil, err
	}
	m, err := h.Join(p.Name, true)
	if err != nil {
		return nil, nil, err
	}
	return rpcserver.New(rpcserver.Options{
		TLS:       source,
		Principal: principal.NewVerifier(source, mtls.ID(host.EdgePart)).Incoming,
		Policy:    func(method string) *policy.Policy { return policies[method] },
		Unary:     []grpc.UnaryServerInterceptor{validate.Unary},
		Stream:    []grpc.StreamServerInterceptor{validate.Stream},
		Observers: []stats.Handler{h.Telemetry.ServerHandler()},
		Logger:    h.LoggerOf(p.Name),
	}), m, nil
}

// policies reads the policy of every method that an image describes. One that
// contradicts itself keeps the part from starting: it would not be exposed, and
// whoever deploys should know at once.
func policies(api []byte) (map[string]*policy.Policy, error) {
	set, err := descriptor.Parse(api)
	if err != nil {
		return nil, err
	}
	all := make(map[string]*policy.Policy)
	for _, sd := range set.Services() {
		for i := range sd.Methods().Len() {
			md := sd.Methods().Get(i)
			p, err := policy.Of(md)
			if err != nil {
				return nil, fmt.Errorf("method %s: %w", md.FullName(), err)
			}
			all[descriptor.FullMethod(md)] = p
		}
	}
	return all, nil
}
