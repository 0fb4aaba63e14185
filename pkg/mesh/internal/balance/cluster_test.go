package balance

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/connectivity"
)

// What is known of a replica stays when connections change, and goes with it.
func TestStateOutlivesPickers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(Options{})
		list := members(3)
		p := c.Picker(list)
		open(t, p, 0)
		list[0].Connectivity = connectivity.Connecting
		c.Picker(list)
		list[0].Connectivity = connectivity.Ready
		c.Picker(list)
		if s := c.Snapshot().Endpoints[0]; s.Breaker != "open" {
			t.Errorf("after a new connection: %+v", s)
		}
		c.Picker(list[1:])
		if n := len(c.Snapshot().Endpoints); n != 2 {
			t.Errorf("%d endpoints of 2 members", n)
		}
		c.Picker(list)
		if s := c.Snapshot().Endpoints[0]; s.Breaker != "closed" {
			t.Errorf("after it left and came back: %+v", s)
		}
		list[0].Address = "10.1.1.1:80"
		c.Picker(list)
		if s := c.Snapshot().Endpoints[0]; s.Address != "10.1.1.1:80" || len(c.Snapshot().Endpoints) != 3 {
			t.Errorf("at another address: %+v", s)
		}
	})
}

func TestRepeatedMember(t *testing.T) {
	list := append(members(2), members(2)...)
	got := spread(t, NewCluster(Options{}), list, id)
	wantShares(t, got, map[string]float64{"r000": 50, "r001": 50}, 2)
}

func TestNobody(t *testing.T) {
	c := NewCluster(Options{})
	if _, ok := c.Picker(nil).Pick("", nil, new(Call)); ok || c.Ready() != 0 {
		t.Error("somebody was chosen of nobody")
	}
	list := members(2)
	for i := range list {
		list[i].Connectivity = connectivity.TransientFailure
	}
	if _, ok := c.Picker(list).Pick("", nil, new(Call)); ok {
		t.Error("somebody was chosen who is not connected")
	}
}

// Only those that have a method are called, open breaker or not.
func TestMethods(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, _ *Picker) {
		list := with(members(4), func(i int, m *Member) {
			m.Serves = func(method string) bool { return i < 2 && method != "/a/None" || method == "/a/Old" }
		})
		p := c.Picker(list)
		open(t, p, 0)
		for range 100 {
			var call Call
			if place, ok := p.Pick("/a/New", nil, &call); place != 1 || !ok {
				t.Fatalf("chose %d, %v", place, ok)
			}
			call.Done(Outcome{})
		}
		list[1].Connectivity = connectivity.Connecting
		p = c.Picker(list)
		if place, ok := p.Pick("/a/New", nil, new(Call)); place != 0 || !ok {
			t.Errorf("chose %d, %v when only that one has it", place, ok)
		}
		if _, ok := p.Pick("/a/None", nil, new(Call)); !ok {
			return
		}
		t.Error("somebody was chosen who has not the method")
	})
}

// Those that were tried come last, after those whose breaker is open.
func TestTried(t *testing.T) {
	three(t, func(t *testing.T, c *Cluster, p *Picker) {
		a := &Attempt{Idempotent: true}
		var order []int
		open(t, p, 1)
		for range 4 {
			place, call := pick(t, p, a)
			call.Done(Outcome{Err: context.Canceled})
			order = append(order, place)
			a = &Attempt{Idempotent: true, Tried: append(a.Tried, a.Chosen.Load())}
		}
		if order[0]+order[1] != 2 || order[2] != 1 {
			t.Errorf("the order is %v", order)
		}
	})
}

// Who joins later gets few calls at first; those that are there from the start do
// not.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(Options{})
		share := func(n int) float64 { return spread(t, c, members(n), id)["r003"] }
		if got := share(4); got < 23 {
			t.Errorf("at the start of all: %.1f %%", got)
		}
		c.Picker(members(3))
		time.Sleep(warmFor + time.Second)
		var got []float64
		for range 4 {
			got = append(got, share(4))
			time.Sleep(warmFor / 3)
		}
		if got[0] < 1 || got[0] > 5 || got[1] > 12 || got[1] < 5 || got[2] < 12 || got[3] < 23 {
			t.Errorf("per cent of the calls every 10 s: %.1f", got)
		}
	})
}

