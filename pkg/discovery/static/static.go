// Package static is a discovery registry of fixed instances, for tests and for
// setups so small that a file says who is there. Nobody comes and nobody goes.
package static

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// Registry is a discovery.Registry of fixed instances.
type Registry struct {
	instances []discovery.Instance

	mu     sync.Mutex
	images map[string][]byte // by digest
}

var _ discovery.Registry = (*Registry)(nil)

// New returns a registry of these instances and descriptor sets. The error names
// the first instance that is not valid, or that is there twice.
func New(instances []discovery.Instance, images ...[]byte) (*Registry, error) {
	r := &Registry{instances: slices.Clone(instances), images: make(map[string][]byte)}
	discovery.Sort(r.instances)
	for n, i := range r.instances {
		if err := i.Valid(); err != nil {
			return nil, fmt.Errorf("static registry: %w", err)
		}
		if n > 0 && i.ID == r.instances[n-1].ID && i.Service == r.instances[n-1].Service {
			return nil, fmt.Errorf("static registry: instance %s of %s is there twice", i.ID, i.Service)
		}
	}
	for _, image := range images {
		r.images[descriptor.Digest(image)] = slices.Clone(image)
	}
	return r, nil
}

// Register implements discovery.Registry. It writes nothing that others could see,
// so an instance of a service in the list must be there too, with the same ID and
// address. A service that is not in the list at all is nobody's concern. The
// descriptors can be read from now on by this process.
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
		if !r.fits(i) {
			return nil, fmt.Errorf("instance %s of %s at %s is not in the static registry: add it there", i.ID, i.Service, i.Address)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.images[api.Digest] = slices.Clone(api.Image)
	return new(registration), nil
}

func (r *Registry) fits(i discovery.Instance) bool {
	same := func(fixed discovery.Instance) bool { return fixed.Service == i.Service }
	here := func(fixed discovery.Instance) bool {
		return same(fixed) && fixed.ID == i.ID && fixed.Address == i.Address
	}
	return !slices.ContainsFunc(r.instances, same) || slices.ContainsFunc(r.instances, here)
}

// Watch implements discovery.Registry: one list, and no other.
func (r *Registry) Watch(ctx context.Context, service string, update func([]discovery.Instance)) {
	update(slices.DeleteFunc(slices.Clone(r.instances), func(i discovery.Instance) bool {
		return service != "" && i.Service != service
	}))
	<-ctx.Done()
}

// Descriptors implements discovery.Registry.
func (r *Registry) Descriptors(_ context.Context, digest string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	image, ok := r.images[digest]
	if !ok {
		return nil, discovery.ErrNoDescriptors
	}
	return slices.Clone(image), nil
}

// registration changes nothing for others.
type registration struct {
	mu     sync.Mutex
	closed bool
}

// Drain implements discovery.Registration. Others find out that this process
// drains when it turns their calls away.
func (g *registration) Drain(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errors.New("the registration is closed")
	}
	return nil
}

// Close implements discovery.Registration.
func (g *registration) Close(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return nil
}
