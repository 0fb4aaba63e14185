package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"
)

// Tx runs fn in a writing transaction and commits it, unless fn returns an error
// or panics. Transactions behave as if they ran one after another. One that
// another got in the way of is rolled back and fn is called again, for a few
// seconds at most, so fn must not change anything but the database. fn must use
// only its own transaction: on SQLite there is one writer, and a second Tx inside
// fn waits for itself.
func (db *DB) Tx(ctx context.Context, fn func(*sql.Tx) error) error {
	return retry(ctx, func() error { return db.once(ctx, fn) })
}

func (db *DB) once(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	// For errors and panics, which what it returns would only hide. After a commit
	// it does nothing.
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// retry repeats try while it loses against other transactions, with growing
// pauses, until patience is over or ctx ends.
func retry(ctx context.Context, try func() error) error {
	start := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := try()
		if err == nil || !lostRace(err) || time.Since(start) > patience {
			return err
		}
		// Random, so that the ones that met do not meet again.
		if e := sleep(ctx, pause/2+rand.N(pause)); e != nil {
			return errors.Join(e, err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
