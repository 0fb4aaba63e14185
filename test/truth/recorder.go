package truth

import (
	"context"
	"crypto/rand"
	"math/bits"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// attemptTime is how long a phone waits for an answer: longer than the server
	// works on a call (5 s), so that one which is asked again is over.
	attemptTime = 10 * time.Second
	// Phones ask again soon at first, and never slower than every longestPause.
	firstPause   = 10 * time.Millisecond
	longestPause = 100 * time.Millisecond
	// renewBefore is how long before its end an access token is not used any more.
	renewBefore = time.Minute
	// screen is how many posts a phone reads at once.
	screen = 20
)

// Recorder keeps what phones have sent and what they were answered. It may be used
// by several goroutines at once.
type Recorder struct {
	begun time.Time

	mu     sync.Mutex
	phones []*Phone
}

// NewRecorder returns an empty Recorder.
func NewRecorder() *Recorder { return &Recorder{begun: time.Now()} }

// Phones returns the phones that have signed in, in that order.
func (r *Recorder) Phones() []*Phone {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.phones)
}

// Operations returns those of some kind whose outcome is that, in the order of the
// phones. No operation may be under way.
func (r *Recorder) Operations(kind Kind, outcome Outcome) []*Operation {
	var list []*Operation
	for _, p := range r.Phones() {
		for _, o := range p.history() {
			if o.Kind == kind && o.Outcome == outcome {
				list = append(list, o)
			}
		}
	}
	return list
}

// SignIn signs somebody new in on a new phone, which talks to that server. The
// install has a secret, so a sign-in without an answer is asked for again. The
// error is a Refusal, or says why ctx ended.
func (r *Recorder) SignIn(ctx context.Context, s Server) (*Phone, error) {
	p := &Phone{recorder: r, server: s, secret: []byte(rand.Text())}
	o := &Operation{Kind: SignIn}
	err := p.do(ctx, o, func(ctx context.Context) error {
		var err error
		p.session, err = s.SignIn(ctx, p.secret)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.number, o.User = len(r.phones), p.session.User
	o.Phone = p.number
	r.phones = append(r.phones, p)
	return p, nil
}

// Phone is one install of the app with one account. Each of its methods sends one
// operation until it is answered or ctx ends, as a phone on a bad line does; the
// error is a Refusal, or why the last attempt failed. They may be used by several
// goroutines at once.
type Phone struct {
	recorder *Recorder
	server   Server
	secret   []byte
	number   int

	renewing sync.Mutex // one refresh at a time

	mu         sync.Mutex
	session    Session
	operations []*Operation
}

// User returns the account, "users/…".
func (p *Phone) User() string { return p.Session().User }

// Session returns the newest session.
func (p *Phone) Session() Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session
}

// Follow follows the account on another phone.
func (p *Phone) Follow(ctx context.Context, other *Phone) error {
	user := other.User()
	return p.as(ctx, &Operation{Kind: Follow, Target: user}, func(ctx context.Context, s Session) error {
		return p.server.Follow(ctx, s, user)
	})
}

// Unfollow ends that.
func (p *Phone) Unfollow(ctx context.Context, other *Phone) error {
	user := other.User()
	return p.as(ctx, &Operation{Kind: Unfollow, Target: user}, func(ctx context.Context, s Session) error {
		return p.server.Unfollow(ctx, s, user)
	})
}

// Create posts a text, under a new idempotency key.
func (p *Phone) Create(ctx context.Context, text string) error {
	o := &Operation{Kind: Create, Key: rand.Text(), Text: text}
	return p.as(ctx, o, func(ctx context.Context, s Session) error {
		post, err := p.server.Create(ctx, s, o.Key, o.Text)
		if err == nil {
			p.mu.Lock()
			o.Post = post
			p.mu.Unlock()
		}
		return err
	})
}

// Refresh trades the refresh token for a new session.
func (p *Phone) Refresh(ctx context.Context) error {
	p.renewing.Lock()
	defer p.renewing.Unlock()
	return p.refresh(ctx)
}

func (p *Phone) refresh(ctx context.Context) error {
	o := &Operation{Kind: Refresh, Phone: p.number, User: p.User()}
	return p.do(ctx, o, func(ctx context.Context) error {
		s, err := p.server.Refresh(ctx, p.Session().Refresh)
		if err == nil {
			p.mu.Lock()
			p.session = s
			p.mu.Unlock()
		}
		return err
	})
}

// Timeline reads a screen of the timeline once. It is not recorded.
func (p *Phone) Timeline(ctx context.Context) (Page, error) {
	s, err := p.fresh(ctx)
	if err != nil {
		return Page{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	return p.server.Timeline(ctx, s, Cursor{Size: screen})
}

// fresh returns a session whose access token is good for a while.
func (p *Phone) fresh(ctx context.Context) (Session, error) {
	p.renewing.Lock()
	defer p.renewing.Unlock()
	if time.Until(p.Session().Expire) < renewBefore {
		if err := p.refresh(ctx); err != nil {
			return Session{}, err
		}
	}
	return p.Session(), nil
}

// as does an operation as the account on the phone.
func (p *Phone) as(ctx context.Context, o *Operation, call func(context.Context, Session) error) error {
	s, err := p.fresh(ctx)
	if err != nil {
		return err
	}
	o.Phone, o.User = p.number, s.User
	return p.do(ctx, o, func(ctx context.Context) error {
		s, err := p.fresh(ctx)
		if err != nil {
			return err
		}
		return call(ctx, s)
	})
}

// do sends an operation until it is answered.
func (p *Phone) do(ctx context.Context, o *Operation, call func(context.Context) error) error {
	o.Outcome = Unknown
	p.mu.Lock()
	p.operations = append(p.operations, o)
	p.mu.Unlock()
	for n := 0; ; n++ {
		err := p.attempt(ctx, o, call)
		if err == nil || refused(err) || !pause(ctx, n) {
			return err
		}
	}
}

func (p *Phone) attempt(ctx context.Context, o *Operation, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	a := Attempt{Sent: time.Since(p.recorder.begun)}
	a.Err = call(ctx)
	a.Ended = time.Since(p.recorder.begun)
	p.mu.Lock()
	defer p.mu.Unlock()
	o.note(a)
	return a.Err
}

// pause waits before attempt n+2, and says whether there is to be one.
func pause(ctx context.Context, n int) bool {
	d := min(firstPause<<min(n, bits.Len(uint(longestPause/firstPause))), longestPause)
	select {
	case <-time.After(d/2 + mathrand.N(d)):
		return true
	case <-ctx.Done():
		return false
	}
}

// history returns the operations of which an attempt was made.
func (p *Phone) history() []*Operation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.operations), func(o *Operation) bool { return len(o.Attempts) == 0 })
}
