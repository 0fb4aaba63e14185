package mesh

import (
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
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
	b := &sharded{ClientConn: cc}
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
}

// UpdateClientConnState implements balancer.Balancer.
func (b *sharded) UpdateClientConnState(s balancer.ClientConnState) error {
	b.mesh, _ = s.ResolverState.Attributes.Value(meshKey{}).(*Mesh)
	b.service, _ = s.ResolverState.Attributes.Value(serviceKey{}).(string)
	return b.Balancer.UpdateClientConnState(s)
}

// UpdateState implements balancer.ClientConn.
func (b *sharded) UpdateState(s balancer.State) {
	p := newPicker(b.service)
	for _, child := range endpointsharding.ChildStatesFromPicker(s.Picker) {
		instance, _ := child.Endpoint.Attributes.Value(instanceKey{}).(discovery.Instance)
		p.add(child.State, b.mesh.methodsOf(instance.Digest))
	}
	b.ClientConn.UpdateState(balancer.State{ConnectivityState: s.ConnectivityState, Picker: p})
}

func (m *Mesh) methodsOf(digest string) func(string) bool {
	if m.config.MethodsOf == nil {
		return nil
	}
	return m.config.MethodsOf(digest)
}
