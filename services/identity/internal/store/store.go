// Package store keeps accounts and sessions in a SQL database, PostgreSQL or
// SQLite. The rules about them are in core.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/store"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/core"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/store/db"
)

//go:embed identity/*.sql
var migrations embed.FS

// Store implements core.Store. It may be used by several goroutines at once.
type Store struct {
	db *store.DB
}

var _ core.Store = (*Store)(nil)

// Open opens the database at a URL (see pkg/store) and brings its schema up to
// date.
func Open(ctx context.Context, url string) (*Store, error) {
	opened, err := store.Open(ctx, url, migrations)
	if err != nil {
		return nil, err
	}
	return &Store{opened}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// SignIn implements core.Store.
func (s *Store) SignIn(ctx context.Context, installHash []byte, session core.Session) (core.User, error) {
	var user core.User
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		row, err := db.New(tx).CreateUser(ctx, db.CreateUserParams{
			ID: session.User.ID, InstallHash: installHash, CreateTime: session.User.CreateTime.UnixMicro(),
		})
		if err != nil {
			return fmt.Errorf("create user: %w", err)
		}
		user = core.User{ID: row.ID, CreateTime: toTime(row.CreateTime)}
		return db.New(tx).CreateSession(ctx, db.CreateSessionParams{
			ID: session.ID, UserID: row.ID, Device: session.Device, MacKey: session.MACKey, Counter: session.Counter,
			CreateTime: session.CreateTime.UnixMicro(), ExpireTime: session.ExpireTime.UnixMicro(),
		})
	})
	return user, err
}

// Session implements core.Store.
func (s *Store) Session(ctx context.Context, id string) (core.Session, error) {
	return session(ctx, db.New(s.db.Reader()), id)
}

// Advance implements core.Store.
func (s *Store) Advance(ctx context.Context, id string, counter int64, now, expire time.Time) (core.Session, error) {
	var after core.Session
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		q := db.New(tx)
		err := q.AdvanceSession(ctx, db.AdvanceSessionParams{
			ID: id, Counter: counter, Now: now.UnixMicro(), ExpireTime: expire.UnixMicro(),
		})
		if err != nil {
			return fmt.Errorf("advance session: %w", err)
		}
		after, err = session(ctx, q, id)
		return err
	})
	return after, err
}

// End implements core.Store.
func (s *Store) End(ctx context.Context, user, id string, now time.Time) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		return db.New(tx).EndSession(ctx, db.EndSessionParams{ID: id, UserID: user, EndTime: now.UnixMicro()})
	})
}

// User implements core.Store.
func (s *Store) User(ctx context.Context, id string) (core.User, error) {
	row, err := db.New(s.db.Reader()).GetUser(ctx, id)
	if err != nil {
		return core.User{}, found(err)
	}
	return core.User{ID: row.ID, CreateTime: toTime(row.CreateTime)}, nil
}

// Users implements core.Store. The length of an IN list is part of the SQL text,
// which sqlc cannot write for both engines: this is the one query by hand.
func (s *Store) Users(ctx context.Context, ids []string) (map[string]core.User, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var list strings.Builder
	args := make([]any, len(ids))
	for i, id := range ids {
		fmt.Fprintf(&list, ",$%d", i+1)
		args[i] = id
	}
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT id, create_time FROM users WHERE id IN ("+list.String()[1:]+")", args...)
	if err != nil {
		return nil, fmt.Errorf("look up users: %w", err)
	}
	return collect(rows)
}

func collect(rows *sql.Rows) (map[string]core.User, error) {
	users := make(map[string]core.User)
	for rows.Next() {
		var id string
		var created int64
		if err := rows.Scan(&id, &created); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		users[id] = core.User{ID: id, CreateTime: toTime(created)}
	}
	return users, rows.Err()
}

func session(ctx context.Context, q *db.Queries, id string) (core.Session, error) {
	row, err := q.GetSession(ctx, id)
	if err != nil {
		return core.Session{}, found(err)
	}
	s := core.Session{
		ID: row.ID, User: core.User{ID: row.UserID, CreateTime: toTime(row.UserCreateTime)}, Device: row.Device,
		MACKey: row.MacKey, Counter: row.Counter, ExpireTime: toTime(row.ExpireTime), Ended: row.EndTime != 0,
	}
	return s, nil
}

// found makes the error for a missing row the one that core knows.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return core.ErrNotFound
	}
	return err
}

func toTime(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
