package mesh

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

const scheme = "fairlead"

// resolvers makes the resolver of each connection: fairlead:///<service>.
type resolvers struct {
	mesh   *Mesh
	target *target
}

// Scheme implements resolver.Builder.
func (b resolvers) Scheme() string { return scheme }

// Build implements resolver.Builder. It waits for nothing.
func (b resolvers) Build(_ resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	ctx, cancel := context.WithCancel(context.Background())
	screen := newScreen(b.mesh, b.target.service)
	r := &watching{target: b.target, cc: cc, cancel: cancel, unread: newUnread(), members: newMembership(b.mesh, b.target.service, int(b.target.subset.Load()))}
	b.target.members.Store(r.members)
	r.tasks.Go(func() {
		b.mesh.config.Registry.Watch(ctx, b.target.service, func(list []discovery.Instance) {
			r.members.list(screen.usable(list), time.Now())
		})
	})
	r.tasks.Go(func() { r.run(ctx) })
	return r, nil
}

// firstList is how long calls wait for a registry that has never answered; then
// they fail, until it does.
const firstList = time.Second

// watching passes on to one connection where its service runs.
type watching struct {
	target  *target
	cc      resolver.ClientConn
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
	members *membership

	// What follows belongs to run.
	told  []member
	began bool // something was told
	unread
}

// ResolveNow implements resolver.Resolver. The registry says by itself what is
// new.
func (r *watching) ResolveNow(resolver.ResolveNowOptions) {}

// Close implements resolver.Resolver.
func (r *watching) Close() {
	r.cancel()
	r.tasks.Wait()
}

// run tells the connection who is called, whenever that changes. It is a goroutine
// of its own: what makes it change may come from the connection itself.
func (r *watching) run(ctx context.Context) {
	unanswered := time.NewTimer(firstList)
	defer unanswered.Stop()
	again := time.NewTimer(0)
	defer again.Stop()
	defer r.unread.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-unanswered.C:
			if !r.began {
				r.tell(nil)
			}
		case <-r.members.wake:
		case <-again.C:
		case <-r.unread.C:
			r.readAgain()
		}
		members, until, answered := r.members.choose(time.Now())
		if answered && (!r.began || !slices.Equal(members, r.told)) {
			r.tell(members)
		}
		if again.Stop(); !until.IsZero() {
			again.Reset(time.Until(until))
		}
	}
}

func (r *watching) tell(members []member) {
	r.began, r.told = true, members
	state := resolver.State{Attributes: withTarget(r.target).WithValue(membershipKey{}, r.members)}
	instances := make([]discovery.Instance, 0, len(members))
	for _, m := range members {
		instances = append(instances, m.Instance)
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{
			// What is noted of the address makes another connection when it changes,
			// what is noted of the endpoint does not.
			Addresses:  []resolver.Address{{Addr: m.Address, Attributes: withIdentity(m.Identity)}},
			Attributes: withInstance(m.Instance).WithValue(suspectKey{}, m.suspect),
		})
	}
	r.target.run(instances)
	r.target.known.Store(&members)
	// The error says that the list is empty, which the balancer has told the calls.
	_ = r.cc.UpdateState(state)
	r.expect(soonest)
}

// What the resolver notes for the balancer: of the connection, and of each
// endpoint. suspectKey is true for one that the registry has no more.
type (
	meshKey       struct{}
	serviceKey    struct{}
	clusterKey    struct{}
	membershipKey struct{}
	instanceKey   struct{}
	suspectKey    struct{}
)

func withTarget(t *target) *attributes.Attributes {
	return attributes.New(meshKey{}, t.mesh).WithValue(serviceKey{}, t.service).WithValue(clusterKey{}, t.cluster)
}

func withInstance(i discovery.Instance) *attributes.Attributes {
	return attributes.New(instanceKey{}, i)
}
