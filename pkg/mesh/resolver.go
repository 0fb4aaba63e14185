package mesh

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

const scheme = "fairlead"

// resolvers makes the resolver of each connection: fairlead:///<service>.
type resolvers struct{ mesh *Mesh }

// Scheme implements resolver.Builder.
func (b resolvers) Scheme() string { return scheme }

// Build implements resolver.Builder. It waits for nothing.
func (b resolvers) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &watching{mesh: b.mesh, service: target.Endpoint(), cc: cc, cancel: cancel, refused: make(map[string]bool)}
	r.giveUp = time.AfterFunc(firstList, r.unanswered)
	r.task.Go(func() { b.mesh.config.Registry.Watch(ctx, r.service, r.listed) })
	return r, nil
}

// firstList is how long calls wait for a registry that has never answered; then
// they fail, until it does.
const firstList = time.Second

// watching passes on to one connection where its service runs.
type watching struct {
	mesh    *Mesh
	service string
	cc      resolver.ClientConn
	cancel  context.CancelFunc
	task    sync.WaitGroup
	refused map[string]bool // identities that were warned about
	giveUp  *time.Timer

	mu       sync.Mutex
	answered bool // there was a list
	found    bool // there was one with somebody in it
}

// ResolveNow implements resolver.Resolver. The registry says by itself what is
// new.
func (r *watching) ResolveNow(resolver.ResolveNowOptions) {}

// Close implements resolver.Resolver.
func (r *watching) Close() {
	r.giveUp.Stop()
	r.cancel()
	r.task.Wait()
}

func (r *watching) listed(instances []discovery.Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered = true
	r.update(instances)
}

// unanswered lets calls fail that wait for the first list.
func (r *watching) unanswered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.answered {
		r.update(nil)
	}
}

// update passes a list on. An empty one after one that was not is no news: when
// etcd comes back after its leases have run out, it lists nobody for a moment,
// though all of them answer. Who is really gone does not, and calls say so.
func (r *watching) update(instances []discovery.Instance) {
	usable := r.usable(instances)
	if len(usable) == 0 && r.found {
		r.mesh.log.Warn("no instance is registered any more; the last ones are still called", "service", r.service)
		return
	}
	r.found = len(usable) > 0
	state := resolver.State{Attributes: withMesh(r.mesh, r.service)}
	for _, i := range usable {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{
			// What is noted of the address makes another connection when it changes,
			// what is noted of the endpoint does not.
			Addresses:  []resolver.Address{{Addr: i.Address, Attributes: withIdentity(i.Identity)}},
			Attributes: withInstance(i),
		})
	}
	// The error says that the list is empty, which the balancer has told the calls.
	_ = r.cc.UpdateState(state)
}

// usable leaves out who may not serve the service, and who takes no new calls
// unless nobody else does: a service that drains answers until it stops.
func (r *watching) usable(instances []discovery.Instance) []discovery.Instance {
	var serving, draining []discovery.Instance
	for _, i := range instances {
		switch {
		case !r.granted(i):
		case i.Draining:
			draining = append(draining, i)
		default:
			serving = append(serving, i)
		}
	}
	if len(serving) == 0 {
		return oneAtAnAddress(draining)
	}
	return oneAtAnAddress(serving)
}

// oneAtAnAddress leaves the later of two IDs that have one address, which is the
// younger when IDs are of UUID version 7; the other was killed.
func oneAtAnAddress(instances []discovery.Instance) []discovery.Instance {
	var list []discovery.Instance
	at := make(map[string]int)
	for _, i := range instances {
		if n, taken := at[i.Address]; taken {
			list[n] = i
			continue
		}
		at[i.Address] = len(list)
		list = append(list, i)
	}
	return list
}

func (r *watching) granted(i discovery.Instance) bool {
	if r.mesh.config.Grants.MayServe(i.Identity, r.service) {
		return true
	}
	if !r.refused[i.Identity] {
		r.refused[i.Identity] = true
		r.mesh.log.Warn("instance left out: no grant", "service", r.service, "identity", i.Identity, "instance", i.ID)
	}
	return false
}

type (
	meshKey     struct{}
	serviceKey  struct{}
	instanceKey struct{}
)

func withMesh(m *Mesh, service string) *attributes.Attributes {
	return attributes.New(meshKey{}, m).WithValue(serviceKey{}, service)
}

func withInstance(i discovery.Instance) *attributes.Attributes {
	return attributes.New(instanceKey{}, i)
}
