package balance

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

var errDown = status.Error(codes.Unavailable, "down")

// begin makes an attempt at one endpoint, as if it had been chosen.
func begin(p *Picker, place int, a *Attempt) *Call {
	call := new(Call)
	call.begin(p.endpoints[place], a, p.endpoints[place].cluster.now(), false)
	return call
}

// open makes the breaker of an endpoint open.
func open(t *testing.T, p *Picker, place int) {
	t.Helper()
	for range tripConsecutive {
		begin(p, place, &Attempt{Idempotent: true}).Done(Outcome{Err: errDown})
	}
	if p.endpoints[place].openUntil.Load() == 0 {
		t.Fatal("the breaker is not open")
	}
}

// pick makes an attempt somewhere.
func pick(t *testing.T, p *Picker, a *Attempt) (int, *Call) {
	t.Helper()
	call := new(Call)
	place, ok := p.Pick("", a, call)
	if !ok {
		t.Fatal("nobody was chosen")
	}
	return place, call
}

// three runs f with a picker of three that are ready, in simulated time.
func three(t *testing.T, f func(t *testing.T, c *Cluster, p *Picker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(Options{})
		f(t, c, c.Picker(members(3)))
	})
}

func TestOpenEndpointIsLeftOut(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		open(t, p, 0)
		for range 1000 {
			place, call := pick(t, p, nil)
			if call.Done(Outcome{}); place == 0 {
				t.Fatal("it was chosen")
			}
		}
		if s := c.Snapshot().Endpoints[0]; s.Breaker != "open" || s.NextTry.Before(time.Now().Add(time.Second)) ||
			s.Reason != "5 calls in a row failed, the last with Unavailable" || !s.Since.Equal(time.Now()) {
			t.Errorf("got %+v", s)
		}
	})
}

// Two of three may fail: one breaker opens, and the call is sent to the third.
func TestAtMostHalfOpen(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		open(t, p, 0)
		for range 100 {
			begin(p, 1, nil).Done(Outcome{Err: errDown})
		}
		if n := c.open.Load(); n != 1 {
			t.Errorf("%d are open", n)
		}
		for range 100 {
			if place, call := pick(t, p, nil); place != 2 {
				t.Fatalf("%d was chosen", place)
			} else {
				call.Done(Outcome{})
			}
		}
	})
}

func TestNeverOpenAlone(t *testing.T) {
	c := NewCluster(Options{})
	p := c.Picker(members(1))
	for range 100 {
		_, call := pick(t, p, nil)
		call.Done(Outcome{Err: errDown})
	}
	if c.open.Load() != 0 {
		t.Error("the only one is open")
	}
}

// What ends in another era of the breaker than it began says nothing.
func TestLateEndings(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		late := begin(p, 0, nil)
		open(t, p, 0)
		late.Done(Outcome{})
		if e := p.endpoints[0]; e.failures.Load() != tripConsecutive || e.openUntil.Load() == 0 {
			t.Error("a late success counts")
		}
	})
}

// A success that began before a row of failures does not end it.
func TestSuccessThatWasOnItsWay(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		early := begin(p, 0, nil)
		time.Sleep(time.Millisecond)
		begin(p, 0, nil).Done(Outcome{Err: errDown})
		early.Done(Outcome{})
		time.Sleep(time.Millisecond)
		if n := p.endpoints[0].failures.Load(); n != 1 {
			t.Errorf("%d failures in a row", n)
		}
		begin(p, 0, nil).Done(Outcome{})
		if n := p.endpoints[0].failures.Load(); n != 0 {
			t.Errorf("%d failures in a row after a success", n)
		}
	})
}

