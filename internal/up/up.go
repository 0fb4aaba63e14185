// Package up runs the whole system in one process, for development: embedded
// engines, every service, the edge and the operator's ports; further replicas of
// a service are processes that it supervises. The parts meet as they do in
// production: over loopback gRPC with mutual TLS, found through the registry. They
// start in order and stop in reverse order.
package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/fairlead-mesh/fairlead/edge"
	"github.com/fairlead-mesh/fairlead/internal/edgepart"
	"github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/telemetry"
)

// Options are what "fairlead up" can be told.
type Options struct {
	// Data is the folder that everything is kept in.
	Data string
	// Listen, Probe and Operator are the addresses of the three ports.
	Listen, Probe, Operator string
	// Grants is a file with what each identity may serve, empty for none.
	Grants string
	// Replicas says how many of which service run.
	Replicas Replicas
	// Faults gives leave to inject the faults that live configuration asks for.
	Faults bool
	// Env and Flags are where the parts' configuration is read from.
	Env   config.Env
	Flags *pflag.FlagSet
	// Out gets the lines that people read, Logger what goes wrong, and Err what the
	// replicas log, from LogLevel on.
	Out, Err io.Writer
	Logger   *slog.Logger
	LogLevel slog.Level
	// Program is how the program was called, for the commands that are shown.
	Program string
}

const (
	// startTime bounds the start; it takes a third of a second as a rule.
	startTime = 30 * time.Second
	// stopTime bounds the drain.
	stopTime = 15 * time.Second
)

// System is everything that runs.
type System struct {
	options  Options
	report   *report
	registry etcd.Options // without a lease file
	host     *host.Host
	edge     *edgepart.Running
	ports    ports
	running  []*part
	replicas []*replica
	state    stateFile
	closers  []func(context.Context) error // in the order in which things started
}

// part is a line on the console.
type part struct {
	name, detail, address string
}

// Run starts everything, waits until ctx ends, and stops it in reverse order.
func Run(ctx context.Context, o Options) error {
	s := &System{options: o, report: newReport(o.Out)}
	starting, cancel := context.WithTimeout(ctx, startTime)
	err := s.start(starting)
	cancel()
	if err == nil {
		s.ready()
		<-ctx.Done()
		s.report.line("draining; once more Ctrl-C stops at once")
	}
	return errors.Join(err, s.stop())
}

func (s *System) start(ctx context.Context) error {
	if err := os.MkdirAll(s.options.Data, 0o700); err != nil {
		return fmt.Errorf("data folder (--data): %w", err)
	}
	for _, step := range []func(context.Context) error{
		s.startMesh, s.startProbe, s.startServices, s.startEdge, s.startReplicas, s.startOperator, s.writeState,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startMesh starts the engines and what all parts share.
func (s *System) startMesh(ctx context.Context) error {
	o := s.options
	authority, err := mtls.OpenAuthority(filepath.Join(o.Data, host.AuthorityFolder))
	if err != nil {
		return err
	}
	s.report.part(&part{"ca", "development certificates", filepath.Join(o.Data, host.AuthorityFolder)})
	grants, err := host.ReadGrants(o.Grants)
	if err != nil {
		return err
	}
	t, err := telemetry.New(telemetry.Options{Part: "fairlead", Version: host.Version()})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func(context.Context) error { return t.Close() })
	server, err := s.startEtcd(ctx, authority)
	if err != nil {
		return err
	}
	s.registry = etcd.Options{
		Endpoints: server.Endpoints(), TLS: mtls.ClientConfig(authority.Part("fairlead"), mtls.ID("etcd")), Logger: o.Logger,
	}
	first := s.registry
	first.LeaseFile = host.LeaseFile(o.Data)
	registry, err := etcd.Open(first)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, registry.Close)
	s.host = &host.Host{
		Registry: registry, Descriptors: descriptor.NewCache(registry.Descriptors),
		Source: host.DevelopmentSources(authority),
		Grants: grants, InstanceID: registry.InstanceID(), Version: host.Version(), Telemetry: t,
		Logger: o.Logger, Env: parts.In(o.Data, o.Env), Flags: o.Flags, Faults: o.Faults,
	}
	if err := s.host.ReadLive(registry.Live()); err != nil {
		return err
	}
	return host.WriteMembership(o.Data, host.Membership{Etcd: server.Endpoints(), Prefix: "fairlead"})
}

// startServices starts the first replica of each service, on a port of its own.
func (s *System) startServices(ctx context.Context) error {
	for _, p := range parts.Services() {
		r, err := p.Start(ctx, s.host, "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.closers = append(s.closers, r.Close)
		s.started(&part{p.Name, s.options.Replicas.detail(p.Name), r.Address})
	}
	return nil
}

// startEdge starts the edge last of the parts, and waits for its routes.
func (s *System) startEdge(ctx context.Context) error {
	preset := edge.Config{Reflection: true, Docs: true}
	r, err := edgepart.Start(ctx, s.host, preset, s.options.Listen, "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.edge = r
	s.closers = append(s.closers, r.Close)
	if err := s.routed(ctx); err != nil {
		return err
	}
	s.started(&part{host.EdgePart, fmt.Sprintf("REST + gRPC, %d routes", len(r.Table().Routes())), r.Address})
	return nil
}

// routed waits until the edge serves what the services expose.
func (s *System) routed(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(s.edge.Services()) < len(parts.Services()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("edge: not all services have come to the edge; see the log for what was refused")
		}
	}
	return nil
}

// started shows a part, and keeps it for the console.
func (s *System) started(p *part) {
	s.running = append(s.running, p)
	s.report.part(p)
}

// stop closes everything in reverse order.
func (s *System) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i](ctx))
	}
	return errors.Join(errs...)
}
