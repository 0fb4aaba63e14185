// Package fault makes calls slow, fail or hang on purpose, by the rules of a
// service's live configuration: for tests, and for the days on which a team tries
// out what its service does in trouble. An Injector does nothing unless the process
// was started with leave to (FAIRLEAD_MESH_FAULTS). What happens is what would
// happen to a real call: no criticality is spared, not even CRITICAL_PLUS, since a
// network spares none either.
package fault

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// Kind says what was done to a call.
type Kind string

// Drop is a call that hangs, Abort one that fails, perhaps after a delay, Delay one
// that only comes late.
const (
	Drop  Kind = "drop"
	Abort Kind = "abort"
	Delay Kind = "delay"
)

// Options say for whom faults are injected. Side is needed.
type Options struct {
	// Side is live.Server for the calls that the part answers, live.Client for those
	// that it makes. Rules for the other side are left to the other injector.
	Side live.Side
	// Part is the name of the part, and Instance the id of its replica, that rules
	// may name.
	Part, Instance string
	// Enabled gives leave. Without it rules are ignored, and the first that comes is
	// warned about.
	Enabled bool
	// Logger is slog.Default when nil.
	Logger *slog.Logger
	// Injected is told of each fault, for metrics. It must be fast, and may be nil.
	Injected func(service string, kind Kind)
	// Random returns numbers from 0 up to 1, without it; math/rand/v2 when nil. It
	// must be good for several goroutines at once. Tests make it predictable.
	Random func() float64
}

// Injector injects faults into the calls that one part answers, or makes. Its
// methods may be used by several goroutines at once.
type Injector struct {
	options Options
	warned  sync.Once

	mu    sync.Mutex                        // held to change rules
	rules atomic.Pointer[map[string]*rules] // by service; nil when there are none at all
}

// rules are those of one service. They are never changed, but replaced.
type rules struct {
	list []live.Fault
	over chan struct{} // closed when these rules no longer hold
}

// New returns an injector without rules.
func New(o Options) *Injector {
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Injected == nil {
		o.Injected = func(string, Kind) {}
	}
	return &Injector{options: o}
}

// Apply puts the faults of a configuration in the place of those that the service
// had. Calls that hang because of a rule that is gone end at once: to undo is to
// undo.
func (i *Injector) Apply(service string, c live.Config) {
	list := slices.DeleteFunc(slices.Clone(c.Faults), func(f live.Fault) bool { return f.Side != i.options.Side })
	if !i.options.Enabled {
		if len(list) > 0 {
			i.warned.Do(func() {
				i.log(service, c).Warn("fault rules are ignored: start the process with FAIRLEAD_MESH_FAULTS=true to try them")
			})
		}
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.of(service)
	if before == nil && len(list) == 0 || before != nil && slices.Equal(before.list, list) {
		return // other numbers have changed
	}
	i.replace(service, list)
	if before != nil {
		close(before.over)
	}
	i.log(service, c).Warn("fault rules have changed", "rules", len(list))
}

func (i *Injector) log(service string, c live.Config) *slog.Logger {
	return i.options.Logger.With("service", service, "version", c.Version, "side", i.options.Side)
}

// replace makes a new map, since calls read the old one. The caller holds the
// mutex.
func (i *Injector) replace(service string, faults []live.Fault) {
	all := make(map[string]*rules)
	if old := i.rules.Load(); old != nil {
		maps.Copy(all, *old)
	}
	delete(all, service)
	if len(faults) > 0 {
		all[service] = &rules{faults, make(chan struct{})}
	}
	if len(all) == 0 {
		i.rules.Store(nil)
		return
	}
	i.rules.Store(&all)
}

// of returns the rules of a service, nil for none.
func (i *Injector) of(service string) *rules {
	all := i.rules.Load()
	if all == nil {
		return nil
	}
	return (*all)[service]
}

// Before is for the side of clients. It injects what the rules say into a call that
// this part is about to make, method being "/package.Service/Method". It returns
// when the call shall go on, or the error with which it fails: a status, as if
// somebody had answered it. Without rules it costs one atomic load.
func (i *Injector) Before(ctx context.Context, method string) error {
	if i.rules.Load() == nil {
		return nil
	}
	return i.inject(ctx, method)
}

// inject looks for the first rule that hits, and does what it says.
func (i *Injector) inject(ctx context.Context, fullMethod string) error {
	service, method, _ := descriptor.SplitMethod(fullMethod)
	r := i.of(service)
	if r == nil {
		return nil
	}
	for n := range r.list {
		f := &r.list[n]
		if !i.fits(ctx, f, method) || i.options.Random()*100 >= f.Percent {
			continue
		}
		i.options.Injected(service, kind(f))
		return i.do(ctx, f, r.over)
	}
	return nil
}

func kind(f *live.Fault) Kind {
	switch {
	case f.Drop:
		return Drop
	case f.Abort != codes.OK:
		return Abort
	}
	return Delay
}

// fits says whether a rule is about the call.
func (i *Injector) fits(ctx context.Context, f *live.Fault, method string) bool {
	switch {
	case f.Method != "" && f.Method != method:
		return false
	case f.Instance != "" && f.Instance != i.options.Instance:
		return false
	case f.Caller == "":
		return true
	case i.options.Side == live.Client:
		return f.Caller == i.options.Part
	}
	return calledBy(ctx, f.Caller)
}
