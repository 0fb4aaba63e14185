package truth

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

const (
	// atOnce is how many lists are read at the same time.
	atOnce = 4
	// readAttempts is how often a page is asked for. It is for a hiccup: a system
	// that is checked should be well.
	readAttempts = 5
	// pageSize is how many posts are read at once: as many as the API gives.
	pageSize = 100
	// maxReplays bounds how many posts are sent again.
	maxReplays = 1000
)

// Check reads everything back and compares it with what was recorded. No
// operation may be under way. Each list is read from one of the servers, which
// lead to the same system, in turn. The error says that something cannot be read,
// which is not a violation.
func Check(ctx context.Context, r *Recorder, servers ...Server) (*Report, error) {
	c := &check{servers: servers, report: new(Report)}
	for _, p := range r.Phones() {
		c.accounts = append(c.accounts, newAccount(p))
	}
	c.report.Phones = len(c.accounts)
	for _, step := range []func(context.Context) error{c.sessions, c.replays, c.lists, c.timelines, c.stranger} {
		if err := step(ctx); err != nil {
			return c.report, err
		}
	}
	c.report.sort()
	return c.report, nil
}

// check is a Check that runs.
type check struct {
	servers  []Server
	accounts []*account
	posts    map[string]Post // those on all lists, after lists
	report   *Report
}

// account is what is known of the account on a phone.
type account struct {
	number     int
	user       string
	session    Session
	secret     []byte
	operations []*Operation
	claims     *claims
	follows    map[string][]*Operation // Follow and Unfollow, by whom they are about

	posts []Post // as others see them, after lists
}

func newAccount(p *Phone) *account {
	a := &account{number: p.number, user: p.User(), session: p.Session(), secret: p.secret, operations: p.history()}
	a.claims, a.follows = claim(a.of(Create)), make(map[string][]*Operation)
	for _, o := range a.of(Follow, Unfollow) {
		if o.Outcome != Refused {
			a.follows[o.Target] = append(a.follows[o.Target], o)
		}
	}
	return a
}

func (c *check) server(n int) Server { return c.servers[n%len(c.servers)] }

// each does something for all accounts, a few at a time, and returns the errors.
func (c *check) each(do func(*account) error) error {
	var wg sync.WaitGroup
	errs, slots := make([]error, len(c.accounts)), make(chan struct{}, atOnce)
	for i, a := range c.accounts {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = do(a)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// ask makes a call until it is answered. A Refusal is an answer.
func ask[T any](ctx context.Context, call func(context.Context) (T, error)) (answer T, err error) {
	for n := range readAttempts {
		answer, err = call(ctx)
		if err == nil || refused(err) || !pause(ctx, n) {
			break
		}
	}
	return answer, err
}

// all reads a list to its end.
func (c *check) all(ctx context.Context, page func(context.Context, Cursor) (Page, error)) ([]Post, error) {
	var list []Post
	for token, seen := "", map[string]bool{}; ; {
		p, err := ask(ctx, func(ctx context.Context) (Page, error) { return page(ctx, Cursor{token, pageSize}) })
		if err != nil {
			return nil, err
		}
		list = append(list, p.Posts...)
		if p.Next == "" {
			c.report.count(&c.report.Read, len(list))
			return list, nil
		}
		if seen[p.Next] {
			return nil, fmt.Errorf("the list goes round in circles at %s", p.Next)
		}
		token, seen[p.Next] = p.Next, true
	}
}

// sessions signs in again, and uses the newest refresh token of each phone twice:
// the answer to the first use may have been lost on its way.
func (c *check) sessions(ctx context.Context) error {
	return c.each(func(a *account) error {
		s, newest := c.server(a.number), a.session.Refresh
		refresh := func(ctx context.Context) (Session, error) { return s.Refresh(ctx, newest) }
		for _, use := range []struct {
			what string
			call func(context.Context) (Session, error)
		}{
			{"the install secret", func(ctx context.Context) (Session, error) { return s.SignIn(ctx, a.secret) }},
			{"the newest refresh token", refresh},
			{"the refresh token before the newest, of which that was not used,", refresh},
		} {
			if err := c.sign(ctx, a, use.what, use.call); err != nil {
				return err
			}
		}
		return nil
	})
}

// sign uses a credential, and notes when it does not give the account back. The
// error is one that is no answer.
func (c *check) sign(ctx context.Context, a *account, what string, call func(context.Context) (Session, error)) error {
	got, err := ask(ctx, call)
	switch {
	case err != nil && !refused(err):
		return fmt.Errorf("%s of phone %d: %w", what, a.number, err)
	case err != nil:
		c.report.add(Signed, a.of(SignIn, Refresh), "%s of phone %d, %s, is %v", what, a.number, a.user, err)
	case got.User != a.user:
		c.report.add(Signed, a.of(SignIn, Refresh), "%s of phone %d, %s, gives the account %s", what, a.number, a.user, got.User)
	default:
		a.session = got
	}
	return nil
}

// of returns the operations of some kinds.
func (a *account) of(kinds ...Kind) []*Operation {
	var list []*Operation
	for _, o := range a.operations {
		for _, k := range kinds {
			if o.Kind == k {
				list = append(list, o)
			}
		}
	}
	return list
}

// replays sends acknowledged posts once more, spread over all of them.
func (c *check) replays(ctx context.Context) error {
	total := 0
	for _, a := range c.accounts {
		total += len(a.of(Create))
	}
	stride := max(1, total/maxReplays)
	return c.each(func(a *account) error {
		for i, o := range a.of(Create) {
			if o.Outcome != Acknowledged || (i+a.number)%stride != 0 {
				continue
			}
			if err := c.replay(ctx, a, o); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *check) replay(ctx context.Context, a *account, o *Operation) error {
	s := c.server(a.number + 1) // the key holds in every protocol
	got, err := ask(ctx, func(ctx context.Context) (Post, error) { return s.Create(ctx, a.session, o.Key, o.Text) })
	switch {
	case err != nil && !refused(err):
		return fmt.Errorf("key %s: %w", o.Key, err)
	case err != nil:
		c.report.add(Key, []*Operation{o}, "key %s is %v", o.Key, err)
	case !same(got, o.Post):
		c.report.add(Key, []*Operation{o}, "key %s was answered with %v, and later with %v", o.Key, o.Post, got)
	}
	c.report.count(&c.report.Replays, 1)
	return nil
}

func same(a, b Post) bool {
	return a.Name == b.Name && a.Author == b.Author && a.Text == b.Text && a.CreateTime.Equal(b.CreateTime)
}
