package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fairlead-mesh/fairlead/test/truth"
)

// followed is how many others each phone follows at first.
const followed = 3

// crowd are phones that write and read.
type crowd struct {
	recorder *truth.Recorder
	phones   []*truth.Phone
}

// gather signs phones in, and lets each follow the next ones.
func gather(ctx context.Context, n int, server func(n int) truth.Server) (*crowd, error) {
	c := &crowd{recorder: truth.NewRecorder()}
	for i := range n {
		p, err := c.recorder.SignIn(ctx, server(i))
		if err != nil {
			return nil, err
		}
		c.phones = append(c.phones, p)
	}
	for i, p := range c.phones {
		for next := range min(followed, n-1) {
			if err := p.Follow(ctx, c.after(i, next)); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// after returns one of those whom a phone follows at first.
func (c *crowd) after(n, next int) *truth.Phone { return c.phones[(n+1+next)%len(c.phones)] }

// live lets every phone do one thing after the other until stop is closed, each
// until it is answered. It returns when all are done.
func (c *crowd) live(ctx context.Context, o Options, stop <-chan struct{}) {
	var wg sync.WaitGroup
	for i, p := range c.phones {
		wg.Go(func() {
			random := o.random(i)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-ctx.Done():
					return
				case <-time.After(some(random, 20*time.Millisecond)):
				}
				c.act(ctx, random, p, fmt.Sprintf("number %d of phone %d", n, i))
			}
		})
	}
	wg.Wait()
}

// act lets a phone do something. What goes wrong is in the history.
func (c *crowd) act(ctx context.Context, random *rand.Rand, p *truth.Phone, text string) {
	other := c.phones[random.IntN(len(c.phones))]
	switch n := random.IntN(100); {
	case n < 50:
		_ = p.Create(ctx, text)
	case n < 60 && other != p:
		_ = p.Follow(ctx, other)
	case n < 68 && other != p:
		_ = p.Unfollow(ctx, other)
	case n < 72:
		_ = p.Refresh(ctx)
	default:
		_, _ = p.Timeline(ctx)
	}
}

// load begins calls at a rate until stop is closed, whether others were answered or
// not, and waits for all. Of those that must wait for room it returns the number.
func (c *crowd) load(ctx context.Context, o Options, stop <-chan struct{}) (late int) {
	const room = 2000 // calls at the same time
	var wg sync.WaitGroup
	slots, random, begun := make(chan struct{}, room), o.random(-1), time.Now()
	for n := 0; ; n++ {
		select {
		case <-stop:
			wg.Wait()
			return late
		case <-time.After(time.Until(begun.Add(time.Duration(n) * time.Second / time.Duration(o.Rate)))):
		}
		if len(slots) == room {
			late++
		}
		slots <- struct{}{}
		who, next, dice := random.IntN(len(c.phones)), random.IntN(followed), random.IntN(100)
		wg.Go(func() {
			c.once(ctx, c.phones[who], c.after(who, next), dice, fmt.Sprint("call ", n))
			<-slots
		})
	}
}

// once is one call that may be repeated: a screen of the timeline, a post with a
// key, or a follow of somebody who is followed. What goes wrong is in the history.
func (c *crowd) once(ctx context.Context, p, other *truth.Phone, dice int, text string) {
	switch {
	case dice < 30:
		_ = p.Create(ctx, text)
	case dice < 35:
		_ = p.Follow(ctx, other)
	default:
		_, _ = p.Timeline(ctx)
	}
}
