// Package core holds the rules of posts, follows and timelines. It knows neither
// how it is called nor where things are stored.
package core

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Why a call fails because of its caller. All other errors are ours.
var (
	// ErrSelfFollow is for following oneself.
	ErrSelfFollow = errors.New("one cannot follow oneself")
	// ErrUserNotFound is for following somebody who does not exist.
	ErrUserNotFound = errors.New("no such user")
	// ErrPostNotFound is for a post that does not exist.
	ErrPostNotFound = errors.New("no such post")
	// ErrNotOwner is for what only somebody else may do.
	ErrNotOwner = errors.New("it belongs to somebody else")
)

// Post is something that a user said.
type Post struct {
	ID         string // a lower-case UUIDv7: sorts by creation
	Author     string // the id of the user
	Text       string
	CreateTime time.Time
}

// Store keeps posts and follows. Lists are newest first and begin after the post
// with the id before.
type Store interface {
	// Follow stores that one user follows another, if it is not stored yet.
	Follow(ctx context.Context, follower, followee string, now time.Time) error
	// Unfollow removes that again, if it is stored.
	Unfollow(ctx context.Context, follower, followee string) error

	// AddPost stores a new post.
	AddPost(ctx context.Context, post Post) error
	// Post returns a post, or ErrPostNotFound.
	Post(ctx context.Context, id string) (Post, error)
	// Posts returns at most size posts of an author.
	Posts(ctx context.Context, author, before string, size int) ([]Post, error)
	// Timeline returns at most size posts of a reader and of those whom the
	// reader follows.
	Timeline(ctx context.Context, reader, before string, size int) ([]Post, error)
}

// Users knows who exists.
type Users interface {
	// Exists reports whether there is a user with that id.
	Exists(ctx context.Context, id string) (bool, error)
}

// Core applies the rules. It may be used by several goroutines at once.
type Core struct {
	store Store
	users Users
}

// New returns a Core.
func New(store Store, users Users) *Core { return &Core{store, users} }

// With returns a Core that works on another store: on one transaction.
func (c *Core) With(store Store) *Core { return &Core{store, c.users} }

// Follow lets the caller follow somebody. Doing so twice is not an error.
func (c *Core) Follow(ctx context.Context, caller, follower, followee string) error {
	switch {
	case caller != follower:
		return ErrNotOwner
	case follower == followee:
		return ErrSelfFollow
	}
	exists, err := c.users.Exists(ctx, followee)
	if err != nil {
		return err
	}
	if !exists {
		return ErrUserNotFound
	}
	return c.store.Follow(ctx, follower, followee, time.Now())
}

// Unfollow ends that. Not having followed somebody, who need not exist any more,
// is not an error.
func (c *Core) Unfollow(ctx context.Context, caller, follower, followee string) error {
	if caller != follower {
		return ErrNotOwner
	}
	return c.store.Unfollow(ctx, follower, followee)
}

// CreatePost stores a post of the caller and returns it.
func (c *Core) CreatePost(ctx context.Context, caller, author, text string) (Post, error) {
	if caller != author {
		return Post{}, ErrNotOwner
	}
	if err := checkText(text); err != nil {
		return Post{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Post{}, err
	}
	// Microseconds are what the store keeps: the answer is what GetPost will say.
	now := time.Now().UTC().Truncate(time.Microsecond)
	post := Post{ID: id.String(), Author: author, Text: text, CreateTime: now}
	return post, c.store.AddPost(ctx, post)
}

// Post returns a post, or ErrPostNotFound. Everybody who is signed in may read it.
func (c *Core) Post(ctx context.Context, id string) (Post, error) {
	return c.store.Post(ctx, id)
}
