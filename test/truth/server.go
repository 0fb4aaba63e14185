// Package truth finds out whether a system keeps its word. A Recorder lets phones
// write to it, and keeps for each write what was sent and what was answered. A
// Check then reads everything back over the public API, and names each thing that
// is not as it was acknowledged: lost, doubled, in another order, altered, shown
// to somebody whom it does not concern, or never sent by anybody.
package truth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Server is a system as a phone reaches it, in one protocol. Its methods may be
// used by several goroutines at once. An error that is a *Refusal means that the
// server has said no, and will again. Any other error means that nobody knows: the
// call may have been carried out, or not, or may yet be.
type Server interface {
	// SignIn signs in the install with that secret.
	SignIn(ctx context.Context, secret []byte) (Session, error)
	// Refresh trades a refresh token for a new session.
	Refresh(ctx context.Context, token string) (Session, error)
	// Follow and Unfollow change whom the caller follows: "users/…".
	Follow(ctx context.Context, as Session, user string) error
	Unfollow(ctx context.Context, as Session, user string) error
	// Create posts a text under an idempotency key.
	Create(ctx context.Context, as Session, key, text string) (Post, error)
	// Posts reads a page of what a user has posted, newest first, and Timeline one
	// of the caller's timeline.
	Posts(ctx context.Context, as Session, user string, from Cursor) (Page, error)
	Timeline(ctx context.Context, as Session, from Cursor) (Page, error)
}

// Session is what signing in and refreshing answer. User is "users/…".
type Session struct {
	User, Access, Refresh string
	Expire                time.Time
}

// Post is a post as a server shows it. Names sort by creation.
type Post struct {
	Name, Author, Text string
	CreateTime         time.Time
}

// String shows what tells a post apart.
func (p Post) String() string { return fmt.Sprintf("%s of %s %q", p.Name, p.Author, p.Text) }

// Cursor says which part of a list to read: at most so many posts, from the token
// of the page before, "" for the first page.
type Cursor struct {
	Token string
	Size  int
}

// Page is a part of a list. Next is the token of the page after it, "" on the last.
type Page struct {
	Posts []Post
	Next  string
}

// Refusal is the answer that a call will not be carried out, however often it is
// repeated. Reason is the word that is API: "SESSION_ENDED".
type Refusal struct{ Reason, Text string }

// Error implements error.
func (r *Refusal) Error() string { return "refused: " + r.Reason + ": " + r.Text }

// refused says whether an error is a Refusal.
func refused(err error) bool {
	_, ok := errors.AsType[*Refusal](err)
	return ok
}
