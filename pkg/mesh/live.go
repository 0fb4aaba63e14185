package mesh

import (
	"cmp"
	"context"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/calls"
)

// Live is where a part learns of live configuration.
type Live interface {
	// Watch calls apply with the configuration of a service, now and after each
	// change, one after the other, until ctx ends.
	Watch(ctx context.Context, service string, apply func(live.Config))
}

// Faults make the calls of a part slow, or fail, or hang, when somebody asks for it.
type Faults interface {
	// Apply puts the faults of a configuration in the place of those that the service
	// had.
	Apply(service string, c live.Config)
	// Before returns when a call may go on, or the status with which it fails. The
	// method is "/package.Service/Method".
	Before(ctx context.Context, method string) error
}

// followLive keeps a target to the live configuration of its service, until ctx
// ends.
func (t *target) followLive(ctx context.Context) {
	if l := t.mesh.config.Live; l != nil {
		t.tasks.Go(func() { l.Watch(ctx, t.service, t.apply) })
	}
}

// apply puts the numbers of a configuration in the place of those before.
func (t *target) apply(c live.Config) {
	t.cluster.Configure(balance.Settings{Weights: c.Weights, Split: c.Split})
	ratio := calls.DefaultRatio
	if c.RetryRatio != nil {
		ratio = *c.RetryRatio
	}
	t.budget.SetRatio(ratio)
	t.timeouts.Store(&c.Timeouts)
	subset := cmp.Or(c.Subset, t.mesh.config.Subset)
	t.subset.Store(int64(subset))
	if members := t.members.Load(); members != nil {
		members.limit(subset)
	}
	if f := t.mesh.config.Faults; f != nil {
		f.Apply(t.service, c)
	}
}

// timeout returns the live bound of a method; 0 when there is none.
func (t *target) timeout(method string) time.Duration {
	timeouts := t.timeouts.Load()
	if timeouts == nil || len(*timeouts) == 0 {
		return 0
	}
	_, name, _ := descriptor.SplitMethod(method)
	return (*timeouts)[name]
}
