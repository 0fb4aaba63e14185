package mesh

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

const (
	// maxServices bounds the connections of a part whose callers choose the names.
	maxServices = 1000
	// maxReplyBytes is where a reply is cut off whatever its policy says.
	maxReplyBytes = 16 << 20
	// defaultDeadline is the default of a method's timeout in its policy.
	defaultDeadline = 5 * time.Second
)

// conns holds one connection for each service that was called. A connection that
// is not used for half an hour ends its sockets and its watch, and begins them
// again when it is needed.
type conns struct {
	mesh *Mesh

	mu        sync.RWMutex
	closed    bool
	byService map[string]*conn
}

type conn struct {
	*grpc.ClientConn
	raw raw.Caller
}

func newConns(m *Mesh) *conns {
	return &conns{mesh: m, byService: make(map[string]*conn)}
}

// get returns the connection to a service. The error is a status.
func (c *conns) get(service string) (*conn, error) {
	c.mu.RLock()
	found := c.byService[service]
	c.mu.RUnlock()
	if found != nil {
		return found, nil
	}
	return c.add(service)
}

func (c *conns) add(service string) (*conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.byService[service]; found != nil {
		return found, nil
	}
	if c.closed {
		return nil, status.Error(codes.Unavailable, "this part has left the mesh")
	}
	if len(c.byService) == maxServices {
		return nil, status.Errorf(codes.Unavailable, "more than %d services were called", maxServices)
	}
	cc, err := grpc.NewClient(scheme+":///"+service, c.mesh.dialOptions()...)
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "service %q: %v", service, err)
	}
	made := &conn{ClientConn: cc, raw: raw.FromConn(cc)}
	c.byService[service] = made
	return made, nil
}

func (c *conns) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var failures []error
	for service, conn := range c.byService {
		failures = append(failures, conn.Close())
		delete(c.byService, service)
	}
	return errors.Join(failures...)
}

func (m *Mesh) dialOptions() []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(dialer{m.config.TLS}),
		grpc.WithResolvers(resolvers{m}),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"` + balancerName + `":{}}]}`),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReplyBytes)),
		// Finds a machine that is gone without a word; 10 s is the least that grpc
		// allows.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithChainUnaryInterceptor(calleeUnary, deadline),
		grpc.WithChainStreamInterceptor(calleeStream),
	}
	if m.config.Forward {
		options = append(options, grpc.WithChainUnaryInterceptor(forwardUnary), grpc.WithChainStreamInterceptor(forwardStream))
	}
	for _, observer := range m.config.Observers {
		options = append(options, grpc.WithStatsHandler(observer))
	}
	return options
}

// deadline gives a unary call an end that has none.
func deadline(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultDeadline)
		defer cancel()
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}
