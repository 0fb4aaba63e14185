// Package service is the kit that a service team starts from: it makes a process,
// or a part of one, of a proto, a handler and a configuration. Main is all that
// a service's main calls. What the parts of a process share is in package
// host.
package service

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
)

// Service is what a team writes. Close is called once, after the server has
// stopped.
type Service interface {
	Register(grpc.ServiceRegistrar)
	Close() error
}

// Build makes a service: m calls other services, cfg is loaded from flags and
// environment.
type Build[C any] func(ctx context.Context, m *mesh.Mesh, cfg C) (Service, error)

// Part is a service that can be started, with others or alone.
type Part struct {
	// Name is the name of the part in certificates, configuration and logs:
	// "social". By default it may serve the packages that bear it.
	Name string
	// API is the descriptor image with comments, as make generate writes it.
	API []byte

	declare func(flags *pflag.FlagSet)
	load    func(config.Env, *pflag.FlagSet) (any, []config.Setting, error)
	names   func() []string
	build   func(context.Context, *mesh.Mesh, any) (Service, error)
}

// Define makes a Part. C is a struct as package config describes it; its fields
// are read from FAIRLEAD_<NAME>_<FIELD> and from flags.
func Define[C any](name string, api []byte, build Build[C]) Part {
	return Part{
		Name: name, API: api,
		declare: func(flags *pflag.FlagSet) { config.Flags(flags, name, new(C)) },
		load: func(env config.Env, flags *pflag.FlagSet) (any, []config.Setting, error) {
			cfg := new(C)
			settings, err := config.Load(name, cfg, env, flags)
			return *cfg, settings, err
		},
		names: func() []string { return config.Names(name, new(C)) },
		build: func(ctx context.Context, m *mesh.Mesh, cfg any) (Service, error) { return build(ctx, m, cfg.(C)) },
	}
}

// Flags adds the part's flags to a set.
func (p Part) Flags(flags *pflag.FlagSet) { p.declare(flags) }

// Names returns the environment variables that the part reads.
func (p Part) Names() []string { return p.names() }

// Settings returns the effective configuration of the part, for people to read.
func (p Part) Settings(env config.Env, flags *pflag.FlagSet) ([]config.Setting, error) {
	_, settings, err := p.load(env, flags)
	return settings, err
}

// Running is a part that serves.
type Running struct {
	// Address is where it listens, host:port.
	Address string

	mesh    *mesh.Mesh
	service Service
	tuning  *tuning
}

// Start builds the service, listens on an address (host:0 for any free port), and
// registers it. It returns when the registry has it.
func (p Part) Start(ctx context.Context, h *host.Host, listen string) (*Running, error) {
	r, err := p.start(ctx, h, listen)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	return r, nil
}

func (p Part) start(ctx context.Context, h *host.Host, listen string) (*Running, error) {
	cfg, _, err := p.load(h.Env, h.Flags)
	if err != nil {
		return nil, err
	}
	faults, err := h.Injector(p.Name, live.Server)
	if err != nil {
		return nil, err
	}
	server, m, err := newServer(h, p, faults)
	if err != nil {
		return nil, err
	}
	s, err := p.build(ctx, m, cfg)
	if err != nil {
		return nil, errors.Join(err, m.Close(ctx))
	}
	s.Register(server)
	review(h, p, server.Services())
	r := &Running{mesh: m, service: s, tuning: tune(h, p, server, faults)}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	r.Address = l.Addr().String()
	if err := m.Serve(ctx, l, server, p.API); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return r, nil
}

// Close takes the part out of the mesh without failing a call, waits for those
// that run until ctx ends, and closes the service.
func (r *Running) Close(ctx context.Context) error {
	err := r.mesh.Close(ctx)
	r.tuning.close()
	return errors.Join(err, r.service.Close())
}
