// Package probe is the port that an orchestrator and a metrics collector ask:
// /healthz, /readyz, /metrics and nothing else. It tells how the process is, and
// nothing about who uses it, so it may listen where the operator port must not.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// checkTimeout bounds all readiness checks of one request together. Kubernetes
// gives a probe one second by default.
const checkTimeout = 800 * time.Millisecond

// Check says whether a part is ready, with nil, or why it is not. The reason is
// not shown to whoever asks. A check ends when ctx does and may be called by
// several goroutines at once.
type Check func(ctx context.Context) error

// Probe answers the three paths. It begins as starting; its methods may be used
// by several goroutines at once.
type Probe struct {
	server *http.Server

	mu     sync.Mutex
	state  state
	names  []string
	checks map[string]Check
}

// state is the life of a process, in its order.
type state string

const (
	starting state = "starting"
	running  state = "ready"
	draining state = "draining"
)

// New makes a probe that serves metrics at /metrics.
func New(metrics http.Handler) *Probe {
	p := &Probe{state: starting, checks: map[string]Check{}}
	p.server = &http.Server{
		Handler:           p.routes(metrics),
		ReadHeaderTimeout: 2 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      15 * time.Second, // metrics have 10 s of it
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
	}
	return p
}

// Register adds the readiness check of a part. Its name is shown to everybody
// who asks; a second check of the same name replaces the first.
func (p *Probe) Register(part string, check Check) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.checks[part]; !known {
		p.names = append(p.names, part)
	}
	p.checks[part] = check
}

// Started says that all parts are registered: from now on the checks decide.
func (p *Probe) Started() { p.enter(running) }

// Drain makes the process not ready for good, before it ends, so that no new
// work is sent to it.
func (p *Probe) Drain() { p.enter(draining) }

// enter changes the state; draining is never left.
func (p *Probe) enter(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != draining {
		p.state = s
	}
}

// ServeHTTP answers one request.
func (p *Probe) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.server.Handler.ServeHTTP(w, r) }

// Serve answers requests on l until Close, and then returns nil.
func (p *Probe) Serve(l net.Listener) error {
	if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve probes: %w", err)
	}
	return nil
}

// Close ends Serve and closes all connections. The probe answers until then,
// also while the process drains.
func (p *Probe) Close() error { return p.server.Close() }
