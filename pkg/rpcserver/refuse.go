package rpcserver

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// Trailers that tell the caller's mesh what may be done about a failure.
const (
	// pushback is gRPC's: how many milliseconds to wait before a retry; -1 for none.
	pushback = "grpc-retry-pushback-ms"
	// unprocessed says that no handler has seen the call, so that any call, also one
	// that must not be made twice, may be tried on another replica.
	unprocessed = "x-fairlead-unprocessed"
)

// Refusal is a call, or a connection, that was turned away before any handler saw
// it.
type Refusal struct {
	// Method is the full name of the method; empty for a connection.
	Method string
	// Peer is the SPIFFE ID of the caller, where it was not allowed to call.
	Peer string
	// Reason is one of the constants below.
	Reason string
}

// The reasons of a Refusal.
const (
	// RefusedCaller: the part is not among the callers that policy names.
	RefusedCaller = "caller"
	// RefusedPrincipal: the principal is damaged, or not signed by the edge.
	RefusedPrincipal = "principal"
	// RefusedLevel: there is no principal, or one of another kind.
	RefusedLevel = "level"
	// RefusedScope: the principal does not hold a scope.
	RefusedScope = "scope"
	// RefusedHandshake: a connection without a certificate of the mesh.
	RefusedHandshake = "handshake"
	// RefusedOverload: the server has more to do than it can.
	RefusedOverload = "overload"
	// RefusedDeadline: too little time is left.
	RefusedDeadline = "deadline"
)

// refusal is an answer with its trailer, made once: what is refused must cost
// little.
type refusal struct {
	err     error
	trailer metadata.MD
}

// send puts the trailer on the answer. The error of SetTrailer says that the call
// is over, which nobody waits to hear.
func (r refusal) send(ctx context.Context) error {
	_ = grpc.SetTrailer(ctx, r.trailer)
	return r.err
}

// overloads tell clients to wait for 50 to 150 ms, so that they do not come back
// together: one interval of the queue, give or take a half. The mesh, which asks
// another replica, and only as long as its budget lasts, need not wait that long:
// 5 to 15 ms.
var overloads = func() (all [11]refusal) {
	for i := range all {
		wait := time.Duration(50+10*i) * time.Millisecond
		err := errs.Limited(errorsv1.Reason_REASON_OVERLOADED, "the service has more to do than it can; try again later").RetryAfter(wait)
		all[i] = refusal{
			err.GRPCStatus().Err(),
			metadata.Pairs(pushback, strconv.FormatInt(wait.Milliseconds()/elsewhere, 10), unprocessed, "1"),
		}
	}
	return all
}()

// elsewhere is how many times sooner a call may be tried on another replica.
const elsewhere = 10

func overloaded() refusal { return overloads[rand.IntN(len(overloads))] }

// late is not to be tried again: there is no more time elsewhere.
var late = refusal{
	errs.Timeout(errorsv1.Reason_REASON_DEADLINE_EXCEEDED, "too little time is left for the call").GRPCStatus().Err(),
	metadata.Pairs(pushback, "-1", unprocessed, "1"),
}
