package mesh

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
)

// child is the picker of one connection.
type child struct{ err error }

func (c child) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{}, c.err
}

var errUnreachable = errors.New("unreachable")

// pickerOf makes a picker of instances in these states. Those of an odd place have
// the method "/new".
func pickerOf(c *balance.Cluster, states ...connectivity.State) *picker {
	var children []balancer.State
	var members []balance.Member
	for i, s := range states {
		var err error
		if s == connectivity.TransientFailure {
			err = errUnreachable
		}
		children = append(children, balancer.State{ConnectivityState: s, Picker: child{err}})
		members = append(members, balance.Member{
			Instance: fmt.Sprint(i), Connectivity: s,
			Serves: func(method string) bool { return method == "/old" || method == "/new" && i%2 == 1 },
		})
	}
	return newPicker("a.v1.AService", c, children, members)
}

func TestPickNone(t *testing.T) {
	const ready, connecting, idle, failed = connectivity.Ready, connectivity.Connecting, connectivity.Idle, connectivity.TransientFailure
	for name, test := range map[string]struct {
		method string
		states []connectivity.State
		want   error // nil: one is chosen
		code   codes.Code
	}{
		"ready":                        {"/old", []connectivity.State{failed, ready}, nil, 0},
		"connecting":                   {"/old", []connectivity.State{connecting, failed}, balancer.ErrNoSubConnAvailable, 0},
		"idle":                         {"/old", []connectivity.State{failed, idle}, balancer.ErrNoSubConnAvailable, 0},
		"all failed":                   {"/old", []connectivity.State{failed, failed}, errUnreachable, 0},
		"the one with it connects":     {"/new", []connectivity.State{ready, connecting}, balancer.ErrNoSubConnAvailable, 0},
		"the one with it failed":       {"/new", []connectivity.State{ready, failed}, errUnreachable, 0},
		"nobody has it":                {"/new", []connectivity.State{ready}, nil, codes.Unimplemented},
		"nobody has it, all connect":   {"/none", []connectivity.State{connecting, connecting}, nil, codes.Unimplemented},
		"nobody is there, no status: ": {"/old", nil, nil, codes.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			p := pickerOf(balance.NewCluster(balance.Options{}), test.states...)
			_, err := p.Pick(balancer.PickInfo{FullMethodName: test.method, Ctx: t.Context()})
			if test.code != 0 && status.Code(err) == test.code {
				return
			}
			if !errors.Is(err, test.want) || test.code != 0 {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	p := pickerOf(balance.NewCluster(balance.Options{}), connectivity.Ready, connectivity.Ready, connectivity.Ready)
	info := balancer.PickInfo{FullMethodName: "/old", Ctx: balance.WithAttempt(t.Context(), new(balance.Attempt))}
	n := testing.AllocsPerRun(1000, func() {
		result, err := p.Pick(info)
		if err != nil {
			t.Fatal(err)
		}
		result.Done(balancer.DoneInfo{BytesSent: true, BytesReceived: true})
	})
	if n >= 1 { // a collection of garbage may empty the pool
		t.Errorf("%v allocations", n)
	}
}

// What the balancer is told of the end of a call, and what it makes of it.
func TestDone(t *testing.T) {
	down := status.Error(codes.Unavailable, "down")
	for name, test := range map[string]struct {
		info   balancer.DoneInfo
		failed float64
	}{
		"answered":                    {balancer.DoneInfo{BytesSent: true, BytesReceived: true}, 0},
		"failed":                      {balancer.DoneInfo{Err: down, BytesSent: true}, 1},
		"the connection was lost":     {balancer.DoneInfo{}, 0},
		"nothing was sent":            {balancer.DoneInfo{Err: down}, 0},
		"turned away":                 {balancer.DoneInfo{Err: down, BytesSent: true, Trailer: metadata.Pairs("x-fairlead-unprocessed", "1")}, 0},
		"not to be repeated":          {balancer.DoneInfo{Err: down, BytesSent: true, Trailer: metadata.Pairs("grpc-retry-pushback-ms", "-1")}, 0},
		"the caller has gone":         {balancer.DoneInfo{Err: status.FromContextError(context.Canceled).Err(), BytesSent: true}, 0},
		"an answer with odd trailers": {balancer.DoneInfo{BytesSent: true, Trailer: metadata.Pairs("grpc-retry-pushback-ms", "1")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := balance.NewCluster(balance.Options{})
			p := pickerOf(c, connectivity.Ready)
			a := new(balance.Attempt)
			result, err := p.Pick(balancer.PickInfo{FullMethodName: "/old", Ctx: balance.WithAttempt(t.Context(), a)})
			if err != nil || a.Chosen.Load() == nil {
				t.Fatalf("chose %v, %v", a.Chosen.Load(), err)
			}
			result.Done(test.info)
			if s := c.Snapshot().Endpoints[0]; s.ErrorRate != test.failed || s.InFlight != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// BenchmarkPicker is what a call pays for the choice, as grpc sees it.
func BenchmarkPicker(b *testing.B) {
	states := []connectivity.State{connectivity.Ready, connectivity.Ready, connectivity.Ready}
	p := pickerOf(balance.NewCluster(balance.Options{}), states...)
	info := balancer.PickInfo{FullMethodName: "/old", Ctx: balance.WithAttempt(b.Context(), new(balance.Attempt))}
	b.ReportAllocs()
	for b.Loop() {
		result, err := p.Pick(info)
		if err != nil {
			b.Fatal(err)
		}
		result.Done(balancer.DoneInfo{BytesSent: true, BytesReceived: true})
	}
}
