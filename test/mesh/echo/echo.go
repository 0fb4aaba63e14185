// Package echo is a service of three tiers as a team writes one, which can be told
// to be slow, to fail, or to bear little; and the program that runs a replica of it.
// It counts what it is asked, so that callers which ask too often are found out.
package echo

import (
	"context"
	_ "embed"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	echov1 "github.com/fairlead-mesh/fairlead/test/gen/go/acme/echo/v1"
)

// API is the descriptor set of the tiers.
//
//go:embed api.binpb
var API []byte

// Part is the name of the part, whatever its tier.
const Part = "echo"

// The tiers.
const (
	Back   = "back"
	Middle = "middle"
	Front  = "front"
)

// Services are the full names of what the tiers serve.
var Services = map[string]string{
	Back: "acme.echo.v1.EchoService", Middle: "acme.echo.v1.MiddleService", Front: "acme.echo.v1.FrontService",
}

// asker is what the upper tiers do.
type asker func(context.Context, *echov1.EchoRequest) (*echov1.EchoResponse, error)

// Replica is one replica of one tier.
type Replica struct {
	echov1.UnimplementedEchoServiceServer
	echov1.UnimplementedMiddleServiceServer
	echov1.UnimplementedFrontServiceServer

	tier     string
	instance string
	below    asker // nil in the last tier
	worker   atomic.Pointer[worker]
	counters counters
}

// New makes a replica of a tier that calls the one below over the mesh.
func New(tier, instance string, m *mesh.Mesh, b Behaviour) (*Replica, error) {
	r := &Replica{tier: tier, instance: instance, counters: counters{callers: make(map[string]int64)}}
	switch tier {
	case Back:
	case Middle:
		r.below = func(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
			return echov1.NewEchoServiceClient(m.Dial(Services[Back])).Echo(ctx, req)
		}
	case Front:
		r.below = func(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
			return echov1.NewMiddleServiceClient(m.Dial(Services[Middle])).Echo(ctx, req)
		}
	default:
		return nil, fmt.Errorf("tier: %q is not back, middle or front", tier)
	}
	return r, r.Behave(b)
}

// Behave changes how calls are treated from now on. Those that wait for their turn
// wait for the old one.
func (r *Replica) Behave(b Behaviour) error {
	w, err := newWorker(b)
	if err != nil {
		return err
	}
	r.worker.Store(w)
	return nil
}

// Stats tells what it has done.
func (r *Replica) Stats() Stats { return r.counters.stats(r.instance) }

// Register adds the service of the tier to a server.
func (r *Replica) Register(s grpc.ServiceRegistrar) {
	switch r.tier {
	case Back:
		echov1.RegisterEchoServiceServer(s, r)
	case Middle:
		echov1.RegisterMiddleServiceServer(s, r)
	case Front:
		echov1.RegisterFrontServiceServer(s, r)
	}
}

// Close has nothing to close.
func (r *Replica) Close() error { return nil }

// Echo implements the method of all three tiers.
func (r *Replica) Echo(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
	r.counters.came(ctx)
	r.counters.calls.Add(1)
	w := r.worker.Load()
	if err := w.work(ctx); err != nil {
		if err == w.failure {
			r.counters.failed.Add(1)
		}
		return nil, err
	}
	if r.below != nil {
		return r.below(ctx, req)
	}
	return &echov1.EchoResponse{Number: req.GetNumber(), Ballast: req.GetBallast(), Replica: r.instance}, nil
}

// Write implements the method of the proto.
func (r *Replica) Write(ctx context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
	r.counters.writes.Add(1)
	return r.Echo(ctx, req)
}

// Count implements the method of the proto. Its end is that of the call: a server
// that drains says so by the connection, and the caller goes on elsewhere.
func (r *Replica) Count(req *echov1.CountRequest, s grpc.ServerStreamingServer[echov1.CountResponse]) error {
	if req.GetEveryMillis() < 1 || req.GetEveryMillis() > 10_000 {
		return status.Error(codes.InvalidArgument, "every_millis is not 1 to 10,000")
	}
	r.counters.came(s.Context())
	r.counters.streams.Add(1)
	tick := time.NewTicker(time.Duration(req.GetEveryMillis()) * time.Millisecond)
	defer tick.Stop()
	for n := req.GetFrom(); ; n++ {
		if err := s.Send(&echov1.CountResponse{Number: n}); err != nil {
			return err
		}
		select {
		case <-s.Context().Done():
			return status.FromContextError(s.Context().Err()).Err()
		case <-tick.C:
		}
	}
}

// Guard implements the method of the proto, for those who are let through to it.
func (r *Replica) Guard(_ context.Context, req *echov1.EchoRequest) (*echov1.EchoResponse, error) {
	return &echov1.EchoResponse{Number: req.GetNumber(), Replica: r.instance}, nil
}
