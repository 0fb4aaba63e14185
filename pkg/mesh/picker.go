package mesh

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/calls"
)

// picker lets balance choose the instance for a call, and says why when there is
// none. Another one takes its place at each change of an instance.
type picker struct {
	service string
	states  []balancer.State // of the members
	members []balance.Member
	choice  *balance.Picker
}

func newPicker(service string, c *balance.Cluster, states []balancer.State, members []balance.Member) *picker {
	return &picker{service: service, states: states, members: members, choice: c.Picker(members)}
}

// Pick implements balancer.Picker.
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	c := pickCall()
	i, ok := p.choice.Pick(info.FullMethodName, balance.AttemptOf(info.Ctx), &c.call)
	if !ok {
		picked.Put(c)
		return p.pickNone(info)
	}
	result, err := p.states[i].Picker.Pick(info)
	if err != nil {
		c.done(balancer.DoneInfo{})
		return result, err
	}
	c.child, result.Done = result.Done, c.told
	return result, nil
}

// pickedCall is a call that was sent somewhere. They are used again and again, each
// with the function that grpc calls in the end, so that a choice allocates nothing.
type pickedCall struct {
	call  balance.Call
	child func(balancer.DoneInfo) // of the connection's own picker, if it has one
	told  func(balancer.DoneInfo) // is done
}

var picked sync.Pool

func pickCall() *pickedCall {
	if c, ok := picked.Get().(*pickedCall); ok {
		return c
	}
	c := new(pickedCall)
	c.told = c.done
	return c
}

// done is called once. A call for which nothing was sent has found a connection
// that was just lost; grpc then makes another choice.
func (c *pickedCall) done(info balancer.DoneInfo) {
	if c.child != nil {
		c.child(info)
	}
	c.call.Done(balance.Outcome{Err: info.Err, Unsent: !info.BytesSent, Refused: refused(info)})
	c.child = nil
	picked.Put(c)
}

// refused says whether a server has turned a call away, or wants it not to be
// repeated because of somebody that it has called.
func refused(info balancer.DoneInfo) bool {
	return info.Err != nil && (len(info.Trailer[calls.Unprocessed]) > 0 || len(info.Trailer[calls.Pushback]) > 0)
}

// pickNone waits for an instance that is being connected to, and says why the
// call cannot be made when there is none.
func (p *picker) pickNone(info balancer.PickInfo) (balancer.PickResult, error) {
	failed := -1
	for i := range p.members {
		if serves := p.members[i].Serves; serves != nil && !serves(info.FullMethodName) {
			continue
		}
		if p.states[i].ConnectivityState != connectivity.TransientFailure {
			return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
		}
		failed = i
	}
	if failed >= 0 {
		return p.states[failed].Picker.Pick(info)
	}
	if len(p.members) > 0 {
		return balancer.PickResult{}, status.Errorf(codes.Unimplemented, "no instance of %s has the method %s", p.service, info.FullMethodName)
	}
	// No status: a call that waits for readiness waits for an instance, and any
	// other fails with UNAVAILABLE at once.
	return balancer.PickResult{}, fmt.Errorf("no instance of %s is registered", p.service)
}
