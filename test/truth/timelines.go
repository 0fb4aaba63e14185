package truth

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// timelines reads the timeline of each account.
func (c *check) timelines(ctx context.Context) error {
	return c.each(func(a *account) error {
		s := c.server(a.number + 2)
		list, err := c.all(ctx, func(ctx context.Context, from Cursor) (Page, error) { return s.Timeline(ctx, a.session, from) })
		if err != nil {
			return fmt.Errorf("timeline of %s: %w", a.user, err)
		}
		c.timeline(a, list)
		return nil
	})
}

// timeline compares a timeline with the lists of those who may be on it. What is
// wrong with the lists themselves was noted before.
func (c *check) timeline(a *account, list []Post) {
	where := "the timeline of " + a.user
	c.descending(list, where)
	by := make(map[string]map[string]bool) // the names, by author
	for _, p := range list {
		if by[p.Author] == nil {
			by[p.Author] = make(map[string]bool)
		}
		if by[p.Author][p.Name] {
			c.report.add(Doubled, nil, "%v is twice on %s", p, where)
		}
		by[p.Author][p.Name] = true
	}
	for _, author := range c.accounts {
		c.share(a, author, by[author.user])
		delete(by, author.user)
	}
	for author := range by {
		c.report.add(Invented, nil, "%s shows posts of %s, whom nobody knows", where, author)
	}
	c.copies(where, list)
}

// share checks what a timeline shows of one author: all the posts there are, or
// none, as the reader follows.
func (c *check) share(a, author *account, shown map[string]bool) {
	may, mayNot := true, false
	about := a.follows[author.user]
	if a != author {
		may, mayNot = possible(about)
	}
	if len(shown) > 0 && !may {
		c.report.add(Leaked, about, "the timeline of %s shows %d posts of %s", a.user, len(shown), author.user)
		return
	}
	if len(shown) == 0 && mayNot {
		return
	}
	for _, p := range author.posts {
		if !shown[p.Name] {
			made := author.claims.acknowledged[p.Name]
			c.report.add(Lost, append([]*Operation{made}, about...), "%v is not on the timeline of %s", p, a.user)
		}
	}
}

// copies checks that posts on a timeline are those on the authors' lists.
func (c *check) copies(where string, list []Post) {
	for _, p := range list {
		switch original, ok := c.posts[p.Name]; {
		case !ok:
			c.report.add(Invented, nil, "%v is on %s, and on no author's list", p, where)
		case !same(p, original):
			c.report.add(Altered, nil, "%v on %s is %v on its author's list", p, where, original)
		}
	}
}

// possible says whether somebody may follow, and may not, after some operations:
// each may have been the last, unless one was acknowledged that was sent after it
// had ended. One that was never answered may be the last, or not have happened.
func possible(operations []*Operation) (may, mayNot bool) {
	overtaken := func(end time.Duration) bool {
		return slices.ContainsFunc(operations, func(o *Operation) bool { return o.Outcome == Acknowledged && o.sent() > end })
	}
	mayNot = !overtaken(-1) // as at the beginning
	for _, o := range operations {
		if !overtaken(last(o)) {
			may = may || o.Kind == Follow
			mayNot = mayNot || o.Kind == Unfollow
		}
	}
	return may, mayNot
}

// stranger checks that somebody who follows nobody sees nothing.
func (c *check) stranger(ctx context.Context) error {
	secret := []byte(rand.Text())
	for i, s := range c.servers {
		session, err := ask(ctx, func(ctx context.Context) (Session, error) { return s.SignIn(ctx, secret) })
		if err != nil {
			return fmt.Errorf("sign in a stranger: %w", err)
		}
		list, err := c.all(ctx, func(ctx context.Context, from Cursor) (Page, error) {
			return c.server(i+1).Timeline(ctx, session, from)
		})
		if err != nil {
			return fmt.Errorf("timeline of a stranger: %w", err)
		}
		for _, p := range list {
			c.report.add(Leaked, nil, "%v is on the timeline of a stranger", p)
		}
	}
	return nil
}
