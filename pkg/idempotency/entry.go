package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fairlead-mesh/fairlead/pkg/errs"
	"github.com/fairlead-mesh/fairlead/pkg/store"
	errorsv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/errors/v1"
)

// entry is a row of the table.
type entry struct {
	call        Call
	fingerprint []byte
}

// fingerprint identifies a request by its content, not by the bytes that arrived:
// a client may encode the same message differently, and JSON is not even bytes of
// it.
func fingerprint(method string, request proto.Message) ([]byte, error) {
	text, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte(method+"\n"), request)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}

// claim inserts the row and reports whether this call is the first with its key.
// While another transaction has the row but has not ended, it waits: SQLite has
// one writer, PostgreSQL's unique index waits to see how the other one ends.
func (e entry) claim(ctx context.Context, tx *sql.Tx) (bool, error) {
	result, err := tx.ExecContext(ctx,
		`INSERT INTO idempotency_keys (principal, key, fingerprint, create_time)
		VALUES ($1, $2, $3, $4) ON CONFLICT (principal, key) DO NOTHING`,
		e.call.Principal, e.call.Key, e.fingerprint, time.Now().UnixMicro())
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows == 1, err
}

// finish stores the answer.
func (e entry) finish(ctx context.Context, tx *sql.Tx, response proto.Message) error {
	// An empty message is no bytes, which must not become null.
	encoded, err := proto.MarshalOptions{}.MarshalAppend([]byte{}, response)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx,
		`UPDATE idempotency_keys SET response = $1 WHERE principal = $2 AND key = $3`,
		encoded, e.call.Principal, e.call.Key)
	return err
}

// stored returns the answer that was stored for the same request.
func (e entry) stored(ctx context.Context, tx *sql.Tx) ([]byte, error) {
	var print, response []byte
	err := tx.QueryRowContext(ctx,
		`SELECT fingerprint, response FROM idempotency_keys WHERE principal = $1 AND key = $2`,
		e.call.Principal, e.call.Key).Scan(&print, &response)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(print, e.fingerprint) {
		return nil, errs.Precondition(errorsv1.Reason_REASON_IDEMPOTENCY_KEY_REUSED,
			"the idempotency key was used before with another request")
	}
	return response, nil
}

// batch bounds how long Expire keeps others from writing, to some milliseconds.
const batch = 500

// Expire removes the keys that are older than Retention at the time now, a batch
// per transaction, and returns how many they were. A service calls it now and
// then; it does no harm when several replicas do at once.
func Expire(ctx context.Context, db *store.DB, now time.Time) (int64, error) {
	for total := int64(0); ; {
		removed, err := expireBatch(ctx, db, now.Add(-Retention))
		total += removed
		if err != nil || removed < batch {
			return total, err
		}
	}
}

func expireBatch(ctx context.Context, db *store.DB, before time.Time) (int64, error) {
	var removed int64
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx,
			`DELETE FROM idempotency_keys WHERE (principal, key) IN (
				SELECT principal, key FROM idempotency_keys
				WHERE create_time < $1 ORDER BY create_time LIMIT $2)`,
			before.UnixMicro(), batch)
		if err != nil {
			return err
		}
		removed, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}
