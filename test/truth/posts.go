package truth

import (
	"context"
	"fmt"
	"time"
)

// lists reads what each account has posted, as somebody else sees it.
func (c *check) lists(ctx context.Context) error {
	defer c.index()
	return c.each(func(a *account) error {
		reader, s := c.accounts[(a.number+1)%len(c.accounts)], c.server(a.number)
		list, err := c.all(ctx, func(ctx context.Context, from Cursor) (Page, error) {
			return s.Posts(ctx, reader.session, a.user, from)
		})
		if err != nil {
			return fmt.Errorf("posts of %s: %w", a.user, err)
		}
		a.posts = list
		c.list(a)
		return nil
	})
}

func (c *check) index() {
	c.posts = make(map[string]Post)
	for _, a := range c.accounts {
		for _, p := range a.posts {
			c.posts[p.Name] = p
		}
	}
}

// list compares the posts of an account with what it has sent.
func (c *check) list(a *account) {
	origin := make([]*Operation, len(a.posts)) // of each post; nil when there is none
	seen := make(map[string]bool)
	for i, p := range a.posts {
		switch o := a.claims.take(p); {
		case seen[p.Name]:
			c.report.add(Doubled, []*Operation{o}, "%v is listed twice", p)
		case o == nil:
			c.stray(a.claims, p)
		default:
			origin[i] = o
			c.compare(o, p)
		}
		seen[p.Name] = true
	}
	for _, o := range a.claims.acknowledged {
		if !seen[o.Post.Name] {
			c.report.add(Lost, []*Operation{o}, "%v is not among the posts of its author", o.Post)
		}
	}
	c.count(a)
	c.order(a, origin)
}

// count notes how many posts there were.
func (c *check) count(a *account) {
	unknown := 0
	for _, o := range a.of(Create) {
		if o.Outcome == Unknown {
			unknown++
		}
	}
	c.report.count(&c.report.Posts, len(a.claims.acknowledged))
	c.report.count(&c.report.Unknown, unknown)
	c.report.count(&c.report.Found, a.claims.found)
}

// claims are the posts that an account may have.
type claims struct {
	acknowledged map[string]*Operation   // by the name of the post
	unknown      map[string][]*Operation // by text; each makes one post at most
	texts        map[string][]*Operation // all that was sent
	found        int                     // unknown ones that were there
}

func claim(creates []*Operation) *claims {
	c := &claims{make(map[string]*Operation), make(map[string][]*Operation), make(map[string][]*Operation), 0}
	for _, o := range creates {
		c.texts[o.Text] = append(c.texts[o.Text], o)
		switch o.Outcome {
		case Acknowledged:
			c.acknowledged[o.Post.Name] = o
		case Unknown:
			c.unknown[o.Text] = append(c.unknown[o.Text], o)
		}
	}
	return c
}

// take returns the operation that has made a post, nil for none.
func (c *claims) take(p Post) *Operation {
	if o := c.acknowledged[p.Name]; o != nil {
		return o
	}
	left := c.unknown[p.Text]
	if len(left) == 0 {
		return nil
	}
	c.unknown[p.Text] = left[1:]
	c.found++
	return left[0]
}

// stray notes a post that no operation has made, or that one has made again.
func (c *check) stray(claims *claims, p Post) {
	sent := claims.texts[p.Text]
	for _, o := range sent {
		if o.Outcome != Refused {
			c.report.add(Doubled, sent, "%v is one more than was sent", p)
			return
		}
	}
	c.report.add(Invented, sent, "%v is there, and was not acknowledged to anybody", p)
}

// compare checks a post against what was sent and answered.
func (c *check) compare(o *Operation, p Post) {
	switch {
	case p.Text != o.Text || p.Author != o.User:
		c.report.add(Altered, []*Operation{o}, "%v was sent as %q by %s", p, o.Text, o.User)
	case o.Outcome == Acknowledged && !same(p, o.Post):
		c.report.add(Altered, []*Operation{o}, "%v at %v was acknowledged as %v at %v", p, p.CreateTime, o.Post, o.Post.CreateTime)
	}
}

// order checks that an author's posts are listed newest first, by the one thing
// that a client knows: what it sent after an answer is younger than what was
// answered.
func (c *check) order(a *account, origin []*Operation) {
	c.descending(a.posts, "the posts of "+a.user)
	var first *Operation // of those listed so far, the one that was answered first
	for i, o := range origin {
		if o == nil {
			continue
		}
		if first != nil && first.ended() < o.sent() {
			c.report.add(Reordered, []*Operation{first, o}, "%v was sent after %q was answered, and is listed as older", a.posts[i], first.Text)
		}
		if end := last(o); first == nil || end < last(first) {
			first = o
		}
	}
}

// last is when an operation was over: never when it is unknown.
func last(o *Operation) time.Duration {
	if o.Outcome == Unknown {
		return 1<<63 - 1
	}
	return o.ended()
}

// descending checks that a list is newest first: names sort by creation.
func (c *check) descending(list []Post, what string) {
	for i := 1; i < len(list); i++ {
		if list[i-1].Name < list[i].Name {
			c.report.add(Reordered, nil, "%s: %v is listed before the younger %v", what, list[i-1], list[i])
		}
	}
}
