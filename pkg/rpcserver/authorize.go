package rpcserver

import (
	"context"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/policy"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

// authorizeUnary checks the level that policy asks for a second time, behind the
// edge: a method for users is for users also when a service calls it.
func authorizeUnary(policyOf func(string) *policy.Policy) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		if err := authorize(ctx, policyOf(info.FullMethod)); err != nil {
			return nil, err
		}
		return handle(ctx, req)
	}
}

func authorizeStream(policyOf func(string) *policy.Policy) grpc.StreamServerInterceptor {
	return func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		if err := authorize(s.Context(), policyOf(info.FullMethod)); err != nil {
			return err
		}
		return handle(srv, s)
	}
}

func authorize(ctx context.Context, p *policy.Policy) error {
	if err := admit(ctx, p); err != nil {
		return err
	}
	var want principalv1.Principal_Kind
	switch {
	case p != nil && p.Level == policyv1.Auth_LEVEL_USER:
		want = principalv1.Principal_KIND_USER
	case p != nil && p.Level == policyv1.Auth_LEVEL_SERVICE:
		want = principalv1.Principal_KIND_SERVICE
	default:
		return nil
	}
	who, ok := principal.FromContext(ctx)
	if !ok {
		return errs.Unauthenticated(errorsv1.Reason_REASON_TOKEN_MISSING, "the method asks for a principal")
	}
	if who.Kind != want {
		return errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "the method is for principals of another kind")
	}
	return nil
}

// admit checks that the calling part is one of those that policy names. The edge
// may call what it exposes.
func admit(ctx context.Context, p *policy.Policy) error {
	if p == nil || len(p.Callers) == 0 {
		return nil
	}
	peer := peerID(ctx)
	for _, part := range p.Callers {
		if peer == mtls.ID(part) {
			return nil
		}
	}
	if p.Exposed && peer == mtls.ID("edge") {
		return nil
	}
	return errs.Denied(errorsv1.Reason_REASON_PERMISSION_DENIED, "%s may not call this method", peer)
}
