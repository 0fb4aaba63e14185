// Package rpc is the front door for native gRPC: on the port that it shares with
// REST it takes the frames of gRPC apart, passes the message bytes through the
// pipeline undecoded, and frames what comes back. HTTP/2 itself is net/http's.
package rpc

import (
	"context"
	"net/http"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/edge/client"
	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// Door is the gRPC front door.
type Door struct {
	table   func() *route.Table
	handler call.Handler
	own     map[string]raw.Caller
}

// New makes a door that serves the table which table returns at that moment. own
// are services that the edge itself answers, by their gRPC name: reflection.
func New(table func() *route.Table, handler call.Handler, own map[string]raw.Caller) *Door {
	return &Door{table, handler, own}
}

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
	if own := d.ownService(x.r.URL.Path); own != nil {
		return passOwn(ctx, x, own)
	}
	// The name is compared as it came: no unescaping, no cleaning, so that there
	// is one spelling for one method.
	m := d.table().Method(x.r.URL.EscapedPath())
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
	if c.Request, err = x.only(); err != nil {
		return err
	}
	reply, err := d.handler.Unary(ctx, c)
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
	s, err := d.handler.Stream(ctx, c)
	if err != nil {
		return err
	}
	return pass(x, s, cancel)
}

// ownService returns the caller for a method that the edge itself answers.
func (d *Door) ownService(path string) raw.Caller {
	if service, _, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/"); ok {
		return d.own[service]
	}
	return nil
}

func passOwn(ctx context.Context, x *exchange, own raw.Caller) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := own.NewStream(ctx, x.r.URL.Path)
	if err != nil {
		return err
	}
	return pass(x, s, cancel)
}
