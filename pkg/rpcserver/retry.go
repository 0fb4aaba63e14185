package rpcserver

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
)

// previousAttempts is gRPC's header of every attempt of a call but the first.
const previousAttempts = "grpc-previous-rpc-attempts"

// IsRetry says whether the call that is being handled is a repeated one. What a
// handler calls in turn is not repeated then: with retries at every tier, three
// tiers would make 27 calls of one.
func IsRetry(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, previousAttempts)) > 0
}

var noRetry = metadata.Pairs(pushback, "-1")

// holdBack tells the caller not to repeat a call that failed because of somebody
// whom the handler has called: that call was repeated already, where it made
// sense.
func holdBack(ctx context.Context, err error) {
	callee, ok := errors.AsType[*errs.CalleeError](err)
	if !ok {
		return
	}
	switch callee.GRPCStatus().Code() {
	case codes.Unavailable, codes.Internal, codes.DeadlineExceeded, codes.ResourceExhausted:
		_ = grpc.SetTrailer(ctx, noRetry) // it fails when the call is over
	}
}
