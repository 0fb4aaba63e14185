package mesh

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// record is what is registered of the services that one descriptor image
// describes.
type record struct {
	instances []discovery.Instance
	api       discovery.Descriptors
}

// records makes what is registered of a server: its services, if it has any, and
// with the first server the one by which operators see the part. That one has an
// id of its own, since parts that share a process share the instance id.
func (m *Mesh) records(lis net.Listener, services []string, api [][]byte) ([]record, error) {
	address, err := m.address(lis)
	if err != nil {
		return nil, err
	}
	m.own.add(address)
	if len(services) == 0 && len(api) > 0 {
		return nil, errors.New("the server has no services")
	}
	own, err := m.record(address, m.config.ID, services, api)
	if err != nil || m.serves() {
		return own, err
	}
	seen, err := m.record(address, status.InstanceID(m.config.ID, m.config.Part), []string{status.Service}, [][]byte{status.API})
	return append(own, seen...), err
}

// serves says whether the part has a server already.
func (m *Mesh) serves() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.served) > 0
}

// record returns no record when there are no services.
func (m *Mesh) record(address, id string, services []string, api [][]byte) ([]record, error) {
	if len(services) == 0 {
		return nil, nil
	}
	if len(api) != 1 {
		return nil, fmt.Errorf("%d images describe the services, want one", len(api))
	}
	set, err := descriptor.Parse(api[0])
	if err != nil {
		return nil, err
	}
	r := record{api: discovery.Descriptors{Digest: set.Digest(), Image: api[0]}}
	for _, service := range services {
		if set.Service(service) == nil {
			return nil, fmt.Errorf("the API does not describe %s", service)
		}
		r.instances = append(r.instances, discovery.Instance{
			ID:       id,
			Service:  service,
			Address:  address,
			Identity: mtls.ID(m.config.Part),
			Digest:   set.Digest(),
			Zone:     m.config.Zone,
			Weight:   m.config.Weight,
			Version:  m.config.Version,
			Build:    m.config.Build,
		})
	}
	return []record{r}, nil
}

// register writes all records. After an error it returns what was written, which
// is to be closed, or nil when nothing was.
func (m *Mesh) register(ctx context.Context, records []record) (discovery.Registration, error) {
	var all registrations
	for _, r := range records {
		one, err := m.config.Registry.Register(ctx, r.instances, r.api)
		if err != nil && len(all) == 0 {
			return nil, err
		}
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

// registrations are several that begin and end together.
type registrations []discovery.Registration

// Drain implements discovery.Registration.
func (r registrations) Drain(ctx context.Context) error {
	return r.each(func(one discovery.Registration) error { return one.Drain(ctx) })
}

// Close implements discovery.Registration.
func (r registrations) Close(ctx context.Context) error {
	return r.each(func(one discovery.Registration) error { return one.Close(ctx) })
}

func (r registrations) each(do func(discovery.Registration) error) error {
	var failures []error
	for _, one := range r {
		failures = append(failures, do(one))
	}
	return errors.Join(failures...)
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
		return "", fmt.Errorf("%s is not an address that others can reach: listen on one, or say under which host they reach it: --mesh-advertise, FAIRLEAD_MESH_ADVERTISE, or Config.Advertise", lis.Addr())
	}
	return lis.Addr().String(), nil
}
