package pipeline

import (
	"context"

	"github.com/fairlead-mesh/fairlead/edge/call"
	"github.com/fairlead-mesh/fairlead/pkg/errs"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
	policyv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/policy/v1"
)

const idempotencyKey = "idempotency-key"

// maxIdempotencyKey is what fits into an index row of every database.
const maxIdempotencyKey = 255

// idempotent passes the idempotency key on where policy takes one, and refuses a
// call without a key where policy wants one. The key is honoured by the service,
// in the transaction of the write.
func idempotent(ctx context.Context, c *call.Call) (context.Context, error) {
	keys := c.Metadata.Get(idempotencyKey)
	switch wanted := c.Method.Policy.IdempotencyKey; {
	case wanted == policyv1.IdempotencyKey_IDEMPOTENCY_KEY_NONE:
		return ctx, nil
	case len(keys) == 0 && wanted != policyv1.IdempotencyKey_IDEMPOTENCY_KEY_REQUIRED:
		return ctx, nil
	case len(keys) != 1 || !validKey(keys[0]):
		return ctx, errs.Invalid(errorsv1.Reason_REASON_IDEMPOTENCY_KEY_INVALID,
			"send one Idempotency-Key of 1 to %d printable ASCII characters", maxIdempotencyKey)
	}
	c.Outgoing.Set(idempotencyKey, keys[0])
	return ctx, nil
}

func validKey(key string) bool {
	if len(key) == 0 || len(key) > maxIdempotencyKey {
		return false
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return false
		}
	}
	return true
}
