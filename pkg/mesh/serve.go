package mesh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

// registryPatience is how long Close waits for a registry that is away: it must
// not use up the time that calls need to end.
const registryPatience = time.Second

// defaultDrainDelay is the default of Config.DrainDelay: forty times as long as
// callers need, and little of the 15 s in which a process has to end.
const defaultDrainDelay = 2 * time.Second

// Serve answers calls on lis and registers all services of the server, until the
// mesh is closed. api is the descriptor image of the part, which must describe
// those services; a part that serves nothing to others has none. Serve adds the
// service by which operators see what the part sees (package status), and returns
// when the services are registered, or with an error when ctx ends before; then
// the server is stopped.
func (m *Mesh) Serve(ctx context.Context, lis net.Listener, server *rpcserver.Server, api ...[]byte) error {
	services := server.Services()
	records, err := m.records(lis, services, api)
	if err != nil {
		lis.Close()
		return fmt.Errorf("serve %s: %w", m.config.Part, err)
	}
	status.Register(server, m.View)
	s := &served{mesh: m, server: server, services: services, stopped: make(chan struct{})}
	go s.run(lis)
	s.registration, err = m.register(ctx, records)
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

// served is a server that runs.
type served struct {
	mesh         *Mesh
	server       *rpcserver.Server
	services     []string               // but that of package status
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
	s.settle(ctx)
	if err := errors.Join(draining, within(ctx, s.registration.Close)); err != nil {
		s.mesh.log.Warn("not taken out of the registry", "error", err)
	}
}

// settle waits until all callers have heard that this replica drains: each closes
// its connection then, when its calls have ended. Who has nowhere else to go stays,
// and so may a stranger; they are waited for up to the bound. For a tenth of it
// there may be callers who have not connected yet, but go by an older list.
func (s *served) settle(ctx context.Context) {
	bound := s.mesh.config.DrainDelay
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	select {
	case <-time.After(bound / 10):
	case <-ctx.Done():
	}
	if !s.server.Deserted(ctx) {
		s.mesh.log.Debug("callers stay although this replica drains", "waited", bound)
	}
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, registryPatience)
	defer cancel()
	return f(ctx)
}
