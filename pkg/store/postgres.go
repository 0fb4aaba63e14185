package store

import (
	"context"
	"database/sql"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// postgresConnections is how many connections each of the two pools has at most.
// A server takes 100 by default, which is enough for six replicas.
const postgresConnections = 8

// migrationLock is the advisory lock that a start holds while it migrates. Any
// number will do that nobody else uses: this one spells "fairlead".
const migrationLock = 0x666169726c656164

// postgresServer is a PostgreSQL database.
type postgresServer struct{ config *pgx.ConnConfig }

func parsePostgres(raw string) (engine, error) {
	config, err := pgx.ParseConfig(raw)
	if err != nil {
		if _, e := url.Parse(raw); e != nil {
			return nil, errUnreadable
		}
		return nil, err // pgx masks the password of a URL that is well formed
	}
	defaults := map[string]string{
		// The guarantee that SQLite gives. The portable SQL has no FOR UPDATE, with
		// which weaker levels could be made safe.
		"default_transaction_isolation": "serializable",
		"lock_timeout":                  strconv.FormatInt(patience.Milliseconds(), 10),
	}
	maps.Copy(defaults, config.RuntimeParams) // the URL has the last word
	config.RuntimeParams = defaults
	return postgresServer{config}, nil
}

func (s postgresServer) String() string {
	shown := url.URL{
		Scheme: "postgres",
		User:   url.User(s.config.User),
		Host:   net.JoinHostPort(s.config.Host, strconv.Itoa(int(s.config.Port))),
		Path:   s.config.Database,
	}
	return shown.String()
}

func (s postgresServer) open(ctx context.Context) (*DB, error) {
	readOnly := s.config.Copy()
	readOnly.RuntimeParams["default_transaction_read_only"] = "on"
	// A statement sees one state of the database. At the writer's level it could
	// also make writers start over, and be told to start over itself.
	readOnly.RuntimeParams["default_transaction_isolation"] = "repeatable read"
	return newDB(ctx, pool(readOnly), pool(s.config))
}

func pool(config *pgx.ConnConfig) *sql.DB {
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections)
	return db
}

func (s postgresServer) migrate(ctx context.Context, db *sql.DB, migrations fs.FS) error {
	return migrate(ctx, goose.DialectPostgres, db, migrations, goose.WithSessionLocker(advisoryLock{}))
}

// advisoryLock lets one start migrate at a time; it ends with the connection at
// the latest. Goose's own asks again every few seconds, this one waits.
type advisoryLock struct{}

// SessionLock waits for the lock for as long as ctx allows: a migration of
// another start may run longer than any statement should wait.
func (advisoryLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SET lock_timeout = 0")
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "RESET lock_timeout")
	return err
}

// SessionUnlock gives the lock back.
func (advisoryLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", migrationLock)
	return err
}
