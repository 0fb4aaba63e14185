// Package pipeline applies the policy of a method to its calls: one rule a file,
// in the order in which they act. Front doors know nothing of policy, and the
// mesh below nothing of clients.
package pipeline

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/pkg/raw"
)

// Options are what the rules need.
type Options struct {
	// Tokens verifies access tokens.
	Tokens Tokens
	// Logger gets one line for each call that failed inside.
	Logger *slog.Logger
	// Observe is told of each call when it has ended; nil for nothing.
	Observe func(c *call.Call, code codes.Code, took time.Duration)
	// Trace makes a call part of a trace, by the traceparent of the client or ""; nil
	// for telemetry.StartTrace.
	Trace func(ctx context.Context, incoming string) context.Context
}

// New returns the handler that all front doors share: the life of a call, from
// the door to the mesh.
func New(mesh raw.Caller, o Options) call.Handler {
	return call.Chain(call.ToMesh(mesh),
		observe(o.Observe),         // metrics: what the client sees of the call
		call.Admit(trace(o.Trace)), // the trace that the call belongs to
		sanitize(o.Logger),         // errors: nothing internal leaves, the request id does
		responseMetadata,           // only what policy lets cross goes back to the client
		call.Admit(limitRequest),   // a request over the cap of its method is refused
		authenticate(o.Tokens),     // a token becomes a principal and its signed envelope
		call.Admit(authorize),      // the principal is of the level and holds the scopes
		call.Admit(idempotent),     // an idempotency key where policy wants one
		call.Admit(sendMetadata),   // what the service gets besides the message
		deadline,                   // the timeout of the method, or the client's if shorter
		limitResponse,              // an answer over the cap of its method is refused
	)
}
