// Package idempotency makes a write safe to repeat. The key that a caller sends
// and the answer that it gets are stored in the transaction of the write itself:
// either all of it happened or nothing did, whatever fails in between. A call that
// is repeated with its key gets the stored answer. Nothing is kept in memory.
package idempotency

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/store"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// Retention is for how long a key is kept: a phone may sleep over a weekend and
// then repeat what it was doing.
const Retention = 72 * time.Hour

// Migrations makes the table. A service hands it to store.Open beside its own
// migrations.
//
//go:embed idempotency/*.sql
var Migrations embed.FS

// Call is what is known of a call besides its request.
type Call struct {
	// Principal is the name of the caller. Each has keys of its own.
	Principal string
	// Method is the full name of the method.
	Method string
	// Key is what KeyFrom returned; without one the call is not remembered.
	Key string
}

// Do runs fn in a transaction and returns its answer. With a key, the answer is
// stored in the same transaction, and
//   - a repeated call gets it back without fn being run;
//   - a call that is repeated while the first still runs waits for it, and fails
//     with ABORTED, IDEMPOTENCY_KEY_IN_USE when that takes too long;
//   - another request with the key fails with FAILED_PRECONDITION,
//     IDEMPOTENCY_KEY_REUSED (422 in REST). It is not INVALID_ARGUMENT, since the
//     request is good: with a new key it would pass;
//   - when fn fails nothing is stored, and the call can be repeated with the key.
//
// As in store.DB.Tx, fn may run more than once.
func Do[Response proto.Message](
	ctx context.Context, db *store.DB, call Call, request proto.Message, fn func(*sql.Tx) (Response, error),
) (Response, error) {
	var response Response
	entry, err := newEntry(call, request)
	if err != nil {
		return response, err
	}
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		response, err = once(ctx, tx, entry, fn)
		return err
	})
	if err != nil {
		// What fn made before the transaction failed was rolled back.
		var none Response
		return none, err
	}
	return response, nil
}

// once runs fn, or replays what an earlier call with the same key has stored.
func once[Response proto.Message](ctx context.Context, tx *sql.Tx, e entry, fn func(*sql.Tx) (Response, error)) (Response, error) {
	var none Response
	if e.call.Key == "" {
		return fn(tx)
	}
	isFirst, err := e.claim(ctx, tx)
	if store.IsBusy(err) {
		return none, errs.Conflict(errorsv1.Reason_REASON_IDEMPOTENCY_KEY_IN_USE,
			"the first call with this idempotency key is still running").Because(err)
	}
	if err != nil {
		return none, err
	}
	if !isFirst {
		return replay[Response](ctx, tx, e)
	}
	response, err := fn(tx)
	if err != nil {
		return none, err
	}
	return response, e.finish(ctx, tx, response)
}

func replay[Response proto.Message](ctx context.Context, tx *sql.Tx, e entry) (Response, error) {
	var none Response
	stored, err := e.stored(ctx, tx)
	if err != nil {
		return none, err
	}
	response := none.ProtoReflect().New().Interface().(Response)
	return response, proto.Unmarshal(stored, response)
}

// newEntry returns what a call is remembered by.
func newEntry(call Call, request proto.Message) (entry, error) {
	if call.Key == "" {
		return entry{}, nil
	}
	if call.Principal == "" {
		return entry{}, errors.New("an idempotency key without a principal would be shared by all callers")
	}
	print, err := fingerprint(call.Method, request)
	return entry{call: call, fingerprint: print}, err
}
