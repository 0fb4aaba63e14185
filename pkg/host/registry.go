package host

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/lastgood"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// registry is the registry of a process: that in etcd, and what is kept of it on
// disk.
type registry struct {
	*lastgood.Registry
	etcd *etcd.Registry
}

// Close implements Stopper.
func (r registry) Close(ctx context.Context) error {
	return errors.Join(r.Registry.Close(ctx), r.etcd.Close(ctx))
}

// registry opens the registry, which waits for nothing.
func (c MeshConfig) registry(h *Host, part string) (*registry, error) {
	state := cmp.Or(c.State, filepath.Join(c.Data, part))
	o, err := c.etcd(h, part)
	if err != nil {
		return nil, err
	}
	if o.Events, err = h.countDiscovery(); err != nil {
		return nil, err
	}
	o.LeaseFile = LeaseFile(state)
	inner, err := etcd.Open(o)
	if err != nil {
		return nil, err
	}
	kept, err := lastgood.Open(inner, lastgood.Options{
		File: snapshotFile(inner.LeaseFile()), Descriptors: filepath.Join(state, "descriptors"),
		Mesh: meshName(o), Logger: o.Logger, Events: o.Events,
	})
	if err != nil {
		return nil, errors.Join(err, inner.Close(context.Background()))
	}
	return &registry{kept, inner}, nil
}

// meshName is the name under which the state of a mesh is kept. Other endpoints
// are another mesh, whose state says nothing.
func meshName(o etcd.Options) string {
	return o.Prefix + " at " + strings.Join(slices.Sorted(slices.Values(o.Endpoints)), ",")
}

// etcd says how to reach the registry. The etcd of a development mesh must show
// that it is; any other is verified by its host name, as etcd clusters are set up.
func (c MeshConfig) etcd(h *Host, part string) (etcd.Options, error) {
	o := etcd.Options{Endpoints: c.Etcd, Prefix: c.Prefix, Logger: h.LoggerOf(part)}
	source, err := h.Source(part)
	if err != nil {
		return o, err
	}
	if len(c.Etcd) == 0 {
		m, err := ReadMembership(c.Data)
		if err != nil {
			return o, err
		}
		o.Endpoints, o.Prefix = m.Etcd, m.Prefix
		o.TLS = mtls.ClientConfig(source, mtls.ID("etcd"))
		return o, nil
	}
	if err := checkEndpoints(c.Etcd); err != nil {
		return o, err
	}
	https, err := secure(c.Etcd, o.Logger)
	if err == nil && https {
		o.Credentials, err = c.cluster(source, o.Logger)
	}
	return o, err
}

// LeaseFile is where a process with that state folder keeps its lease.
func LeaseFile(state string) string { return filepath.Join(state, "lease.json") }

// snapshotFile is where the process that has a lease file keeps what the registry
// has said: registry.snapshot beside lease.json, registry-2.snapshot beside
// lease-2.json.
func snapshotFile(lease string) string {
	name := strings.TrimSuffix(filepath.Base(lease), filepath.Ext(lease))
	return filepath.Join(filepath.Dir(lease), strings.Replace(name, "lease", "registry", 1)+".snapshot")
}

// countDiscovery returns a counter of what happens to discovery.
func (h *Host) countDiscovery() (discovery.Count, error) {
	counter, err := h.Telemetry.Meter().Int64Counter("fairlead.discovery.events", metric.WithUnit("{event}"),
		metric.WithDescription("What happened to the registry and to the lists that it gives"))
	if err != nil {
		return nil, err
	}
	return func(e discovery.Event) {
		counter.Add(context.Background(), 1, metric.WithAttributes(attribute.String("kind", string(e))))
	}, nil
}
