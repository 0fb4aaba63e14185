// Package rpc is the front door for native gRPC: on the port that it shares with
// REST it takes the frames of gRPC apart, passes the message bytes through the
// pipeline undecoded, and frames what comes back. HTTP/2 itself is net/http's.
package rpc

import (
	"context"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/edge/client"
	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// Options are what a door is made of.
type Options struct {
	// Table returns what is served at that moment.
	Table func() *route.Table
	// Handler answers the calls.
	Handler call.Handler
	// Own are services that the edge itself answers, by their gRPC name:
	// reflection.
	Own map[string]raw.Caller
	// BodyTimeout is how long the message of a call that takes one may take to
	// arrive.
	BodyTimeout time.Duration
}

// Door is the gRPC front door.
type Door struct{ Options }

// New makes a door.
func New(o Options) *Door { return &Door{o} }

// Serves says whether a request is one for this door.
func Serves(r *http.Request) bool {
	t := r.Header.Get("Content-Type")
	return r.ProtoMajor == 2 && r.Method == http.MethodPost &&
		(t == "application/grpc" || strings.HasPrefix(t, "application/grpc+") || strings.HasPrefix(t, "application/grpc;"))
}

// ServeHTTP implements http.Handler.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(w, r)
	x.finish(d.serve(x))
}

func (d *Door) serve(x *exchange) error {
	if err := x.understood(); err != nil {
		return err
	}
	ctx, cancel, err := client.WithTimeout(x.r.Context(), x.r.Header.Get("Grpc-Timeout"))
	if err != nil {
		return err
	}
	defer cancel()
	// The name is compared as it came: no unescaping, no cleaning, no query, so
	// that there is one spelling for one method.
	name := x.r.URL.RequestURI()
	if own := d.ownService(name); own != nil {
		return passOwn(ctx, x, own, name)
	}
	m := d.Table().Method(name)
	if m == nil {
		return errs.Unimplemented(errorsv1.Reason_REASON_NOT_ROUTED, "there is no such method")
	}
	x.limit = m.Policy.MaxRequest
	c := &call.Call{Method: m, ID: x.id, Peer: client.Peer(x.r), Metadata: client.Metadata(x.r.Header), Outgoing: metadata.MD{}}
	if m.Streaming() {
		return d.stream(ctx, x, c)
	}
	return d.unary(ctx, x, c)
}

// unary reads exactly one message and answers one.
func (d *Door) unary(ctx context.Context, x *exchange, c *call.Call) error {
	var err error
	if c.Request, err = x.only(d.BodyTimeout); err != nil {
		return err
	}
	reply, err := d.Handler.Unary(ctx, c)
	x.trailer = reply.Trailer
	if err != nil {
		return err
	}
	defer reply.Message.Free()
	x.header(reply.Header)
	return x.write(reply.Message.Bytes())
}

// stream passes messages both ways until the service ends the stream.
func (d *Door) stream(ctx context.Context, x *exchange, c *call.Call) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !c.Method.Descriptor.IsStreamingClient() {
		return d.serverStream(ctx, x, c, cancel)
	}
	s, err := d.Handler.Stream(ctx, c)
	if err != nil {
		return err
	}
	return pass(x, s, cancel)
}

// serverStream sends exactly one message, and passes on what comes back.
func (d *Door) serverStream(ctx context.Context, x *exchange, c *call.Call, cancel context.CancelFunc) error {
	request, err := x.only(d.BodyTimeout)
	if err != nil {
		return err
	}
	s, err := d.Handler.Stream(ctx, c)
	if err != nil {
		return err
	}
	if s.Send(request) == nil { // or the stream has ended: Recv tells why
		s.CloseSend()
	}
	defer cancel()
	return downstream(x, s)
}

// ownService returns the caller for a method that the edge itself answers.
func (d *Door) ownService(path string) raw.Caller {
	if service, _, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/"); ok {
		return d.Own[service]
	}
	return nil
}

func passOwn(ctx context.Context, x *exchange, own raw.Caller, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := own.NewStream(ctx, name)
	if err != nil {
		return err
	}
	return pass(x, s, cancel)
}
