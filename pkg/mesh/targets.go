package mesh

import (
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

const (
	// maxServices bounds the connections of a part whose callers choose the names.
	maxServices = 1000
	// maxReplyBytes is where a reply is cut off whatever its policy says.
	maxReplyBytes = 16 << 20
)

// targets holds the services that were called. One that is not called for half an
// hour ends its sockets and its watch, and begins them again when it is needed.
type targets struct {
	mesh *Mesh

	mu        sync.RWMutex
	closed    bool
	byService map[string]*target
}

func newTargets(m *Mesh) *targets {
	return &targets{mesh: m, byService: make(map[string]*target)}
}

// get returns a service. The error is a status.
func (c *targets) get(service string) (*target, error) {
	c.mu.RLock()
	found := c.byService[service]
	c.mu.RUnlock()
	if found != nil {
		return found, nil
	}
	return c.add(service)
}

func (c *targets) add(service string) (*target, error) {
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
	made, err := newTarget(c.mesh, service)
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "service %q: %v", service, err)
	}
	c.byService[service] = made
	return made, nil
}

func (c *targets) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var failures []error
	for service, t := range c.byService {
		failures = append(failures, t.close())
		delete(c.byService, service)
	}
	return errors.Join(failures...)
}

func (m *Mesh) dialOptions(t *target) []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(dialer{m.config.TLS, mtls.NewAudit(m.log)}),
		grpc.WithResolvers(resolvers{m, t}),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"` + balancerName + `":{}}]}`),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReplyBytes)),
		// Finds a machine that is gone without a word; 10 s is the least that grpc
		// allows.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
	}
	options = append(options, grpc.WithChainUnaryInterceptor(m.config.Unary...), grpc.WithChainStreamInterceptor(m.config.Stream...))
	for _, observer := range m.config.Observers {
		options = append(options, grpc.WithStatsHandler(observer))
	}
	return options
}
