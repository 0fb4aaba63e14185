package mesh

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// picker chooses the instance for a call: in turn, among those that are ready and
// have the method. Another one takes its place at each change of an instance.
type picker struct {
	service string
	next    atomic.Uint32
	ready   []choice
	others  []choice
}

type choice struct {
	balancer.State
	has func(method string) bool // nil when it has all
}

func (c choice) serves(method string) bool { return c.has == nil || c.has(method) }

// newPicker begins anywhere, so that many callers which learn of a change at once
// do not all go to the same instance.
func newPicker(service string) *picker {
	p := &picker{service: service}
	p.next.Store(rand.Uint32())
	return p
}

func (p *picker) add(s balancer.State, has func(string) bool) {
	if s.ConnectivityState == connectivity.Ready {
		p.ready = append(p.ready, choice{s, has})
		return
	}
	p.others = append(p.others, choice{s, has})
}

// Pick implements balancer.Picker.
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	n := uint32(len(p.ready))
	turn := p.next.Add(1)
	for i := range n {
		if c := &p.ready[(turn+i)%n]; c.serves(info.FullMethodName) {
			return c.Picker.Pick(info)
		}
	}
	return p.pickNone(info)
}

// pickNone waits for an instance that is being connected to, and says why the
// call cannot be made when there is none.
func (p *picker) pickNone(info balancer.PickInfo) (balancer.PickResult, error) {
	var failed *choice
	for i := range p.others {
		c := &p.others[i]
		if !c.serves(info.FullMethodName) {
			continue
		}
		if c.ConnectivityState != connectivity.TransientFailure {
			return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
		}
		failed = c
	}
	if failed != nil {
		return failed.Picker.Pick(info)
	}
	if len(p.ready)+len(p.others) > 0 {
		return balancer.PickResult{}, status.Errorf(codes.Unimplemented, "no instance of %s has the method %s", p.service, info.FullMethodName)
	}
	// No status: a call that waits for readiness waits for an instance, and any
	// other fails with UNAVAILABLE at once.
	return balancer.PickResult{}, fmt.Errorf("no instance of %s is registered", p.service)
}
