package service

import (
	"fmt"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/fault"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	"github.com/fairlead-mesh/fairlead/pkg/validate"
)

// newServer makes the server of a part, and joins the mesh for it.
func newServer(h *host.Host, p Part, faults *fault.Injector) (*rpcserver.Server, *mesh.Mesh, error) {
	policies, err := policies(p.API, status.API)
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
	refused, err := counter(h.Telemetry.Meter(), p.Name)
	if err != nil {
		return nil, nil, err
	}
	server := rpcserver.New(rpcserver.Options{
		TLS:         source,
		Principal:   principal.NewVerifier(source, mtls.ID(host.EdgePart)).Incoming,
		Policy:      func(method string) *policy.Policy { return policies[method] },
		Outer:       []grpc.UnaryServerInterceptor{h.Telemetry.UnaryServer},
		OuterStream: []grpc.StreamServerInterceptor{h.Telemetry.StreamServer},
		Unary:       []grpc.UnaryServerInterceptor{faults.Unary, validate.Unary},
		Stream:      []grpc.StreamServerInterceptor{faults.Stream, validate.Stream},
		Refused:     refused,
		Logger:      h.LoggerOf(p.Name),
	})
	return server, m, gauges(h.Telemetry.Meter(), p.Name, server)
}

// policies reads the policy of every method that images describe. One that
// contradicts itself keeps the part from starting: it would not be exposed, and
// whoever deploys should know at once.
func policies(images ...[]byte) (map[string]*policy.Policy, error) {
	all := make(map[string]*policy.Policy)
	for _, image := range images {
		set, err := descriptor.Parse(image)
		if err != nil {
			return nil, err
		}
		if err := addPolicies(all, set); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func addPolicies(all map[string]*policy.Policy, set *descriptor.Set) error {
	for _, sd := range set.Services() {
		for i := range sd.Methods().Len() {
			md := sd.Methods().Get(i)
			p, err := policy.Of(md)
			if err != nil {
				return fmt.Errorf("method %s: %w", md.FullName(), err)
			}
			all[descriptor.FullMethod(md)] = p
		}
	}
	return nil
}
