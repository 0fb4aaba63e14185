// Package rpcserver builds the gRPC server of a part: mutual TLS, health, and
// what happens to every call before a handler sees it, each in a file of its own:
// deadline, log, errors, recover, principal. Finding the server is the business
// of package mesh.
package rpcserver

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
)

const (
	defaultMessageBytes = 4 << 20
	handshakeTimeout    = 10 * time.Second
)

// Options says how a server is built. Only TLS is needed.
type Options struct {
	// TLS is the certificate of the part. Whoever has a certificate of the same
	// authorities may call; what they may call, interceptors decide.
	TLS mtls.Source
	// Logger gets one line for each call; slog.Default when nil.
	Logger *slog.Logger
	// Principal reads who is calling from the incoming metadata and returns a
	// context that carries it, as principal.Verifier.Incoming does. A call that it
	// refuses is UNAUTHENTICATED. When nil, nobody is known.
	Principal func(context.Context) (context.Context, error)
	// Policy returns the policy of a method by its gRPC name, nil for none: its
	// timeout, and who must be calling. When nil, the defaults hold for all.
	Policy func(method string) *policy.Policy
	// Unary and Stream run after the server's own, in this order.
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor
	// Observers are told of each call, for metrics and traces.
	Observers []stats.Handler
	// MaxRequestBytes and MaxResponseBytes bound one message; 4 MiB when 0. A
	// larger one is RESOURCE_EXHAUSTED.
	MaxRequestBytes, MaxResponseBytes int
}

// Server is a grpc.ServiceRegistrar: services are registered on it before Serve.
type Server struct {
	grpc   *grpc.Server
	health healthServer
}

var _ grpc.ServiceRegistrar = (*Server)(nil)

// New builds a server.
func New(o Options) *Server {
	s := &Server{grpc: grpc.NewServer(o.server()...), health: newHealth()}
	healthpb.RegisterHealthServer(s.grpc, s.health)
	return s
}

func (o Options) server() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.Creds(credentials.NewTLS(mtls.ServerConfig(o.TLS))),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.MaxRecvMsgSize(cmp.Or(o.MaxRequestBytes, defaultMessageBytes)),
		grpc.MaxSendMsgSize(cmp.Or(o.MaxResponseBytes, defaultMessageBytes)),
		// Clients of the mesh ask every 10 s whether a silent server is still there.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// What the handlers use is closed after Stop.
		grpc.WaitForHandlers(true),
		grpc.ChainUnaryInterceptor(append(o.unary(), o.Unary...)...),
		grpc.ChainStreamInterceptor(append(o.stream(), o.Stream...)...),
	}
	for _, observer := range o.Observers {
		options = append(options, grpc.StatsHandler(observer))
	}
	return options
}

// unary and stream list what happens to a call, in the order in which it happens.
func (o Options) unary() []grpc.UnaryServerInterceptor {
	log := requestLog{cmp.Or(o.Logger, slog.Default())}
	return []grpc.UnaryServerInterceptor{
		deadlineUnary(o.policy), log.unary, errorsUnary, recoverUnary, identify(o.Principal).unary, authorizeUnary(o.policy),
	}
}

func (o Options) stream() []grpc.StreamServerInterceptor {
	log := requestLog{cmp.Or(o.Logger, slog.Default())}
	return []grpc.StreamServerInterceptor{
		log.stream, errorsStream, recoverStream, identify(o.Principal).stream, authorizeStream(o.policy),
	}
}

func (o Options) policy(method string) *policy.Policy {
	if o.Policy == nil {
		return nil
	}
	return o.Policy(method)
}

// RegisterService implements grpc.ServiceRegistrar.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	s.grpc.RegisterService(desc, impl)
}

// Services returns the full names of what was registered, sorted, without gRPC's
// own services such as health.
func (s *Server) Services() []string {
	var names []string
	for name := range s.grpc.GetServiceInfo() {
		if !strings.HasPrefix(name, "grpc.") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Serve answers calls until the server is stopped, and closes lis. It returns nil
// after Stop, also when that came first.
func (s *Server) Serve(lis net.Listener) error {
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	for _, name := range s.Services() {
		s.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	if err := s.grpc.Serve(lis); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}
