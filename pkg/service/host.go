package service

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
	"github.com/fairlead-mesh/fairlead/pkg/telemetry"
	"github.com/fairlead-mesh/fairlead/pkg/validate"
)

// EdgePart is the name of the part that signs principals.
const EdgePart = "edge"

// Host is what a process gives to the parts that run in it.
type Host struct {
	// Registry finds and registers services; Descriptors holds what they look like.
	Registry    discovery.Registry
	Descriptors *descriptor.Cache
	// Source returns the certificate of a part.
	Source func(part string) (mtls.Source, error)
	// Grants says which part may serve what.
	Grants Grants
	// InstanceID is the id of the process, Zone and Version what others may know of
	// it, and Advertise the host under which they reach it where it listens on all.
	InstanceID, Zone, Version, Advertise string
	// Telemetry counts calls.
	Telemetry *telemetry.Telemetry
	// Logger is what the parts' loggers are made of.
	Logger *slog.Logger
	// Env and Flags are where the parts' configuration is read from. Flags may be
	// nil.
	Env   config.Env
	Flags *pflag.FlagSet
}

// Grants says which part may serve which services, and at which paths of the edge.
type Grants interface {
	mesh.Grants
	MayRoute(identity, path string) bool
}

// Join makes a part a member of the mesh that only calls.
func (h *Host) Join(part string) (*mesh.Mesh, error) { return h.join(part, false) }

func (h *Host) join(part string, forward bool) (*mesh.Mesh, error) {
	source, err := h.Source(part)
	if err != nil {
		return nil, err
	}
	return mesh.Join(mesh.Config{
		Part: part, ID: h.InstanceID, Registry: h.Registry, TLS: source, Grants: h.Grants,
		Zone: h.Zone, Version: h.Version, Advertise: h.Advertise, Forward: forward,
		MethodsOf: h.methodsOf, Logger: h.logger(part), Observers: []stats.Handler{h.Telemetry.ClientHandler()},
	})
}

// fetchTimeout bounds the reading of a descriptor set in the middle of an update.
const fetchTimeout = 2 * time.Second

// methodsOf tells the mesh which methods an instance has. What cannot be read
// now counts as having all: the instance itself answers UNIMPLEMENTED.
func (h *Host) methodsOf(digest string) func(string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	set, err := h.Descriptors.Get(ctx, digest)
	if err != nil {
		return nil
	}
	methods := make(map[string]bool)
	for _, sd := range set.Services() {
		for i := range sd.Methods().Len() {
			methods[descriptor.FullMethod(sd.Methods().Get(i))] = true
		}
	}
	return func(method string) bool { return methods[method] }
}

// serverFor makes the server of a part, and joins the mesh for it.
func (h *Host) serverFor(p Part) (*rpcserver.Server, *mesh.Mesh, error) {
	policies, err := policies(p.API)
	if err != nil {
		return nil, nil, err
	}
	source, err := h.Source(p.Name)
	if err != nil {
		return nil, nil, err
	}
	m, err := h.join(p.Name, true)
	if err != nil {
		return nil, nil, err
	}
	return rpcserver.New(rpcserver.Options{
		TLS:       source,
		Principal: principal.NewVerifier(source, mtls.ID(EdgePart)).Incoming,
		Policy:    func(method string) *policy.Policy { return policies[method] },
		Unary:     []grpc.UnaryServerInterceptor{validate.Unary},
		Stream:    []grpc.StreamServerInterceptor{validate.Stream},
		Observers: []stats.Handler{h.Telemetry.ServerHandler()},
		Logger:    h.logger(p.Name),
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
