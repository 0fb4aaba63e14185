package lastgood

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// Register implements discovery.Registry. A process that was registered before and
// did not leave, as one that was killed, does not wait for a registry that is away:
// others have its record still, so it is ready when it answers calls. Registering
// goes on until it is done. A process that is new waits: nobody can know of it,
// and whoever deploys it must not stop the old ones yet.
func (r *Registry) Register(ctx context.Context, instances []discovery.Instance, api discovery.Descriptors) (discovery.Registration, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var patience <-chan time.Time
	if r.wasRegistered(instances) {
		patience = time.After(r.patience())
	}
	g := r.begin(ctx, instances, api)
	select {
	case <-g.done:
		return g.outcome()
	case <-ctx.Done():
		g.cancel()
		<-g.done
		return nil, errors.Join(ctx.Err(), g.undo())
	case <-patience:
		r.away.Store(true)
		if !r.early.Swap(true) {
			r.log.Warn("the registry is away; this process goes on, and is registered again as soon as it is back", "instance", instances[0].ID)
		}
		return g, nil
	}
}

// begin registers until it is done or cancelled.
func (r *Registry) begin(ctx context.Context, instances []discovery.Instance, api discovery.Descriptors) *registration {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g := &registration{registry: r, instances: slices.Clone(instances), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(g.done)
		if g.inner, g.err = r.inner.Register(ctx, g.instances, api); g.err == nil {
			r.away.Store(false)
			r.setRegistered(g.instances, true)
		}
	}()
	return g
}

// registration is one that may not be written yet.
type registration struct {
	registry  *Registry
	instances []discovery.Instance
	cancel    context.CancelFunc

	// done is closed when inner or err is there.
	done  chan struct{}
	inner discovery.Registration
	err   error

	mu     sync.Mutex
	closed bool
}

func (g *registration) outcome() (discovery.Registration, error) {
	if g.err != nil {
		return nil, g.err
	}
	return g, nil
}

// undo is for who has given up waiting: what was written in the last moment is
// taken out again.
func (g *registration) undo() error {
	if g.err != nil {
		return g.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.registry.o.Patience)
	defer cancel()
	return g.Close(ctx)
}

// Drain implements discovery.Registration. While the registry is away it is an
// error when ctx ends.
func (g *registration) Drain(ctx context.Context) error {
	if g.isClosed() {
		return errors.New("drain: the registration is closed")
	}
	select {
	case <-g.done:
	case <-ctx.Done():
		return fmt.Errorf("drain: not registered yet: %w", ctx.Err())
	}
	if g.err != nil {
		return fmt.Errorf("drain: %w", g.err)
	}
	return g.inner.Drain(ctx)
}

// Close implements discovery.Registration. What is not written yet is given up.
func (g *registration) Close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	select {
	case <-g.done:
	case <-ctx.Done():
		return fmt.Errorf("deregister: %w", ctx.Err())
	}
	if g.err != nil {
		return nil // it was never written
	}
	if err := g.inner.Close(ctx); err != nil {
		return err
	}
	g.registry.setRegistered(g.instances, false)
	return nil
}

func (g *registration) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

func (r *Registry) wasRegistered(instances []discovery.Instance) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(instances) > 0 && !slices.ContainsFunc(instances, func(i discovery.Instance) bool { return !r.registered[recordOf(i)] })
}

func (r *Registry) setRegistered(instances []discovery.Instance, is bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range instances {
		if is {
			r.registered[recordOf(i)] = true
		} else {
			delete(r.registered, recordOf(i))
		}
	}
	r.changed()
}

func recordOf(i discovery.Instance) string { return i.Service + "/" + i.ID }
