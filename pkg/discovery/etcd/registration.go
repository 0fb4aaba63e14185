package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

type registration struct {
	keeper    *keeper
	layout    layout
	instances []discovery.Instance

	mu   sync.Mutex
	gone []*entry // what Close has asked for; nil before
}

// Drain implements discovery.Registration.
func (g *registration) Drain(ctx context.Context) error {
	draining := slices.Clone(g.instances)
	for n := range draining {
		draining[n].Draining = true
	}
	records, err := g.layout.entries(draining)
	if err != nil {
		return err
	}
	if err := g.replace(records); err != nil {
		return err
	}
	if err := g.keeper.wait(ctx, records); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// replace holds the lock, so that a drain which comes late does not write again
// what Close has taken out.
func (g *registration) replace(records []*entry) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone != nil {
		return errors.New("drain: the registration is closed")
	}
	g.keeper.set(records)
	return nil
}

// Close implements discovery.Registration. When ctx ends before, the instances
// are taken out as soon as etcd can be reached.
func (g *registration) Close(ctx context.Context) error {
	gone, err := g.remove()
	if err != nil {
		return err
	}
	if err := g.keeper.wait(ctx, gone); err != nil {
		return fmt.Errorf("deregister: %w", err)
	}
	return nil
}

func (g *registration) remove() ([]*entry, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone != nil {
		return g.gone, nil
	}
	records, err := g.layout.entries(g.instances)
	if err != nil {
		return nil, err
	}
	g.gone = removals(records)
	g.keeper.set(g.gone)
	return g.gone, nil
}
