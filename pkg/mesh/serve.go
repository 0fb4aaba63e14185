package mesh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// registryPatience is how long Close waits for a registry that is away: it must
// not use up the time that calls need to end.
const registryPatience = time.Second

// Serve answers calls on lis and registers all services of the server, until the
// mesh is closed. api is the descriptor image of the part, which must describe
// those services. Serve returns when the services are registered, or with an
// error when ctx ends before; then the server is stopped.
func (m *Mesh) Serve(ctx context.Context, lis net.Listener, server *rpcserver.Server, api []byte) error {
	instances, err := m.instances(lis, server.Services(), api)
	if err != nil {
		lis.Close()
		return fmt.Errorf("serve %s: %w", m.config.Part, err)
	}
	s := &served{mesh: m, server: server, stopped: make(chan struct{})}
	go s.run(lis)
	set := discovery.Descriptors{Digest: descriptor.Digest(api), Image: api}
	s.registration, err = m.config.Registry.Register(ctx, instances, set)
	if err == nil {
		err = m.keep(s)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("serve %s: %w", m.config.Part, err), s.close(ctx))
	}
	return nil
}

// keep remembers what Close has to close.
func (m *Mesh) keep(s *served) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errors.New("this part has left the mesh")
	}
	m.served = append(m.served, s)
	return nil
}

// instances makes the records of the services.
func (m *Mesh) instances(lis net.Listener, services []string, api []byte) ([]discovery.Instance, error) {
	address, err := m.address(lis)
	if err != nil {
		return nil, err
	}
	set, err := descriptor.Parse(api)
	if err != nil {
		return nil, err
	}
	var all []discovery.Instance
	for _, service := range services {
		if set.Service(service) == nil {
			return nil, fmt.Errorf("the API does not describe %s", service)
		}
		all = append(all, discovery.Instance{
			ID:       m.config.ID,
			Service:  service,
			Address:  address,
			Identity: mtls.ID(m.config.Part),
			Digest:   set.Digest(),
			Zone:     m.config.Zone,
			Version:  m.config.Version,
			Build:    m.config.Build,
		})
	}
	if len(all) == 0 {
		return nil, errors.New("the server has no services")
	}
	return all, nil
}

// address is where others reach the listener.
func (m *Mesh) address(lis net.Listener) (string, error) {
	host, port, err := net.SplitHostPort(lis.Addr().String())
	if err != nil {
		return "", err
	}
	if m.config.Advertise != "" {
		return net.JoinHostPort(m.config.Advertise, port), nil
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return "", fmt.Errorf("%s is not an address that others can reach: listen on one, or set Advertise", lis.Addr())
	}
	return lis.Addr().String(), nil
}

// served is a server that runs.
type served struct {
	mesh         *Mesh
	server       *rpcserver.Server
	registration discovery.Registration // nil when there is none
	stopped      chan struct{}
}

func (s *served) run(lis net.Listener) {
	defer close(s.stopped)
	if err := s.server.Serve(lis); err != nil {
		s.mesh.log.Error("server stopped", "address", lis.Addr().String(), "error", err)
	}
}

// close first tells callers to stay away, then waits until they have heard it,
// and only then turns them away.
func (s *served) close(ctx context.Context) error {
	s.deregister(ctx)
	err := s.server.Stop(ctx)
	if err == nil {
		<-s.stopped
	}
	return err
}

// deregister tells the others. A registry that is away is no reason to fail: what
// is written there ends with the lease of this process.
func (s *served) deregister(ctx context.Context) {
	if s.registration == nil {
		return
	}
	draining := within(ctx, s.registration.Drain)
	s.server.Drain()
	select {
	case <-ctx.Done():
	case <-time.After(s.mesh.config.DrainDelay):
	}
	if err := errors.Join(draining, within(ctx, s.registration.Close)); err != nil {
		s.mesh.log.Warn("not taken out of the registry", "error", err)
	}
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, registryPatience)
	defer cancel()
	return f(ctx)
}
