// Package store keeps posts and follows in a SQL database, PostgreSQL or SQLite.
// The rules about them are in core.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/store"
	"github.com/fairlead-mesh/fairlead/services/social/internal/core"
	"github.com/fairlead-mesh/fairlead/services/social/internal/store/db"
)

// Migrations makes the tables.
//
//go:embed social/*.sql
var Migrations embed.FS

// Store implements core.Store. It may be used by several goroutines at once, if it
// is not that of a transaction.
type Store struct {
	read  *db.Queries
	write func(context.Context, func(*sql.Tx) error) error
}

var _ core.Store = (*Store)(nil)

// New returns the Store in a database. Each of its writes is a transaction.
func New(d *store.DB) *Store { return &Store{db.New(d.Reader()), d.Tx} }

// In returns the Store as one transaction sees it. Its writes are part of that.
func In(tx *sql.Tx) *Store {
	write := func(_ context.Context, fn func(*sql.Tx) error) error { return fn(tx) }
	return &Store{db.New(tx), write}
}

// Follow implements core.Store.
func (s *Store) Follow(ctx context.Context, follower, followee string, now time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		return db.New(tx).AddFollow(ctx, db.AddFollowParams{
			Follower: follower, Followee: followee, CreateTime: now.UnixMicro(),
		})
	})
}

// Unfollow implements core.Store.
func (s *Store) Unfollow(ctx context.Context, follower, followee string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		return db.New(tx).RemoveFollow(ctx, db.RemoveFollowParams{Follower: follower, Followee: followee})
	})
}

// AddPost implements core.Store.
func (s *Store) AddPost(ctx context.Context, post core.Post) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		return db.New(tx).AddPost(ctx, db.AddPostParams{
			ID: post.ID, Author: post.Author, Text: post.Text, CreateTime: post.CreateTime.UnixMicro(),
		})
	})
}

// Post implements core.Store.
func (s *Store) Post(ctx context.Context, id string) (core.Post, error) {
	row, err := s.read.GetPost(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return core.Post{}, core.ErrPostNotFound
	}
	if err != nil {
		return core.Post{}, fmt.Errorf("get post: %w", err)
	}
	return toPost(row), nil
}

// Posts implements core.Store.
func (s *Store) Posts(ctx context.Context, author, before string, size int) ([]core.Post, error) {
	rows, err := s.read.ListPosts(ctx, db.ListPostsParams{Author: author, Before: before, Size: int32(size)})
	if err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	posts := make([]core.Post, len(rows))
	for i, row := range rows {
		posts[i] = toPost(row)
	}
	return posts, nil
}

// Timeline implements core.Store.
func (s *Store) Timeline(ctx context.Context, reader, before string, size int) ([]core.Post, error) {
	rows, err := s.read.ListTimeline(ctx, db.ListTimelineParams{Reader: reader, Before: before, Size: int32(size)})
	if err != nil {
		return nil, fmt.Errorf("list timeline: %w", err)
	}
	posts := make([]core.Post, len(rows))
	for i, row := range rows {
		posts[i] = toPost(db.Post(row))
	}
	return posts, nil
}

func toPost(row db.Post) core.Post {
	return core.Post{ID: row.ID, Author: row.Author, Text: row.Text, CreateTime: time.UnixMicro(row.CreateTime).UTC()}
}
