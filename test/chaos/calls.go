package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-mesh/fairlead/test/truth"
)

// calls are all calls that phones have made, each attempt for itself. It may be
// used by several goroutines at once.
type calls struct {
	mu   sync.Mutex
	list []call
}

type call struct {
	what       string
	sent, over time.Time
	err        error
}

func (c call) String() string {
	return fmt.Sprintf("%s, sent %s, over after %v: %v", c.what, c.sent.Format("15:04:05.000"), c.over.Sub(c.sent).Round(100*time.Microsecond), c.err)
}

// failed returns the calls that failed, were sent after one time and were over
// before another.
func (c *calls) failed(after, before time.Time) []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []call
	for _, k := range c.list {
		if k.err != nil && k.sent.After(after) && k.over.Before(before) {
			list = append(list, k)
		}
	}
	return list
}

// took returns how long the calls took that did not fail.
func (c *calls) took() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []time.Duration
	for _, k := range c.list {
		if k.err == nil {
			list = append(list, k.over.Sub(k.sent))
		}
	}
	return list
}

// forget forgets the calls of before.
func (c *calls) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = slices.Delete(c.list, 0, len(c.list))
}

// counted makes a server whose calls are kept under a name.
func (c *calls) counted(s truth.Server, name string) truth.Server { return &counted{s, c, name} }

type counted struct {
	server truth.Server
	calls  *calls
	name   string
}

// count makes a call and keeps it, unless it was given up by us.
func count[T any](ctx context.Context, c *counted, what string, do func() (T, error)) (T, error) {
	k := call{what: c.name + " " + what, sent: time.Now()}
	answer, err := do()
	k.over, k.err = time.Now(), err
	if err != nil && ctx.Err() != nil && k.over.Sub(k.sent) < time.Second {
		return answer, err
	}
	c.calls.mu.Lock()
	defer c.calls.mu.Unlock()
	c.calls.list = append(c.calls.list, k)
	return answer, err
}

func (c *counted) SignIn(ctx context.Context, secret []byte) (truth.Session, error) {
	return count(ctx, c, "sign in", func() (truth.Session, error) { return c.server.SignIn(ctx, secret) })
}

func (c *counted) Refresh(ctx context.Context, token string) (truth.Session, error) {
	return count(ctx, c, "refresh", func() (truth.Session, error) { return c.server.Refresh(ctx, token) })
}

func (c *counted) Follow(ctx context.Context, as truth.Session, user string) error {
	_, err := count(ctx, c, "follow", func() (any, error) { return nil, c.server.Follow(ctx, as, user) })
	return err
}

func (c *counted) Unfollow(ctx context.Context, as truth.Session, user string) error {
	_, err := count(ctx, c, "unfollow", func() (any, error) { return nil, c.server.Unfollow(ctx, as, user) })
	return err
}

func (c *counted) Create(ctx context.Context, as truth.Session, key, text string) (truth.Post, error) {
	return count(ctx, c, "post", func() (truth.Post, error) { return c.server.Create(ctx, as, key, text) })
}

func (c *counted) Posts(ctx context.Context, as truth.Session, user string, from truth.Cursor) (truth.Page, error) {
	return count(ctx, c, "list posts", func() (truth.Page, error) { return c.server.Posts(ctx, as, user, from) })
}

func (c *counted) Timeline(ctx context.Context, as truth.Session, from truth.Cursor) (truth.Page, error) {
	return count(ctx, c, "timeline", func() (truth.Page, error) { return c.server.Timeline(ctx, as, from) })
}
