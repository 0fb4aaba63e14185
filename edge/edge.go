// Package edge is the mobile-facing proxy. It serves what the services that are
// registered expose, in REST/JSON and in native gRPC on one port, and knows none
// of them when it is built.
//
// A request comes in by a front door (rest, rpc), which makes a call.Call of it.
// The pipeline applies the policy of the method, and hands the call to the mesh
// through package raw. The catalog keeps the routes in step with the registry.
package edge

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/edge/catalog"
	"github.com/fairlead-mesh/fairlead/edge/event"
	"github.com/fairlead-mesh/fairlead/edge/pipeline"
	"github.com/fairlead-mesh/fairlead/edge/reflection"
	"github.com/fairlead-mesh/fairlead/edge/rest"
	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/edge/rpc"
	"github.com/fairlead-mesh/fairlead/edge/token"
	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// Options are what an edge is made of.
type Options struct {
	// Registry says which services there are, Mesh calls them, and Descriptors
	// holds what they look like (shared with the mesh).
	Registry    discovery.Registry
	Mesh        raw.Caller
	Descriptors *descriptor.Cache
	// Grants says who may serve what.
	Grants catalog.Grants
	// Signer signs what the services are told of a caller.
	Signer token.Signer
	// Logger gets events and failures. Count is called for each event; nil for
	// nothing.
	Logger *slog.Logger
	Count  func(event.Kind)
	// Observe is told of each call when it has ended; nil for nothing.
	Observe func(c *call.Call, code codes.Code, took time.Duration)
	// Trace makes a call part of a trace, by the traceparent of the client or ""; nil
	// for telemetry.StartTrace.
	Trace func(ctx context.Context, incoming string) context.Context
	// OpenAPI is the document at /openapi.json; nil for none.
	OpenAPI []byte

	Config
}

// Edge is a running edge. Its methods may be used by several goroutines at once.
type Edge struct {
	options    Options
	catalog    *catalog.Catalog
	events     *event.Log
	reflection *reflection.Reflection
	server     *http.Server
}

// New makes an edge. It serves nothing before Run has made the first routes.
func New(o Options) (*Edge, error) {
	e := &Edge{options: o, events: event.NewLog(o.Logger, o.Count)}
	e.catalog = catalog.New(catalog.Options{
		Registry: o.Registry, Descriptors: o.Descriptors, Grants: o.Grants, Events: e.events, Logger: o.Logger,
	})
	tokens := token.NewVerifier(token.Options{Issuer: o.Issuer, Audience: o.Audience, Keys: e.fetchKeys, Signer: o.Signer})
	handler := pipeline.New(o.Mesh, pipeline.Options{Tokens: tokens, Logger: o.Logger, Observe: o.Observe, Trace: o.Trace})
	own := map[string]raw.Caller{}
	if o.Reflection {
		r, err := reflection.New(e.catalog.Table)
		if err != nil {
			return nil, err
		}
		e.reflection, own = r, r.Services()
	}
	// The largest usual body, 1 MiB, needs 280 kbit/s to come in 30 s.
	timeout := cmp.Or(o.BodyTimeout, 30*time.Second)
	e.server = newServer(o.Config, o.OpenAPI,
		rest.New(rest.Options{Table: e.catalog.Table, Handler: handler, BodyTimeout: timeout, Logger: o.Logger}),
		rpc.New(rpc.Options{Table: e.catalog.Table, Handler: handler, BodyTimeout: timeout, Own: own}))
	e.server.ErrorLog = slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug) // clients that break off are no news
	return e, nil
}

// Run keeps the routes in step with the registry until ctx ends. ready is called
// once, when the first routes are served.
func (e *Edge) Run(ctx context.Context, ready func()) { e.catalog.Run(ctx, ready) }

// Table returns what is served now.
func (e *Edge) Table() *route.Table { return e.catalog.Table() }

// Events returns what happened last, the newest first.
func (e *Edge) Events() []event.Event { return e.events.Recent() }

// Serve accepts connections until Shutdown. It may be called for several
// listeners; TLS is the listener's business.
func (e *Edge) Serve(l net.Listener) error {
	if err := e.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops accepting, tells HTTP/2 clients to go elsewhere (GOAWAY), and
// waits for the calls in flight until ctx ends; then it cuts what is left.
func (e *Edge) Shutdown(ctx context.Context) error {
	err := e.server.Shutdown(ctx)
	if err != nil {
		e.server.Close()
	}
	if e.reflection != nil {
		e.reflection.Close()
	}
	return err
}

// DrainTime is how long Shutdown should be given: longer than the default
// timeout of a call, and short enough that what stops after the edge has time
// within the 15 s that a process takes.
const DrainTime = 8 * time.Second

// Services returns the gRPC services that have exposed methods, sorted.
func (e *Edge) Services() []string {
	var names []string
	for _, m := range e.Table().Methods() {
		names = append(names, string(m.Descriptor.Parent().FullName()))
	}
	return slices.Compact(names)
}
