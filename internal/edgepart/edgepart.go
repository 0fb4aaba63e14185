// Package edgepart runs the edge as a part of the mesh: with a certificate, a
// configuration and listeners. It knows no service, so that the internet-facing
// binary holds none.
package edgepart

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/fairlead-mesh/fairlead/edge"
	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	"github.com/fairlead-mesh/fairlead/proto/gen"
)

// Config says where the edge listens: FAIRLEAD_EDGE_LISTEN and so on, beside the
// fields of edge.Config.
type Config struct {
	Listen    string `config:"listen" default:"127.0.0.1:8080" help:"address of the public port: REST and gRPC in clear text"`
	TLSListen string `config:"tls-listen" default:"127.0.0.1:8443" help:"address of the public port with TLS, when there is a certificate"`
	TLSCert   string `config:"tls-cert" help:"file with the public certificate"`
	TLSKey    string `config:"tls-key" help:"file with the key of the public certificate"`
	// DrainDelay is for balancers that go on sending for a while after the probe has
	// said that the edge drains. In Kubernetes the preStop hook waits instead.
	DrainDelay time.Duration `config:"drain-delay" default:"0s" help:"how long new connections are still taken after the probe has said that the edge drains, 5s at most"`
}

// maxDrainDelay leaves the 8 s of edge.DrainTime, and some for what stops after
// the edge, of the 15 s that a process takes.
const maxDrainDelay = 5 * time.Second

func (c Config) check() error {
	if c.DrainDelay < 0 || c.DrainDelay > maxDrainDelay {
		return fmt.Errorf("--edge-drain-delay or FAIRLEAD_EDGE_DRAIN_DELAY: %s is not between 0s and %s", c.DrainDelay, maxDrainDelay)
	}
	return nil
}

// Flags adds the flags of the edge to a set, and Names lists its variables.
func Flags(flags *pflag.FlagSet) {
	config.Flags(flags, host.EdgePart, new(Config))
	config.Flags(flags, host.EdgePart, new(edge.Config))
}

// Names returns the environment variables that the edge reads.
func Names() []string {
	return append(config.Names(host.EdgePart, new(Config)), config.Names(host.EdgePart, new(edge.Config))...)
}

// Settings returns the effective configuration, for people to read.
func Settings(env config.Env, flags *pflag.FlagSet) ([]config.Setting, error) {
	listen, err := config.Load(host.EdgePart, new(Config), env, flags)
	rest, restErr := config.Load(host.EdgePart, new(edge.Config), env, flags)
	return append(listen, rest...), errors.Join(err, restErr)
}

// Running is an edge that serves.
type Running struct {
	*edge.Edge
	// Address is the public port, TLSAddress the one with TLS, empty for none.
	Address, TLSAddress string

	delay     time.Duration // for which it takes connections although it drains
	serving   bool
	mesh      *mesh.Mesh
	listeners []net.Listener
	first     chan struct{} // closed when the first routes are served
	cancel    context.CancelFunc
	tasks     sync.WaitGroup // they end with cancel
	log       *slog.Logger
}

// Start starts an edge. preset and listen are what holds where neither flag nor
// variable says otherwise; meshListen is the address for the other parts. The
// public ports are taken at once, and served when the registry has answered: until
// then an edge knows no method, and would tell clients that there is none. The
// error is ctx's when it ends before.
func Start(ctx context.Context, h *host.Host, preset edge.Config, listen, meshListen string) (*Running, error) {
	r, err := start(h, preset, Config{Listen: listen}, meshListen)
	if err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	select {
	case <-r.first:
		r.serve()
		return r, nil
	case <-ctx.Done():
		return nil, errors.Join(errors.New("edge: the registry has not answered"), r.Close(context.Background()))
	}
}

func start(h *host.Host, options edge.Config, c Config, meshListen string) (*Running, error) {
	_, err := config.Load(host.EdgePart, &options, h.Env, h.Flags)
	_, listenErr := config.Load(host.EdgePart, &c, h.Env, h.Flags)
	if err := errors.Join(err, listenErr, c.check()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	own := *h
	own.Registry = discovery.Share(ctx, h.Registry) // routes and mesh see the same list
	m, err := own.Join(host.EdgePart, false)
	if err != nil {
		cancel()
		return nil, err
	}
	e, err := newEdge(&own, m.Caller(), options)
	if err != nil {
		cancel()
		return nil, errors.Join(err, m.Close(context.Background()))
	}
	r := &Running{Edge: e, delay: c.DrainDelay, mesh: m, first: make(chan struct{}), cancel: cancel, log: own.LoggerOf(host.EdgePart)}
	r.tasks.Go(func() { e.Run(ctx, func() { close(r.first) }) })
	if err := errors.Join(r.listen(c), r.beSeen(ctx, &own, meshListen)); err != nil {
		return nil, errors.Join(err, r.Close(context.Background()))
	}
	return r, nil
}

func newEdge(h *host.Host, caller raw.Caller, options edge.Config) (*edge.Edge, error) {
	source, err := h.Source(host.EdgePart)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(h.Telemetry.Meter())
	if err != nil {
		return nil, err
	}
	return edge.New(edge.Options{
		Registry: h.Registry, Mesh: caller, Descriptors: h.Descriptors, Grants: h.Grants,
		Signer: principal.NewSigner(source), Logger: h.LoggerOf(host.EdgePart), OpenAPI: gen.OpenAPI, Config: options,
		Count: m.event, Observe: m.call, Trace: h.Telemetry.StartTrace,
	})
}

// listen takes the public ports.
func (r *Running) listen(c Config) error {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("public port (--listen, FAIRLEAD_EDGE_LISTEN): %w", err)
	}
	r.Address, r.listeners = l.Addr().String(), append(r.listeners, l)
	if c.TLSCert == "" && c.TLSKey == "" {
		return nil
	}
	certificate, err := mtls.Pair(c.TLSCert, c.TLSKey, r.log)
	if err != nil {
		return fmt.Errorf("public certificate (FAIRLEAD_EDGE_TLS_CERT, FAIRLEAD_EDGE_TLS_KEY): %w", err)
	}
	l, err = tls.Listen("tcp", c.TLSListen, &tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		return fmt.Errorf("public port with TLS (FAIRLEAD_EDGE_TLS_LISTEN): %w", err)
	}
	r.TLSAddress, r.listeners = l.Addr().String(), append(r.listeners, l)
	return nil
}

// serve answers on the public ports until Close.
func (r *Running) serve() {
	r.serving = true
	for _, l := range r.listeners {
		go r.Serve(l)
	}
}

// Close drains the edge: after the DrainDelay clients are sent elsewhere, and calls
// in flight finish. Those that have not after edge.DrainTime are cut, which is no
// error: the other parts need their share of the time.
func (r *Running) Close(ctx context.Context) error {
	if r.serving {
		select {
		case <-time.After(r.delay):
		case <-ctx.Done():
		}
	}
	drain, cancel := context.WithTimeout(ctx, edge.DrainTime)
	defer cancel()
	if err := r.Shutdown(drain); err != nil {
		r.log.Warn("clients were cut off", "error", err)
	}
	for _, l := range r.listeners {
		l.Close() // of an edge that never served; else it is closed already
	}
	r.cancel()
	r.tasks.Wait()
	return r.mesh.Close(ctx)
}
