package lastgood

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// Watch implements discovery.Registry. When the registry does not answer soon, the
// first list comes from disk.
func (r *Registry) Watch(ctx context.Context, service string, update func([]discovery.Instance)) {
	w := &watch{registry: r, service: service, update: update}
	defer w.end()
	late := time.AfterFunc(r.patience(), func() { w.fallBack(ctx) })
	defer late.Stop()
	r.inner.Watch(ctx, service, w.listed)
}

// watch is one Watch. Its mutex keeps update from being called twice at once.
type watch struct {
	registry *Registry
	service  string
	update   func([]discovery.Instance)

	mu       sync.Mutex
	ended    bool
	answered bool // by the registry
	told     []discovery.Instance
	began    bool // update was called
}

// listed passes on what the registry says.
func (w *watch) listed(instances []discovery.Instance) {
	w.registry.note(w.service, instances)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered = true
	w.tell(instances)
}

// fallBack tells what is on disk.
func (w *watch) fallBack(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answered || w.ended || ctx.Err() != nil {
		return
	}
	w.registry.away.Store(true)
	last, ok := w.registry.last(w.service)
	if !ok {
		return
	}
	w.registry.o.Events.Of(discovery.SnapshotUsed)
	w.registry.log.Warn("the registry is away; its last good list is used", "service", w.service, "instances", len(last))
	w.tell(last)
}

func (w *watch) tell(instances []discovery.Instance) {
	if w.ended || w.began && slices.Equal(instances, w.told) {
		return
	}
	w.began, w.told = true, slices.Clone(instances)
	w.update(instances)
}

// end waits for an update that runs, and lets none begin.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}
