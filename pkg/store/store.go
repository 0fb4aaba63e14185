// Package store opens a service's SQL database by URL and brings its schema up to
// date. SQLite serves one host without any server, PostgreSQL many; both run the
// same SQL text and give the same guarantees: what a transaction reads does not
// change under it, and it is repeated when another one got in its way. The
// package holds no queries.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// patience is how long a statement waits for another transaction's lock, and for
// how long a transaction is repeated. It is below the 5 s that a call has by
// default, so that the caller can still be told why.
const patience = 4 * time.Second

// DB is an open database. Its methods may be used by several goroutines at once.
type DB struct {
	reader *sql.DB
	writer *sql.DB
}

// Open opens a database and applies the migrations that it does not have yet.
//
//	sqlite:social/social.db         a file, relative to the working directory
//	sqlite:///var/lib/social.db     a file; it and its folder are made if need be,
//	                                for the user alone
//	sqlite:social.db?synchronous=full   also survives a power cut; the default,
//	                                normal, survives a crash of the process
//	postgres://user@host/database   all settings of pgx may follow after "?";
//	                                search_path chooses a schema
//
// Several processes may open the same database at the same time. A schema that is
// newer than the migrations is refused.
//
// Each of the migrations is a file system with .sql files for goose, at its root
// or in one folder. Those of different packages are numbered independently.
func Open(ctx context.Context, url string, migrations ...fs.FS) (*DB, error) {
	engine, err := parse(url)
	if err != nil {
		return nil, err
	}
	db, err := engine.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", engine, err)
	}
	for _, m := range migrations {
		if err := engine.migrate(ctx, db.writer, m); err != nil {
			return nil, fmt.Errorf("migrate database %s: %w", engine, errors.Join(err, db.Close()))
		}
	}
	return db, nil
}

// Reader returns the connections for reading. They see everything that was
// committed before, and refuse to write.
func (db *DB) Reader() *sql.DB { return db.reader }

// Close waits for the statements that run and closes the connections.
func (db *DB) Close() error {
	// The writer last: the last connection to a SQLite file folds its log in.
	return errors.Join(db.reader.Close(), db.writer.Close())
}

// engine is a kind of database, at an address.
type engine interface {
	fmt.Stringer // the address without secrets

	open(ctx context.Context) (*DB, error)
	migrate(ctx context.Context, db *sql.DB, migrations fs.FS) error
}

// newDB makes a DB of two pools and connects each once.
func newDB(ctx context.Context, reader, writer *sql.DB) (*DB, error) {
	db := &DB{reader: reader, writer: writer}
	for _, pool := range []*sql.DB{writer, reader} { // the writer makes the file
		ping := func() error { return pool.PingContext(ctx) }
		if err := retry(ctx, ping); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}
