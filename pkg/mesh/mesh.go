// Package mesh makes a process part of the mesh: it calls services by name and is
// called by name, over mutual TLS, without a proxy in between. Who runs where
// comes from a discovery.Registry; whom to call is chosen here, call by call.
package mesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// Config says who this part is and where it finds the others. Part, Registry and
// TLS are needed.
type Config struct {
	// Part is the name of this part, "social". Its certificate must be that of
	// mtls.ID(Part).
	Part string
	// ID is the id of this replica; a new one when empty. See etcd.InstanceID for
	// one that outlives a restart.
	ID string
	// Registry is where services are found and written.
	Registry discovery.Registry
	// TLS is the certificate of this part.
	TLS mtls.Source
	// Grants says which part may serve which service; AllowAll when nil.
	Grants Grants
	// Zone, Version and Build are written in the registry for others to see.
	Zone, Version, Build string
	// Weight is the share of calls that this replica gets relative to others; 100
	// when 0. At most discovery.MaxWeight.
	Weight int
	// Subset is how many replicas of one service this part keeps connections to when
	// there are more; 60 when 0, all when negative. Every part has others, so that
	// each replica is called by as many. Google's SRE book finds 20 to 100 right; 60
	// can be divided among two to six zones, and means for a thousand parts that call
	// a thousand replicas 60 connections each, where all would be a million.
	Subset int
	// Advertise is the host under which others reach this part, where it listens
	// on all addresses.
	Advertise string
	// Forward makes calls carry on what came with the call that is being handled:
	// the principal, the request id and the like. It is for services. What came to
	// the edge comes from a client and goes no further by itself.
	Forward bool
	// MethodsOf returns the methods of the instances with a descriptor digest, so
	// that in a rolling deploy new methods are called on new instances only, and only
	// calls that may be repeated are repeated. When it is nil or returns nil, an
	// instance counts as having all methods, and none is repeated without need. It is
	// asked when instances come and go, and may take some time once for each digest.
	MethodsOf func(digest string) Methods
	// Events is told what happens beside the calls themselves, for metrics; see
	// Event. It is called by several goroutines at once and must not block. It may
	// be nil.
	Events func(Event)
	// Live tells of the live configuration of the services that this part calls, as
	// live.Watcher does. Without one the defaults hold.
	Live Live
	// Faults are injected into the calls that this part makes, as fault.Injector does
	// for the side of clients; nil for none.
	Faults Faults
	// DrainDelay is how long Close waits at most, after it has said that the services
	// are draining, before it turns calls away; 2 s when 0. After a tenth of that it
	// waits no longer than until nobody is connected: callers close their connections
	// when they hear it, after some 50 ms, and when their calls have ended.
	DrainDelay time.Duration
	// Logger is slog.Default when nil.
	Logger *slog.Logger
	// Unary and Stream run for each attempt of the calls that this part makes, in this
	// order: for metrics and traces.
	Unary  []grpc.UnaryClientInterceptor
	Stream []grpc.StreamClientInterceptor
	// Observers are told of each attempt as well. They see more than Unary and Stream
	// do, and cost each call several times as much.
	Observers []stats.Handler
}

// Mesh is the membership of one part. Its methods may be used by several
// goroutines at once.
type Mesh struct {
	config  Config
	log     *slog.Logger
	targets *targets
	joined  time.Time
	own     addresses

	mu     sync.Mutex
	closed bool
	served []*served
}

// Join makes the process a part of the mesh. It does not wait for anything;
// errors are those of the configuration and of the certificate.
func Join(c Config) (*Mesh, error) {
	if c.Part == "" || c.Registry == nil || c.TLS == nil {
		return nil, errors.New("mesh: Part, Registry and TLS are needed")
	}
	if err := checkCertificate(c); err != nil {
		return nil, fmt.Errorf("mesh: part %s: %w", c.Part, err)
	}
	if c.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("mesh: %w", err)
		}
		c.ID = id.String()
	}
	if c.Grants == nil {
		c.Grants = AllowAll
	}
	c.Subset = cmp.Or(c.Subset, defaultSubset)
	c.DrainDelay = cmp.Or(c.DrainDelay, defaultDrainDelay)
	m := &Mesh{config: c, log: cmp.Or(c.Logger, slog.Default()), joined: time.Now()}
	m.targets = newTargets(m)
	return m, nil
}

// checkCertificate finds out at start what would else be found out by everybody
// who is called.
func checkCertificate(c Config) error {
	cert, err := c.TLS.Certificate()
	if err != nil {
		return err
	}
	id, err := mtls.CertificateID(cert)
	if err != nil {
		return err
	}
	if want := mtls.ID(c.Part); id != want {
		return fmt.Errorf("the certificate is that of %s, want %s", id, want)
	}
	return nil
}

// Logger returns the logger of this part.
func (m *Mesh) Logger() *slog.Logger { return m.log }

// Close takes the services of this part out of the mesh without failing a call,
// waits for the calls that run, and ends the connections. When ctx ends, what
// still runs is cut off.
func (m *Mesh) Close(ctx context.Context) error {
	m.mu.Lock()
	served := m.served
	m.closed, m.served = true, nil
	m.mu.Unlock()

	failures := make([]error, len(served))
	var wait sync.WaitGroup
	for i, s := range served {
		wait.Go(func() { failures[i] = s.close(ctx) })
	}
	wait.Wait()
	return errors.Join(append(failures, m.targets.close())...)
}
