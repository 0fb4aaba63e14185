// Package memory holds a discovery registry inside one process. It is for tests,
// and for programs whose parts all live in one process.
package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// Registry is a discovery.Registry in memory.
type Registry struct {
	mu          sync.Mutex
	instances   map[key]discovery.Instance
	descriptors map[string][]byte
	changed     chan struct{} // closed at each change
}

type key struct{ service, id string }

var _ discovery.Registry = (*Registry)(nil)

// New returns an empty registry.
func New() *Registry {
	return &Registry{
		instances:   make(map[key]discovery.Instance),
		descriptors: make(map[string][]byte),
		changed:     make(chan struct{}),
	}
}

// Register implements discovery.Registry.
func (r *Registry) Register(ctx context.Context, instances []discovery.Instance, api discovery.Descriptors) (discovery.Registration, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if got := descriptor.Digest(api.Image); got != api.Digest {
		return nil, fmt.Errorf("descriptor set %s has the digest %s", api.Digest, got)
	}
	for _, i := range instances {
		if err := i.Valid(); err != nil {
			return nil, fmt.Errorf("instance: %w", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range instances {
		if _, taken := r.instances[key{i.Service, i.ID}]; taken {
			return nil, fmt.Errorf("instance %s of %s is registered already", i.ID, i.Service)
		}
	}
	r.descriptors[api.Digest] = slices.Clone(api.Image)
	r.put(instances)
	return &registration{registry: r, instances: slices.Clone(instances)}, nil
}

func (r *Registry) put(instances []discovery.Instance) {
	for _, i := range instances {
		r.instances[key{i.Service, i.ID}] = i
	}
	r.announce()
}

func (r *Registry) announce() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Forget drops all instances without a goodbye, as an etcd does that has ended all
// leases. Nobody is registered again by it.
func (r *Registry) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.instances)
	r.announce()
}

// Watch implements discovery.Registry.
func (r *Registry) Watch(ctx context.Context, service string, update func([]discovery.Instance)) {
	list, changed := r.list(service)
	update(slices.Clone(list))
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		var now []discovery.Instance
		if now, changed = r.list(service); !slices.Equal(now, list) {
			list = now
			update(slices.Clone(list))
		}
	}
}

// list returns the instances, and a channel that is closed when there are others.
func (r *Registry) list(service string) ([]discovery.Instance, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []discovery.Instance
	for k, i := range r.instances {
		if service == "" || k.service == service {
			list = append(list, i)
		}
	}
	discovery.Sort(list)
	return list, r.changed
}

// Descriptors implements discovery.Registry.
func (r *Registry) Descriptors(_ context.Context, digest string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	image, ok := r.descriptors[digest]
	if !ok {
		return nil, discovery.ErrNoDescriptors
	}
	return slices.Clone(image), nil
}

type registration struct {
	registry  *Registry
	instances []discovery.Instance
	closed    bool // guarded by registry.mu
}

var errClosed = errors.New("the registration is closed")

// Drain implements discovery.Registration.
func (g *registration) Drain(context.Context) error {
	g.registry.mu.Lock()
	defer g.registry.mu.Unlock()
	if g.closed {
		return errClosed
	}
	for n := range g.instances {
		g.instances[n].Draining = true
	}
	g.registry.put(g.instances)
	return nil
}

// Close implements discovery.Registration.
func (g *registration) Close(context.Context) error {
	g.registry.mu.Lock()
	defer g.registry.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	for _, i := range g.instances {
		delete(g.registry.instances, key{i.Service, i.ID})
	}
	g.registry.announce()
	return nil
}
