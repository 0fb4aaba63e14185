package rpcserver

import (
	"context"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/policy"
)

// deadline bounds every unary call by the timeout of its method: no handler runs
// for ever because a caller forgot to say how long it waits.
func deadlineUnary(policyOf func(string) *policy.Policy) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		timeout := policy.DefaultTimeout
		if p := policyOf(info.FullMethod); p != nil {
			timeout = p.Timeout
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return handle(ctx, req)
	}
}
