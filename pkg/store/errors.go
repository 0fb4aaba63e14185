package store

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// PostgreSQL's names for what went wrong (its manual, appendix A).
const (
	pgUniqueViolation      = "23505"
	pgSerializationFailure = "40001"
	pgDeadlockDetected     = "40P01"
	pgLockNotAvailable     = "55P03"
)

// IsUniqueViolation reports whether a row was refused because another one has the
// same primary key or unique value.
func IsUniqueViolation(err error) bool {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return true
	}
	return pgCode(err) == pgUniqueViolation
}

// IsBusy reports whether a statement gave up waiting for other transactions.
// Nothing was written, and the same call may succeed later.
func IsBusy(err error) bool {
	return lostRace(err) || pgCode(err) == pgLockNotAvailable
}

// lostRace reports whether a transaction failed only because of others, and would
// pass if it were repeated now.
func lostRace(err error) bool {
	switch pgCode(err) {
	case pgSerializationFailure, pgDeadlockDetected:
		return true
	}
	return sqliteCode(err)&0xff == sqlite3.SQLITE_BUSY // the low byte: BUSY has kinds
}

func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return sqlite3.SQLITE_OK
}

func pgCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}
