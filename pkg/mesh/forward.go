package mesh

import (
	"context"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
	"github.com/fairlead-mesh/fairlead/pkg/principal"
)

// travelling is the metadata that goes on from hop to hop. The idempotency key does
// not: it belongs to one write.
var travelling = [...]string{
	principal.MetadataKey, "x-request-id", criticality.Key, "x-fairlead-device", "x-fairlead-app-version",
}

// forward adds to an outgoing call what came with the call that is being handled.
// What the caller has set itself stays. Metadata is copied as seldom as can be: it
// is a good part of what a call costs.
func forward(ctx context.Context) context.Context {
	var pairs [2 * len(travelling)]string
	n := 0
	var outgoing metadata.MD
	for _, key := range travelling {
		values := metadata.ValueFromIncomingContext(ctx, key)
		if len(values) != 1 {
			continue
		}
		if outgoing == nil {
			outgoing, _ = metadata.FromOutgoingContext(ctx)
		}
		if len(outgoing.Get(key)) == 0 {
			pairs[n], pairs[n+1] = key, values[0]
			n += 2
		}
	}
	if n == 0 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, pairs[:n]...)
}