// One probe at a time, and the answer closes the breaker.
func TestProbe(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		open(t, p, 0)
		time.Sleep(1300 * time.Millisecond)
		place, probe := pick(t, p, &Attempt{Idempotent: true})
		if place != 0 || c.Snapshot().Endpoints[0].Breaker != "half-open" {
			t.Fatal("it was not probed at once")
		}
		for range 100 {
			if place, call := pick(t, p, &Attempt{Idempotent: true}); place == 0 {
				t.Fatal("a second probe")
			} else {
				call.Done(Outcome{})
			}
		}
		probe.Done(Outcome{})
		if s := c.Snapshot().Endpoints[0]; s.Breaker != "closed" || !s.NextTry.IsZero() || c.open.Load() != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestProbeThatFails(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		open(t, p, 0)
		time.Sleep(1300 * time.Millisecond)
		_, probe := pick(t, p, &Attempt{Idempotent: true})
		probe.Done(Outcome{Err: errDown})
		s := c.Snapshot().Endpoints[0]
		if wait := time.Until(s.NextTry); s.Breaker != "open" || wait < 1500*time.Millisecond || wait > 1900*time.Millisecond {
			t.Errorf("tried again in %s, %+v", wait, s)
		}
	})
}

// A probe that says nothing makes room for another one.
func TestProbeThatSaysNothing(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		open(t, p, 0)
		time.Sleep(1300 * time.Millisecond)
		for _, o := range []Outcome{{Unsent: true}, {Err: context.Canceled}, {Err: errDown, Refused: true}} {
			place, probe := pick(t, p, &Attempt{Idempotent: true})
			if place != 0 {
				t.Fatal("it was not probed")
			}
			probe.Done(o)
			time.Sleep(2 * probeAgain)
		}
		if s := c.Snapshot().Endpoints[0]; s.Breaker != "half-open" {
			t.Errorf("got %+v", s)
		}
	})
}

// Nobody answers the probe: it is given up, and what comes later says nothing.
func TestProbeThatHangs(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		open(t, p, 0)
		time.Sleep(1300 * time.Millisecond)
		_, probe := pick(t, p, &Attempt{Idempotent: true})
		time.Sleep(probeLongest + time.Millisecond)
		_, call := pick(t, p, nil)
		call.Done(Outcome{})
		if s := c.Snapshot().Endpoints[0]; s.Breaker != "open" {
			t.Fatalf("got %+v", s)
		}
		probe.Done(Outcome{})
		if s := c.Snapshot().Endpoints[0]; s.Breaker != "open" {
			t.Errorf("a late answer counts: %+v", s)
		}
		time.Sleep(3 * time.Second)
		if place, _ := pick(t, p, &Attempt{Idempotent: true}); place != 0 {
			t.Error("it is not tried again")
		}
	})
}

// What may not be repeated waits a second longer, and a second attempt never tries.
func TestWhoProbes(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		open(t, p, 0)
		time.Sleep(1300 * time.Millisecond)
		for _, a := range []*Attempt{nil, {}, {Stream: true, Idempotent: true}, {Idempotent: true, Tried: p.endpoints[1:2]}} {
			if place, call := pick(t, p, a); place == 0 {
				t.Errorf("%+v was risked", a)
			} else {
				call.Done(Outcome{})
			}
		}
		time.Sleep(riskAfter)
		if place, _ := pick(t, p, nil); place != 0 {
			t.Error("nothing was risked")
		}
	})
}

func TestStreamProbes(t *testing.T) {
	for name, end := range map[string]func(a *Attempt, call *Call){
		"answered": func(a *Attempt, _ *Call) { a.Answered() },
		"ended":    func(_ *Attempt, call *Call) { call.Done(Outcome{}) },
		//house:allow in a bubble, see three
		"lives": func(*Attempt, *Call) { time.Sleep(streamLongest + time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			three(t, func(t *testing.T, c *Cluster, p *Picker) {
				open(t, p, 0)
				time.Sleep(2300 * time.Millisecond)
				a := &Attempt{Stream: true}
				place, call := pick(t, p, a)
				if place != 0 {
					t.Fatal("it was not probed")
				}
				end(a, call)
				_, other := pick(t, p, nil)
				other.Done(Outcome{})
				if s := c.Snapshot().Endpoints[0]; s.Breaker != "closed" {
					t.Errorf("got %+v", s)
				}
			})
		})
	}
}

