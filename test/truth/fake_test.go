package truth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// faults are what a fake server does wrong.
type faults struct {
	// lose, double, swap, alter and invent are about the post with that number, in
	// the order in which they come.
	lose, double, alter, invent, hide int
	// swap lists that post as older than the one before it.
	swap int
	// leak shows everybody's posts on all timelines.
	leak bool
	// forgetKeys makes a post for each call.
	forgetKeys bool
	// forgetFollows and forgetUnfollows acknowledge and do nothing.
	forgetFollows, forgetUnfollows bool
	// endSessions refuses refresh tokens, and loseAccounts makes new accounts.
	endSessions, strictTokens, loseAccounts bool
	// obey carries out what it refuses.
	obey bool
}

// fake is a server in memory. unanswered makes it carry calls out, or not, and say
// nothing; refuse makes it refuse.
type fake struct {
	faults faults

	mu         sync.Mutex
	unanswered func(kind Kind) (carryOut, silent bool)
	refuse     bool
	made       int
	posts      []Post
	keys       map[string]Post
	follows    map[[2]string]bool
	accounts   map[string]string // by secret
	sessions   map[string]int    // the number of the newest token
}

func newFake(f faults) *fake {
	return &fake{
		faults: f, unanswered: func(Kind) (bool, bool) { return true, false },
		keys: make(map[string]Post), follows: make(map[[2]string]bool), accounts: make(map[string]string), sessions: make(map[string]int),
	}
}

var errLine = errors.New("the line is dead")

// serve carries a write out, as faults and the line allow.
func (f *fake) serve(kind Kind, do func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse {
		if f.faults.obey {
			do()
		}
		return &Refusal{"NO", "not today"}
	}
	carryOut, silent := f.unanswered(kind)
	if carryOut {
		do()
	}
	if silent {
		return errLine
	}
	return nil
}

func (f *fake) SignIn(_ context.Context, secret []byte) (s Session, err error) {
	err = f.serve(SignIn, func() {
		user := f.accounts[string(secret)]
		if user == "" || f.faults.loseAccounts {
			user = fmt.Sprintf("users/%d", len(f.accounts)+len(f.sessions))
			f.accounts[string(secret)] = user
		}
		s = f.session(user, fmt.Sprint("session", len(f.sessions)), 1)
	})
	return s, err
}

func (f *fake) session(user, id string, token int) Session {
	f.sessions[id] = max(f.sessions[id], token)
	return Session{user, user, fmt.Sprintf("%s %s %d", user, id, token), time.Now().Add(time.Hour)}
}

func (f *fake) Refresh(_ context.Context, text string) (s Session, err error) {
	var user, id string
	var token int
	if _, err := fmt.Sscan(text, &user, &id, &token); err != nil {
		return s, err
	}
	e := f.serve(Refresh, func() {
		newest := f.sessions[id]
		if f.faults.endSessions || token < newest-1 || f.faults.strictTokens && token < newest {
			err = &Refusal{"SESSION_ENDED", text}
			return
		}
		s = f.session(user, id, token+1)
	})
	return s, errors.Join(e, err)
}

func (f *fake) Follow(_ context.Context, as Session, user string) error {
	return f.serve(Follow, func() {
		if !f.faults.forgetFollows {
			f.follows[[2]string{as.User, user}] = true
		}
	})
}

func (f *fake) Unfollow(_ context.Context, as Session, user string) error {
	return f.serve(Unfollow, func() {
		if !f.faults.forgetUnfollows {
			delete(f.follows, [2]string{as.User, user})
		}
	})
}

func (f *fake) Create(_ context.Context, as Session, key, text string) (p Post, err error) {
	err = f.serve(Create, func() {
		known, ok := f.keys[key]
		if p = known; ok && !f.faults.forgetKeys {
			return
		}
		f.made++
		p = Post{fmt.Sprintf("posts/%06d", 10*f.made), as.User, text, time.Now()}
		f.keys[key] = p
		f.store(p)
	})
	return p, err
}

// store keeps a post, or does what is wrong.
func (f *fake) store(p Post) {
	again := p
	again.Name += "b"
	switch f.made {
	case f.faults.lose:
		return
	case f.faults.double:
		f.posts = append(f.posts, again)
	case f.faults.invent:
		f.posts = append(f.posts, Post{again.Name, p.Author, "nobody has said this", p.CreateTime})
	case f.faults.alter:
		p.Text += "!"
	case f.faults.swap:
		n := len(f.posts)
		f.posts = slices.Insert(f.posts, n-1, p)
		return
	}
	f.posts = append(f.posts, p)
}

func (f *fake) Posts(_ context.Context, _ Session, user string, from Cursor) (Page, error) {
	return f.page(from.Token, func(p Post) bool { return p.Author == user }), nil
}

func (f *fake) Timeline(_ context.Context, as Session, from Cursor) (Page, error) {
	hidden := fmt.Sprintf("posts/%06d", 10*f.faults.hide)
	return f.page(from.Token, func(p Post) bool {
		return (p.Author == as.User || f.faults.leak || f.follows[[2]string{as.User, p.Author}]) && p.Name != hidden
	}), nil
}

// page returns three posts; the token is how many came before.
func (f *fake) page(token string, shown func(Post) bool) (page Page) {
	f.mu.Lock()
	defer f.mu.Unlock()
	skip := 0
	fmt.Sscan(token, &skip) // "" is 0
	list := slices.DeleteFunc(slices.Clone(f.posts), func(p Post) bool { return !shown(p) })
	slices.Reverse(list)
	end := min(skip+3, len(list))
	page.Posts = list[skip:end]
	if end < len(list) {
		page.Next = fmt.Sprint(end)
	}
	return page
}
