package criticality_test

import (
	"context"
	"fmt"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
)

// Work that nobody waits for says so, and is the first that a busy server refuses.
func ExampleLower() {
	ctx := criticality.Lower(context.Background(), criticality.Sheddable)
	ctx = criticality.Lower(ctx, criticality.CriticalPlus) // nothing raises it again
	md, _ := metadata.FromOutgoingContext(ctx)
	fmt.Println(md.Get(criticality.Key))
	// Output: [SHEDDABLE]
}

// What a handler is working on came with this level.
func ExampleFromIncoming() {
	ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs(criticality.Key, "SHEDDABLE_PLUS"))
	fmt.Println(criticality.Name(criticality.FromIncoming(ctx, criticality.Default)))
	// Output: SHEDDABLE_PLUS
}