// The hedge was faster again and again: the replica hangs, though no call fails.
func TestBeatenAttempts(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		for range tripConsecutive {
			a := &Attempt{Idempotent: true}
			call := begin(p, 0, a)
			time.Sleep(20 * time.Millisecond)
			a.Beaten.Store(true)
			call.Done(Outcome{Err: context.Canceled})
		}
		if s := c.Snapshot().Endpoints[0]; s.Reason != "5 calls in a row failed, the last with no answer" {
			t.Errorf("got %+v", s)
		}
	})
}

// A deadline of the caller convicts a replica when the others are much faster,
// however long it has been hanging itself.
func TestDeadlines(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		for range tripConsecutive {
			call := begin(p, 0, nil)
			time.Sleep(time.Second)
			call.Done(Outcome{Err: context.DeadlineExceeded})
		}
		if s := c.Snapshot().Endpoints[0]; s.Breaker != "open" {
			t.Errorf("got %+v", s)
		}
	})
}

// Replicas that refuse get fewer calls, and their breakers stay closed.
func TestRefusals(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		for range 50 {
			begin(p, 0, nil).Done(Outcome{Err: status.Error(codes.ResourceExhausted, "full")})
			begin(p, 0, nil).Done(Outcome{Err: errDown, Refused: true})
		}
		got := make(map[int]int)
		for range 1000 {
			place, call := pick(t, p, nil)
			call.Done(Outcome{})
			got[place]++
		}
		if got[0] > 10 || c.open.Load() != 0 {
			t.Errorf("got %v, %+v", got, c.Snapshot())
		}
	})
}

// Members leave, and more than half of those that stay are open.
func TestSurplusIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(Options{})
		p := c.Picker(members(5))
		open(t, p, 0)
		time.Sleep(time.Millisecond)
		open(t, p, 1)
		p = c.Picker(members(3))
		if n := c.open.Load(); n != 1 || p.endpoints[0].openUntil.Load() != 0 {
			t.Errorf("%d are open: %+v", n, c.Snapshot())
		}
		c.Picker(members(5)[2:])
		if n := c.open.Load(); n != 0 {
			t.Errorf("%d are open that are no members", n)
		}
	})
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		c := NewCluster(Options{Events: func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, e.Instance+" "+e.State)
		}})
		p := c.Picker(members(2))
		open(t, p, 1)
		time.Sleep(1300 * time.Millisecond)
		_, probe := pick(t, p, &Attempt{Idempotent: true})
		probe.Done(Outcome{})
		synctest.Wait()
		if s := strings.Join(got, ", "); s != "r001 open, r001 half-open, r001 closed" {
			t.Error(s)
		}
	})
}

// Whoever is told and does not return holds nobody up, and a bounded number waits.
func TestSlowListener(t *testing.T) {
	var n news
	release, told := make(chan struct{}), make(chan struct{}, 3*newsBound)
	for range 3 * newsBound {
		n.tell(func() { <-release; told <- struct{}{} })
	}
	close(release)
	done := make(chan struct{})
	n.tell(func() {})
	go func() {
		for range newsBound {
			<-told
		}
		close(done)
	}()
	<-done
	if len(told) > 1 {
		t.Errorf("%d more than the bound", len(told))
	}
}

// Fewer than half can be used: breakers no longer decide.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(Options{Service: "a.v1.AService"})
		list := members(4)
		p := c.Picker(list)
		open(t, p, 0)
		open(t, p, 1)
		if _, call := pick(t, p, nil); c.Snapshot().Panic {
			t.Error("half of them is enough")
		} else {
			call.Done(Outcome{})
		}
		list[2].Connectivity = connectivity.TransientFailure
		p = c.Picker(list)
		got := make(map[int]int)
		for range 1000 {
			place, call := pick(t, p, nil)
			call.Done(Outcome{})
			got[place]++
		}
		if !c.Snapshot().Panic || got[3] < 600 || got[2] > 0 {
			t.Errorf("got %v", got)
		}
	})
}
