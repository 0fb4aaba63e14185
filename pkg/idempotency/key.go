package idempotency

import (
	"context"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// MetadataKey is the gRPC metadata key in which a caller sends an idempotency
// key. In REST it is the header of the same name.
const MetadataKey = "idempotency-key"

// maxKey is the length of the longest key in bytes.
const maxKey = 255

// KeyFrom returns the key that came in with the call, or "" where there is none.
// One that is not 1 to 255 printable ASCII characters, or more than one, is
// INVALID_ARGUMENT with the reason IDEMPOTENCY_KEY_INVALID.
func KeyFrom(ctx context.Context) (string, error) {
	keys := metadata.ValueFromIncomingContext(ctx, MetadataKey)
	if len(keys) == 0 {
		return "", nil
	}
	if len(keys) > 1 || !isKey(keys[0]) {
		return "", errs.Invalid(errorsv1.Reason_REASON_IDEMPOTENCY_KEY_INVALID,
			"an idempotency key is 1 to %d printable ASCII characters", maxKey)
	}
	return keys[0], nil
}

func isKey(key string) bool {
	isPrintable := func(r rune) bool { return ' ' <= r && r <= '~' }
	return key != "" && len(key) <= maxKey && strings.IndexFunc(key, func(r rune) bool { return !isPrintable(r) }) < 0
}
