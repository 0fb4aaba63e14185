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
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/live"
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
	// Weight is the share of calls that the process gets, and Subset how many
	// instances of one service it calls; see mesh.Config.
	Weight, Subset int
	// Live tells of the live configuration of services; nil when there is none.
	Live *live.Watcher
	// Faults gives leave to inject the faults that live configuration asks for.
	Faults bool
	// Telemetry counts calls.
	Telemetry *telemetry.Telemetry
	// Observers are told of each attempt of the calls that the parts make, beside
	// Telemetry.
	Observers []stats.Handler
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
	faults, err := h.Injector(part, live.Client)
	if err != nil {
		return nil, err
	}
	events, err := h.countMesh()
	if err != nil {
		return nil, err
	}
	c := mesh.Config{
		Part: part, ID: h.InstanceID, Registry: h.Registry, TLS: source, Grants: h.Grants,
		Zone: h.Zone, Version: h.Version, Weight: h.Weight, Subset: h.Subset, Advertise: h.Advertise, Forward: forward,
		MethodsOf: h.methodsOf, Logger: h.LoggerOf(part), Observers: h.Observers,
		Unary:  []grpc.UnaryClientInterceptor{h.Telemetry.UnaryClient},
		Stream: []grpc.StreamClientInterceptor{h.Telemetry.StreamClient},
		Faults: faults,
		Events: events,
	}
	if h.Live != nil {
		c.Live = h.Live
	}
	return mesh.Join(c)
}

// fetchTimeout bounds the reading of a descriptor set in the middle of an update.
const fetchTimeout = 2 * time.Second

// methodsOf tells the mesh which methods an instance has. What cannot be read
// now counts as having all: the instance itself answers UNIMPLEMENTED.
func (h *Host) methodsOf(digest string) mesh.Methods {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	set, err := h.Descriptors.Get(ctx, digest)
	if err != nil {
		return nil
	}
	return mesh.ReadMethods(set)
}

// LoggerOf returns the logger of a part.
func (h *Host) LoggerOf(part string) *slog.Logger { return h.Logger.With("part", part) }