// A connection that is made anew is no new start, one that was away is.
func TestReconnect(t *testing.T) {
	for gone, slow := range map[time.Duration]bool{away / 2: false, 2 * away: true} {
		synctest.Test(t, func(t *testing.T) {
			c := NewCluster(Options{})
			list := members(3)
			c.Picker(list)
			time.Sleep(2 * warmFor)
			list[0].Connectivity = connectivity.Idle
			c.Picker(list)
			time.Sleep(gone)
			list[0].Connectivity = connectivity.Ready
			if got := spread(t, c, list, id)["r000"]; (got < 10) != slow {
				t.Errorf("away for %s, it gets %.1f %%", gone, got)
			}
		})
	}
}

func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(Options{Service: "a.v1.AService"})
		list := with(members(2), func(i int, m *Member) { m.Version, m.Zone, m.Weight = "v1", "z", 50*i })
		p := c.Picker(list)
		c.Configure(Settings{Weights: map[string]int{"r000": 7}})
		for range 90 {
			call := begin(p, 1, nil)
			time.Sleep(20 * time.Millisecond)
			call.Done(Outcome{})
		}
		begin(p, 1, &Attempt{Stream: true})
		begin(p, 1, nil)
		for range 9 {
			begin(p, 0, nil).Done(Outcome{})
		}
		begin(p, 0, nil).Done(Outcome{Err: errDown})
		s := c.Snapshot()
		a, b := s.Endpoints[0], s.Endpoints[1]
		if s.Service != "a.v1.AService" || s.Panic || a.Weight != 7 || b.Weight != 50 || a.Version != "v1" || a.Zone != "z" {
			t.Errorf("got %+v", s)
		}
		if a.ErrorRate != 0.1 || a.Rate < 5 || a.Rate > 6 || a.Share < 0.09 || a.Share > 0.1 || b.InFlight != 2 || b.ErrorRate != 0 {
			t.Errorf("got %+v", s)
		}
		if b.P50 < 16*time.Millisecond || b.P99 > 24*time.Millisecond || b.Connectivity != "READY" || b.Breaker != "closed" || !b.Since.IsZero() {
			t.Errorf("got %+v", b)
		}
	})
}

// Everything at once; the race detector looks on.
func TestConcurrentUse(t *testing.T) {
	c := NewCluster(Options{Zone: "a", Events: func(Event) {}})
	list := with(members(9), func(i int, m *Member) { m.Zone = []string{"a", "b"}[i%2] })
	picker := make(chan *Picker, 1)
	picker <- c.Picker(list)
	current := func() *Picker { p := <-picker; picker <- p; return p }
	stop := make(chan struct{})
	var callers, others sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for i := range 5000 {
				a := &Attempt{Idempotent: i%3 > 0, Stream: i%7 == 0}
				var call Call
				place, ok := current().Pick("", a, &call)
				if !ok {
					t.Error("nobody was chosen")
					return
				}
				a.Answered()
				if place < 3 {
					call.Done(Outcome{Err: errDown})
					continue
				}
				call.Done(Outcome{})
			}
		})
	}
	others.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				c.Configure(Settings{Split: map[string]float64{"": float64(i % 100)}})
				c.Snapshot()
				<-picker
				picker <- c.Picker(list[:7+i%3])
			}
		}
	})
	callers.Wait()
	close(stop)
	others.Wait()
	if open := c.open.Load(); open < 0 || open > 4 {
		t.Errorf("%d breakers are open", open)
	}
}

// The context of an attempt carries it.
func TestAttemptOf(t *testing.T) {
	a := new(Attempt)
	if AttemptOf(WithAttempt(t.Context(), a)) != a || AttemptOf(t.Context()) != nil {
		t.Error("the attempt is not in its context alone")
	}
	if n := testing.AllocsPerRun(100, func() { WithAttempt(t.Context(), a) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
