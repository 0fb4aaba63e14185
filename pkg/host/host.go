// Package host is what a process gives to the parts that run in it: the registry,
// certificates, metrics, logs and configuration, from flags and FAIRLEAD_*
// variables; and how such a process starts, tells that it is ready, and drains.
// What the parts do is not its business.
package host

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc/stats"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/telemetry"
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

// Join makes a part a member of the mesh. forward makes its calls carry on what
// came with the call that it is handling, as services do; see mesh.Config.
func (h *Host) Join(part string, forward bool) (*mesh.Mesh, error) {
	source, err := h.Source(part)
	if err != nil {
		return nil, err
	}
	return mesh.Join(mesh.Config{
		Part: part, ID: h.InstanceID, Registry: h.Registry, TLS: source, Grants: h.Grants,
		Zone: h.Zone, Version: h.Version, Advertise: h.Advertise, Forward: forward,
		MethodsOf: h.methodsOf, Logger: h.LoggerOf(part), Observers: []stats.Handler{h.Telemetry.ClientHandler()},
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

// LoggerOf returns the logger of a part.
func (h *Host) LoggerOf(part string) *slog.Logger { return h.Logger.With("part", part) }
