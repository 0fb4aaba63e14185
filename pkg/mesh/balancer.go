package mesh

import (
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/connectivity"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
)

// This file is the only one that touches grpc-go's endpointsharding, which is
// still experimental. It keeps one connection to each endpoint, and tells which
// of them are ready; choosing among them is the picker's.

const balancerName = "fairlead"

func init() { balancer.Register(balancers{}) }

type balancers struct{}

// Name implements balancer.Builder.
func (balancers) Name() string { return balancerName }

// Build implements balancer.Builder.
func (balancers) Build(cc balancer.ClientConn, opts balancer.BuildOptions) balancer.Balancer {
	// The cluster is for as long as nobody has said another.
	b := &sharded{ClientConn: cc, cluster: balance.NewCluster(balance.Options{})}
	b.Balancer = endpointsharding.NewBalancer(b, opts, balancer.Get(pickfirst.Name).Build, endpointsharding.Options{})
	return b
}

// sharded stands on both sides of endpointsharding: above it as a Balancer, to see
// what it is told, and below it as its ClientConn, to see what it says.
type sharded struct {
	balancer.Balancer
	balancer.ClientConn

	mesh    *Mesh
	service string
	cluster *balance.Cluster
	members *membership
}

// UpdateClientConnState implements balancer.Balancer.
func (b *sharded) UpdateClientConnState(s balancer.ClientConnState) error {
	about := s.ResolverState.Attributes
	b.mesh, _ = about.Value(meshKey{}).(*Mesh)
	b.service, _ = about.Value(serviceKey{}).(string)
	if c, ok := about.Value(clusterKey{}).(*balance.Cluster); ok {
		b.cluster = c
	}
	b.members, _ = about.Value(membershipKey{}).(*membership)
	return b.Balancer.UpdateClientConnState(s)
}

// UpdateState implements balancer.ClientConn.
func (b *sharded) UpdateState(s balancer.State) {
	children := endpointsharding.ChildStatesFromPicker(s.Picker)
	states := make([]balancer.State, len(children))
	members := make([]balance.Member, len(children))
	for i, child := range children {
		instance, _ := child.Endpoint.Attributes.Value(instanceKey{}).(discovery.Instance)
		b.members.connected(instance.ID, instance.Address, child.State.ConnectivityState == connectivity.Ready)
		states[i] = child.State
		members[i] = balance.Member{
			Instance: instance.ID, Address: instance.Address, Version: instance.Version, Zone: instance.Zone,
			Weight: instance.Weight, Connectivity: child.State.ConnectivityState, Serves: b.mesh.methodsOf(instance.Digest),
		}
	}
	p := newPicker(b.service, b.cluster, states, members)
	b.ClientConn.UpdateState(balancer.State{ConnectivityState: s.ConnectivityState, Picker: p})
}

// methodsOf returns a function that says which methods the instances with a digest
// have; nil when they have all.
func (m *Mesh) methodsOf(digest string) func(string) bool {
	api := m.apiOf(digest)
	if api == nil {
		return nil
	}
	return api.has
}
