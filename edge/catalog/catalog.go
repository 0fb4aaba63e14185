// Package catalog keeps the route table in step with the registry: it watches
// which services are registered, reads what they publish of their APIs, and
// decides what of it is exposed. The edge is the authority, not the registry:
// what a service asks for is exposed only when its policy can be read whole, the
// operator's grant lets its identity serve it, and no other service stands there.
package catalog

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-mesh/fairlead/edge/event"
	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

const (
	// fetchTimeout bounds the reading of one descriptor set.
	fetchTimeout = 5 * time.Second
	// retryAfter is when a set that could not be read is tried again.
	retryAfter = time.Second
	// orphanLife is how long the routes of a service stay whose last instance
	// went away without draining. Its callers get UNAVAILABLE, and try again,
	// instead of being told that the method does not exist.
	orphanLife = 15 * time.Minute
)

// Grants says what the operator lets an identity serve at the edge.
type Grants interface {
	// MayServe says whether the identity may serve a gRPC service.
	MayServe(identity, service string) bool
	// MayRoute says whether the identity may serve a path.
	MayRoute(identity, path string) bool
}

// Options are what a catalog works with.
type Options struct {
	Registry    discovery.Registry
	Descriptors *descriptor.Cache
	Grants      Grants
	Events      *event.Log
	Logger      *slog.Logger
}

// Catalog makes route tables. Table may be called by several goroutines at once.
type Catalog struct {
	Options
	table    atomic.Pointer[route.Table]
	services map[string]*service // what stands, by gRPC name; of Run's goroutine
	said     map[string]string   // the last refusal of each subject
}

// service is one gRPC service that is, or was, registered.
type service struct {
	name      string
	instances []discovery.Instance // those that are granted and not draining
	orphaned  time.Time            // when the last one went away without draining
	exposed   exposed
}

// New makes a catalog with an empty table.
func New(o Options) *Catalog {
	c := &Catalog{Options: o, services: make(map[string]*service), said: make(map[string]string)}
	empty, err := route.NewTable(nil, nil)
	if err != nil {
		panic(err) // no routes, so none that cannot be read
	}
	c.table.Store(empty)
	return c
}

// Table returns what is served now.
func (c *Catalog) Table() *route.Table { return c.table.Load() }

// patience is how often a set that cannot be read is tried again before the first
// table counts as made without it.
const patience = 3

// Run watches the registry until ctx ends. ready is called once, when the first
// table was made.
func (c *Catalog) Run(ctx context.Context, ready func()) {
	lists := make(chan []discovery.Instance, 1)
	go c.Registry.Watch(ctx, "", func(list []discovery.Instance) {
		select {
		case <-lists: // only the newest list matters
		default:
		}
		lists <- list
	})
	var list []discovery.Instance
	tries := 0
	again := time.NewTimer(0)
	again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case list = <-lists:
		case <-again.C:
		}
		incomplete := c.update(ctx, list)
		if incomplete {
			again.Reset(retryAfter)
		} else {
			again.Reset(orphanLife)
		}
		if tries++; ready != nil && (!incomplete || tries > patience) {
			ready()
			ready = nil
		}
	}
}

// update makes a new table for a list of instances, and says whether something
// could not be read and should be tried again soon.
func (c *Catalog) update(ctx context.Context, list []discovery.Instance) (again bool) {
	c.settle(list)
	c.retainDescriptors()
	// What stands keeps its place; newcomers come after it, by name.
	order := slices.SortedFunc(maps.Values(c.services), func(a, b *service) int {
		return compare(a, b)
	})
	var claims claims
	for _, s := range order {
		e, retry := c.expose(ctx, s, &claims)
		again = again || retry
		c.announce(s, e)
		s.exposed = e
		claims.add(s.name, e.routes)
	}
	c.publish(order)
	return again
}

// publish swaps the table.
func (c *Catalog) publish(order []*service) {
	var all exposed
	for _, s := range order {
		all.methods = append(all.methods, s.exposed.methods...)
		all.routes = append(all.routes, s.exposed.routes...)
	}
	t, err := route.NewTable(all.methods, all.routes)
	if err != nil {
		// expose has read every pattern the way the router does.
		c.Logger.Error("route table", "error", err)
		return
	}
	c.table.Store(t)
}

func (c *Catalog) retainDescriptors() {
	digests := make(map[string]bool)
	for _, s := range c.services {
		for _, i := range s.instances {
			digests[i.Digest] = true
		}
	}
	c.Descriptors.Retain(digests)
}
