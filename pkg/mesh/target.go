package mesh

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/calls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

// maxMethods bounds what is kept of the methods of one service, whose names come
// from callers. Those beyond it share one record.
const maxMethods = 500

// target is one service that this part calls: a connection to each of its
// replicas, and what was learned from the calls.
type target struct {
	*grpc.ClientConn
	raw     raw.Caller // of the connection
	mesh    *Mesh
	service string
	cluster *balance.Cluster
	budget  *calls.Budget
	apis    atomic.Pointer[[]Methods] // of the versions that run now
	listed  chan struct{}             // closed when the first list is there, or none within a second
	known   atomic.Pointer[[]member]  // who is called, as the registry has it

	timeouts atomic.Pointer[map[string]time.Duration] // live; see apply
	subset   atomic.Int64                             // how many replicas are called at most; live as well
	members  atomic.Pointer[membership]               // nil before the first call

	methods atomic.Pointer[map[string]*method] // replaced by a larger one under mu
	mu      sync.Mutex

	cancel context.CancelFunc // ends the tasks
	tasks  sync.WaitGroup

	retries, hedges, throttled atomic.Int64
}

// method is what was learned from the calls of one method, and its policy.
type method struct {
	name     string // empty for those beyond the bound, whose policies differ
	latency  *calls.Latency
	throttle *calls.Throttle
	known    atomic.Pointer[known]
}

// known is a policy, and the versions of which it was read.
type known struct {
	apis   *[]Methods
	policy *policy.Policy
}

// newTarget makes the connection to a service and begins to follow its live
// configuration. It waits for nothing.
func newTarget(m *Mesh, service string) (*target, error) {
	t := &target{
		mesh: m, service: service, listed: make(chan struct{}),
		cluster: balance.NewCluster(balance.Options{Service: service, Zone: m.config.Zone, Log: m.log, Events: m.breakers(service)}),
		budget:  calls.NewBudget(),
	}
	t.methods.Store(new(map[string]*method))
	t.subset.Store(int64(m.config.Subset))
	cc, err := grpc.NewClient(scheme+":///"+service, m.dialOptions(t)...)
	if err != nil {
		return nil, err
	}
	t.ClientConn, t.raw = cc, raw.FromConn(cc)
	var ctx context.Context
	ctx, t.cancel = context.WithCancel(context.Background())
	t.followLive(ctx)
	return t, nil
}

// close ends the connections. Whoever waits for the first list need not wait any
// more.
func (t *target) close() error {
	t.run(nil)
	t.cancel()
	t.tasks.Wait()
	return t.Close()
}

// method returns the record of a method.
func (t *target) method(name string) *method {
	if found := (*t.methods.Load())[name]; found != nil {
		return found
	}
	return t.addMethod(name)
}

func (t *target) addMethod(name string) *method {
	t.mu.Lock()
	defer t.mu.Unlock()
	methods := *t.methods.Load()
	if len(methods) >= maxMethods {
		name = "" // of those beyond the bound
	}
	if found := methods[name]; found != nil {
		return found
	}
	made := &method{name: name, latency: calls.NewLatency(), throttle: calls.NewThrottle()}
	more := maps.Clone(methods)
	if more == nil {
		more = make(map[string]*method)
	}
	more[name] = made
	t.methods.Store(&more)
	return made
}

// run notes which versions run, whose policies say what may be called twice.
func (t *target) run(instances []discovery.Instance) {
	seen := make(map[string]bool)
	apis := []Methods{}
	for _, i := range instances {
		if seen[i.Digest] {
			continue
		}
		seen[i.Digest] = true
		if api := t.mesh.apiOf(i.Digest); api != nil {
			apis = append(apis, api)
		}
	}
	if t.apis.Swap(&apis) == nil {
		close(t.listed)
	}
}

// list waits for the first list, with which a service's policies are known. It is
// not there before the first call.
func (t *target) list(ctx context.Context) {
	if t.apis.Load() != nil {
		return
	}
	t.Connect()
	select {
	case <-t.listed:
	case <-ctx.Done():
	}
}

// policyOf returns the policy of a method, nil when it is not known. Where versions
// differ, the most careful one counts: one that may not be called twice.
func (t *target) policyOf(name string, m *method) *policy.Policy {
	apis := t.apis.Load()
	if k := m.known.Load(); k != nil && k.apis == apis && m.name == name {
		return k.policy
	}
	if apis == nil {
		return nil
	}
	var found *policy.Policy
	for _, api := range *apis {
		if p := api[name]; p != nil && (found == nil || found.Idempotent) {
			found = p
		}
	}
	m.known.Store(&known{apis, found})
	return found
}

// repeatable says whether a call does no more when it is made twice: because of
// its method, or of the key that it bears.
func repeatable(ctx context.Context, p *policy.Policy) bool {
	switch {
	case p == nil:
		return false
	case p.Idempotent:
		return true
	case p.IdempotencyKey == policyv1.IdempotencyKey_IDEMPOTENCY_KEY_NONE:
		return false
	}
	md, _ := metadata.FromOutgoingContext(ctx)
	return len(md.Get("idempotency-key")) > 0
}
