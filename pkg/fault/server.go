package fault

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// Unary is a grpc.UnaryServerInterceptor, for the side of servers. It belongs after
// those that set the deadline and count the call in flight, so that a delay looks
// like a slow handler. Without rules it costs one atomic load.
func (i *Injector) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if i.rules.Load() != nil {
		if err := i.inject(ctx, info.FullMethod); err != nil {
			return nil, err
		}
	}
	return handle(ctx, req)
}

// Stream is a grpc.StreamServerInterceptor like Unary. A stream has one chance to
// be hit, when it begins.
func (i *Injector) Stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if i.rules.Load() != nil {
		if err := i.inject(s.Context(), info.FullMethod); err != nil {
			return err
		}
	}
	return handle(srv, s)
}

// calledBy says whether the certificate of the caller is that of a part.
func calledBy(ctx context.Context, part string) bool {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return false
	}
	id, err := mtls.PeerID(info.State)
	return err == nil && id == mtls.ID(part)
}
