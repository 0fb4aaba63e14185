// Package rpcserver builds the gRPC server of a part: mutual TLS, health, drain, and
// what happens to every call before a handler sees it, each in a file of its own:
// deadline, shedding, principal and policy before the request is decoded; log,
// errors and recover around it. Finding the server is the business of package
// mesh.
package rpcserver

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

const (
	defaultMessageBytes = 4 << 20
	handshakeTimeout    = 10 * time.Second
)

// Options says how a server is built. Only TLS is needed.
type Options struct {
	// TLS is the certificate of the part. Whoever has a certificate of the same
	// authorities may connect; which methods they may call, the policy of the methods
	// says, by the field callers.
	TLS mtls.Source
	// Logger gets one line for each call; slog.Default when nil.
	Logger *slog.Logger
	// Principal reads who is calling from the incoming metadata and returns a
	// context that carries it, as principal.Verifier.Incoming does. A call that it
	// refuses is UNAUTHENTICATED. When nil, nobody is known.
	Principal func(context.Context) (context.Context, error)
	// Policy returns the policy of a method by its gRPC name, nil for none: its
	// timeout, criticality, and who must be calling. It is asked when the method is
	// registered. When nil, the defaults hold for all.
	Policy func(method string) *policy.Policy
	// Shed bounds how many calls run at once; see package shed. What is too much is
	// refused with RESOURCE_EXHAUSTED before it is decoded. NoShed takes whatever
	// comes. gRPC's own services, such as health, are never refused.
	Shed   shed.Options
	NoShed bool
	// StreamGrace is how long streams have to end when the server drains, before they
	// are ended; 1 s when 0.
	StreamGrace time.Duration
	// Refused is told of each call and connection that is turned away before any
	// handler sees it, for metrics. It must be fast; it may be nil. Who was not allowed
	// to call stands in the log as well.
	Refused func(Refusal)
	// Outer and OuterStream run before the server's own, so that they see all calls
	// as callers do: for metrics and traces. The request of a unary call is nil there,
	// since it is not decoded yet. Outer does not see gRPC's own services.
	Outer       []grpc.UnaryServerInterceptor
	OuterStream []grpc.StreamServerInterceptor
	// Unary and Stream run after the server's own, in this order.
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor
	// MaxRequestBytes and MaxResponseBytes bound one message; 4 MiB when 0. A
	// larger one is RESOURCE_EXHAUSTED.
	MaxRequestBytes, MaxResponseBytes int
}

// Server is a grpc.ServiceRegistrar: services are registered on it before Serve.
type Server struct {
	grpc      *grpc.Server
	health    healthServer
	log       requestLog
	audit     *audit
	principal func(context.Context) (context.Context, error)
	policy    func(string) *policy.Policy
	outer     grpc.UnaryServerInterceptor // nil for none
	methods   map[string]*method          // not changed after Serve
	limiter   *shed.Limiter               // nil when there is none
	hopeless  allowance
	conns     *conns

	grace    time.Duration
	drained  sync.Once
	draining chan struct{}
	mover    *time.Timer
	moving   context.Context // ends when streams have to move
	move     context.CancelFunc
}

var _ grpc.ServiceRegistrar = (*Server)(nil)

// New builds a server.
func New(o Options) *Server {
	log := cmp.Or(o.Logger, slog.Default())
	s := &Server{
		health: newHealth(), log: requestLog{log}, audit: &audit{log: log, tell: o.Refused},
		principal: o.Principal, policy: o.policy, outer: chain(o.Outer), methods: make(map[string]*method), conns: newConns(),
		grace: cmp.Or(o.StreamGrace, streamGrace), draining: make(chan struct{}),
	}
	s.moving, s.move = context.WithCancel(context.Background())
	s.hopeless.began.Store(time.Now().UnixNano())
	if !o.NoShed {
		s.limiter = shed.New(o.Shed)
	}
	s.grpc = grpc.NewServer(o.server(s)...)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	return s
}

func (o Options) server(s *Server) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(newDoor(o.TLS, s.log.Logger, s.audit)),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.MaxRecvMsgSize(cmp.Or(o.MaxRequestBytes, defaultMessageBytes)),
		grpc.MaxSendMsgSize(cmp.Or(o.MaxResponseBytes, defaultMessageBytes)),
		// Clients of the mesh ask every 10 s whether a silent server is still there.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// What the handlers use is closed after Stop.
		grpc.WaitForHandlers(true),
		grpc.ChainUnaryInterceptor(o.Unary...),
		grpc.ChainStreamInterceptor(slices.Concat(o.OuterStream, []grpc.StreamServerInterceptor{s.stream}, o.Stream)...),
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
	own := *desc
	own.Methods = slices.Clone(desc.Methods)
	for i := range own.Methods {
		d := &own.Methods[i]
		d.Handler = s.method(desc, d.MethodName).wrap(d.Handler)
	}
	for _, d := range desc.Streams {
		s.method(desc, d.StreamName)
	}
	s.grpc.RegisterService(&own, impl)
}

func (s *Server) method(desc *grpc.ServiceDesc, name string) *method {
	m := &method{server: s, name: "/" + desc.ServiceName + "/" + name}
	m.policy = s.policy(m.name)
	if s.limiter != nil {
		m.shed = s.limiter.Method()
	}
	s.methods[m.name] = m
	return m
}

// Limit changes between which bounds the server looks for how many calls it can
// handle at once; 0 means the bound of Options.Shed. It returns false, and changes
// nothing, when they contradict each other or when the server takes whatever comes.
func (s *Server) Limit(least, most int) bool {
	return s.limiter != nil && s.limiter.SetBounds(least, most)
}

// Load returns what the server does now; all zero when it takes whatever comes.
func (s *Server) Load() shed.State {
	if s.limiter == nil {
		return shed.State{}
	}
	return s.limiter.State()
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
	if err := s.grpc.Serve(counting{lis, s.conns}); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}
