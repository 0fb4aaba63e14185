package rpcserver

import (
	"context"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// healthServer is gRPC's own, except that whoever watches it is sent away when
// the server stops: those streams never end by themselves, and Stop waits for
// streams.
type healthServer struct {
	*health.Server
	stopping context.Context
	sendAway context.CancelFunc
}

func newHealth() healthServer {
	stopping, sendAway := context.WithCancel(context.Background())
	return healthServer{health.NewServer(), stopping, sendAway}
}

// Watch implements healthpb.HealthServer.
func (h healthServer) Watch(req *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(h.stopping, cancel)()
	err := h.Server.Watch(req, watcher{stream, ctx})
	if h.stopping.Err() != nil {
		return errs.Unavailable(errorsv1.Reason_REASON_DRAINING, "the server is stopping")
	}
	return err
}

// watcher is a stream with another context.
type watcher struct {
	healthpb.Health_WatchServer
	ctx context.Context
}

func (w watcher) Context() context.Context { return w.ctx }
