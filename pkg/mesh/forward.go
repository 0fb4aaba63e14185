package mesh

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/principal"
)

// travelling is the metadata that goes on from hop to hop beside the principal.
// The idempotency key does not: it belongs to one write.
var travelling = []string{"x-request-id", "x-fairlead-criticality", "x-fairlead-device", "x-fairlead-app-version"}

// forward adds to an outgoing call what came with the call that is being handled.
// What the caller has set itself stays.
func forward(ctx context.Context) context.Context {
	ctx = principal.Forward(ctx)
	outgoing, _ := metadata.FromOutgoingContext(ctx)
	for _, key := range travelling {
		values := metadata.ValueFromIncomingContext(ctx, key)
		if len(values) == 1 && len(outgoing.Get(key)) == 0 {
			ctx = metadata.AppendToOutgoingContext(ctx, key, values[0])
		}
	}
	return ctx
}

func forwardUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(forward(ctx), method, req, reply, cc, opts...)
}

func forwardStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return open(forward(ctx), desc, cc, method, opts...)
}
