package principal

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Forward returns a context whose outgoing calls carry the envelope that came in
// with ctx, unchanged. An envelope that the caller has set itself stays; without
// one of either there is nothing to forward.
func Forward(ctx context.Context) context.Context {
	incoming := metadata.ValueFromIncomingContext(ctx, MetadataKey)
	if len(incoming) != 1 {
		return ctx
	}
	if outgoing, ok := metadata.FromOutgoingContext(ctx); ok && len(outgoing.Get(MetadataKey)) > 0 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, MetadataKey, incoming[0])
}

// ForwardUnary is a grpc.UnaryClientInterceptor that forwards the envelope.
func ForwardUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(Forward(ctx), method, req, reply, cc, opts...)
}

// ForwardStream is a grpc.StreamClientInterceptor that forwards the envelope.
func ForwardStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return open(Forward(ctx), desc, cc, method, opts...)
}
