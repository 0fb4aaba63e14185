// Package rest is the front door for REST/JSON: it finds the route of a request,
// reads its body within bounds, turns it into a Call on protobuf bytes, and
// writes the answer as JSON. What the call may do is not decided here.
package rest

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/edge/client"
	"github.com/fairlead-mesh/fairlead/edge/route"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// Options are what a door is made of.
type Options struct {
	// Table returns what is served at that moment.
	Table func() *route.Table
	// Handler answers the calls.
	Handler call.Handler
	// BodyTimeout is how long a body may take to arrive.
	BodyTimeout time.Duration
	// Logger gets what cannot be told to a client.
	Logger *slog.Logger
}

// Door is the REST front door.
type Door struct{ Options }

// New makes a door.
func New(o Options) *Door { return &Door{o} }

// ServeHTTP implements http.Handler.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answer{w: w, r: r, id: client.RequestID(r.Header)}
	w.Header().Set("X-Request-Id", a.id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	found, err := d.find(a)
	if err != nil {
		a.fail(err)
		return
	}
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent) // find has set Allow
		return
	}
	a.set = found.Route.Method.Set
	if err := d.serve(a, found); err != nil {
		a.fail(err)
	}
}

// find returns the route of a request. A HEAD request is a GET whose body is not
// sent.
func (d *Door) find(a *answer) (route.Match, error) {
	method := a.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	t := d.Table()
	m := t.Find(method, a.r.URL)
	if m.Route != nil {
		return m, nil
	}
	if m.Malformed {
		return m, errs.Invalid(errorsv1.Reason_REASON_MALFORMED, "the path is not a valid URL path")
	}
	allowed := t.Allowed(a.r.URL)
	if len(allowed) == 0 {
		return m, errs.NotFound(errorsv1.Reason_REASON_NOT_ROUTED, "there is no such path")
	}
	a.w.Header().Set("Allow", strings.Join(allowed, ", "))
	if method == http.MethodOptions {
		return m, nil
	}
	return m, errs.Unimplemented(errorsv1.Reason_REASON_METHOD_NOT_ALLOWED, "the path does not take %s, only %s", a.r.Method, strings.Join(allowed, ", "))
}

// serve reads the request, makes the call and writes the answer.
func (d *Door) serve(a *answer, m route.Match) error {
	ctx, cancel, err := client.WithTimeout(a.r.Context(), a.r.Header.Get("Grpc-Timeout"))
	if err != nil {
		return err
	}
	defer cancel()
	query, err := parseQuery(a.r.URL.RawQuery)
	if err != nil {
		return err
	}
	body, err := a.body(m.Route.Method.Policy.MaxRequest, d.BodyTimeout)
	if err != nil {
		return err
	}
	c := &call.Call{
		Method: m.Route.Method, ID: a.id, Peer: client.Peer(a.r), Metadata: client.Metadata(a.r.Header), Outgoing: metadata.MD{},
	}
	if c.Request, err = m.Route.Transcoder.Request(request(m, body, query)); err != nil {
		return err
	}
	reply, err := d.Handler.Unary(ctx, c)
	if err != nil {
		return err
	}
	defer reply.Message.Free()
	json, err := m.Route.Transcoder.Response(reply.Message.Bytes())
	if err != nil {
		d.Logger.Warn("answer cannot be written as JSON", "rpc.method", c.Method.FullName, "request.id", c.ID, "error", err)
		return errs.Internal(errorsv1.Reason_REASON_INTERNAL, "internal error")
	}
	a.succeed(json, reply.Header, reply.Trailer)
	return nil
}

// succeed writes an answer.
func (a *answer) succeed(json []byte, metadata ...metadata.MD) {
	h := a.w.Header()
	for _, md := range metadata {
		for k, values := range md {
			if !strings.HasSuffix(k, "-bin") { // bytes have no place in an HTTP header
				h[http.CanonicalHeaderKey(k)] = values
			}
		}
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(json)))
	h.Set("Cache-Control", "no-store") // until a method's cache policy says otherwise
	a.w.WriteHeader(http.StatusOK)
	if a.r.Method != http.MethodHead {
		a.w.Write(json) // a client that is gone is nobody to tell
	}
}
