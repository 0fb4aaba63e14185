package service

import (
	"cmp"
	"context"
	"log/slog"
	"sync"

	"github.com/fairlead-mesh/fairlead/pkg/fault"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// tuning changes a server by live configuration while it runs.
type tuning struct {
	server *rpcserver.Server
	faults *fault.Injector
	log    *slog.Logger
	stop   context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.Mutex
	limits map[string]live.Limit // by service
}

// tune begins to read the live configuration of the services of a server.
func tune(h *host.Host, p Part, server *rpcserver.Server, faults *fault.Injector) *tuning {
	ctx, stop := context.WithCancel(context.Background())
	t := &tuning{server: server, faults: faults, log: h.LoggerOf(p.Name), stop: stop, limits: make(map[string]live.Limit)}
	if h.Live == nil {
		return t
	}
	for _, service := range server.Services() {
		t.tasks.Go(func() {
			h.Live.Watch(ctx, service, func(c live.Config) { t.apply(service, c) })
		})
	}
	return t
}

func (t *tuning) apply(service string, c live.Config) {
	t.faults.Apply(service, c)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limits[service] == c.Limit {
		return
	}
	t.limits[service] = c.Limit
	l := t.limit()
	// A bound that is alone may be beyond the default of the other: then it is both.
	if !t.server.Limit(l.Min, l.Max) && !t.server.Limit(cmp.Or(l.Min, l.Max), cmp.Or(l.Max, l.Min)) {
		t.log.Warn("live limit is not used: the server takes whatever comes", "service", service, "version", c.Version)
	}
}

// limit is what holds for the server as a whole, which has one limit for all its
// services: the lower maximum, and the higher minimum that is not above it.
func (t *tuning) limit() (all live.Limit) {
	for _, l := range t.limits {
		all.Min = max(all.Min, l.Min)
		if l.Max > 0 {
			all.Max = min(cmp.Or(all.Max, l.Max), l.Max)
		}
	}
	if all.Max > 0 {
		all.Min = min(all.Min, all.Max)
	}
	return all
}

// close ends it. What is in force stays.
func (t *tuning) close() {
	t.stop()
	t.tasks.Wait()
}
