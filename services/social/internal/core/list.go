package core

import (
	"context"

	"github.com/google/uuid"
)

// newest is before the first post of every list. It has the form of an id, since
// databases do not agree on how other characters sort.
var newest = uuid.Max.String()

// Page is a part of a list.
type Page struct {
	// Posts are newest first.
	Posts []Post
	// Last is the id that the next page begins after; empty on the last page.
	Last string
}

// Posts returns at most size posts of an author: the newest, or those after the
// one with the id before. Posts that are added meanwhile do not move the others.
func (c *Core) Posts(ctx context.Context, author, before string, size int) (Page, error) {
	posts, err := c.store.Posts(ctx, author, start(before), size+1)
	return cut(posts, size), err
}

// Timeline returns likewise the posts of the caller and of those whom the caller
// follows.
func (c *Core) Timeline(ctx context.Context, caller, reader, before string, size int) (Page, error) {
	if caller != reader {
		return Page{}, ErrNotOwner
	}
	posts, err := c.store.Timeline(ctx, reader, start(before), size+1)
	return cut(posts, size), err
}

func start(before string) string {
	if before == "" {
		return newest
	}
	return before
}

// cut makes a page of size posts. One more was asked for to see whether there is
// another page, which counting could only tell by reading them all.
func cut(posts []Post, size int) Page {
	if len(posts) <= size {
		return Page{Posts: posts}
	}
	return Page{Posts: posts[:size], Last: posts[size-1].ID}
}
