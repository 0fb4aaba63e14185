package mesh

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// roster is a membership under test. Its times are those of a bubble.
type roster struct {
	*membership
	t      *testing.T
	events map[string]int
}

func newRoster(t *testing.T) *roster {
	r := &roster{t: t, events: make(map[string]int)}
	m := &Mesh{config: Config{ID: "me", Events: func(e Event) { r.events[e.Kind]++ }}, log: slog.New(slog.DiscardHandler)}
	r.membership = newMembership(m, "a.v1.A", m.config.Subset)
	return r
}

func (r *roster) lists(instances ...discovery.Instance) {
	r.list(instances, time.Now())
}

// calls checks who is called; suspects have a question mark.
func (r *roster) calls(want ...string) {
	r.t.Helper()
	var got []string
	members, _, answered := r.choose(time.Now())
	for _, m := range members {
		if m.suspect {
			m.ID += "?"
		}
		got = append(got, m.ID)
	}
	if !answered || !slices.Equal(got, want) {
		r.t.Errorf("called are %v, want %v", got, want)
	}
}

func (r *roster) connect(ready bool, instances ...discovery.Instance) {
	for _, i := range instances {
		r.connected(i.ID, i.Address, ready)
	}
}

// instance n is at the port n.
func instance(n int) discovery.Instance {
	return discovery.Instance{ID: fmt.Sprintf("i%04d", n), Service: "a.v1.A", Address: fmt.Sprintf("h:%d", n), Digest: "d"}
}

func instances(n int) []discovery.Instance {
	var list []discovery.Instance
	for i := range n {
		list = append(list, instance(i+1))
	}
	return list
}

func draining(i discovery.Instance) discovery.Instance {
	i.Draining = true
	return i
}

func inBubble(t *testing.T, test func(*roster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newRoster(t)) })
}

func TestNoListNoAnswer(t *testing.T) {
	inBubble(t, func(r *roster) {
		if _, _, answered := r.choose(time.Now()); answered {
			t.Error("answered without a list")
		}
		r.lists()
		r.calls()
	})
}

// A registry that has lost all leases lists nobody. Who can be reached is called.
func TestMassExpiry(t *testing.T) {
	inBubble(t, func(r *roster) {
		r.lists(instances(3)...)
		r.connect(true, instances(3)...)
		r.lists()
		r.calls("i0001?", "i0002?", "i0003?")
		if r.events[string(discovery.Shrunk)] != 1 || r.events[string(discovery.Missed)] != 3 {
			t.Errorf("events: %v", r.events)
		}
		time.Sleep(discovery.MissedFor - 1)
		r.calls("i0001?", "i0002?", "i0003?")
		time.Sleep(time.Nanosecond)
		r.calls()
	})
}

func TestBackAgain(t *testing.T) {
	inBubble(t, func(r *roster) {
		r.lists(instances(2)...)
		r.connect(true, instances(2)...)
		r.lists(instance(2))
		r.calls("i0001?", "i0002")
		r.lists(instances(2)...)
		r.calls("i0001", "i0002")
	})
}

// Who says goodbye is gone at once, although its connection is still there.
func TestGoodbye(t *testing.T) {
	inBubble(t, func(r *roster) {
		r.lists(instances(2)...)
		r.connect(true, instances(2)...)
		r.lists(draining(instance(1)), instance(2))
		r.calls("i0002")
		r.lists(instance(2))
		r.calls("i0002")
		r.lists(draining(instance(2)))
		r.calls("i0002") // nobody else is there
		r.lists()
		r.calls()
		if r.events[string(discovery.Missed)]+r.events[string(discovery.Shrunk)] > 0 {
			t.Errorf("events: %v", r.events)
		}
	})
}

// A suspect whose connection is lost has a moment to make another.
func TestSuspectLosesItsConnection(t *testing.T) {
	inBubble(t, func(r *roster) {
		r.lists(instances(2)...)
		r.connect(true, instances(2)...)
		r.lists(instance(2))
		time.Sleep(time.Minute)
		r.connect(false, instance(1))
		r.calls("i0001?", "i0002")
		time.Sleep(reconnecting / 2)
		r.connect(true, instance(1)) // the connection was only old
		time.Sleep(time.Minute)
		r.calls("i0001?", "i0002")

		r.connect(false, instance(1))
		_, until, _ := r.choose(time.Now())
		if left := time.Until(until); left != reconnecting {
			t.Errorf("asks again in %s", left)
		}
		time.Sleep(time.Until(until))
		r.calls("i0002")
		if r.events[string(discovery.Dropped)] != 1 {
			t.Errorf("events: %v", r.events)
		}
	})
}

// A replica that was killed is not reachable when its lease ends, 15 s later.
func TestKilledReplicaIsNoSuspect(t *testing.T) {
	inBubble(t, func(r *roster) {
		r.lists(instances(3)...)
		r.connect(true, instances(3)...)
		r.connect(false, instance(1))
		time.Sleep(15 * time.Second)
		r.lists(instance(2), instance(3))
		r.calls("i0002", "i0003")
	})
}

// A list from disk is replaced by that of an etcd which has lost its data, before
// there are connections.
func TestEmptyListAtOnce(t *testing.T) {
	inBubble(t, func(r *roster) {
		r.lists(instances(2)...)
		time.Sleep(time.Second)
		r.lists()
		r.calls("i0001?", "i0002?")
		r.connect(true, instance(1))
		time.Sleep(reconnecting)
		r.calls("i0001?")
	})
}

// A process that starts again at the same port, or with the same id at another,
// takes the place of the one before.
func TestReplacement(t *testing.T) {
	inBubble(t, func(r *roster) {
		r.lists(instance(1))
		r.connect(true, instance(1))
		next := instance(2)
		next.Address = instance(1).Address
		r.lists(next)
		r.calls("i0002")
		moved := next
		moved.Address = "h:9"
		r.lists(moved)
		r.calls("i0002")
		r.connect(true, next) // comes late, and is of the connection before
		time.Sleep(reconnecting)
		r.lists()
		r.calls()
	})
}

func TestWakes(t *testing.T) {
	inBubble(t, func(r *roster) {
		woken := func() bool {
			select {
			case <-r.wake:
				return true
			default:
				return false
			}
		}
		r.lists(instance(1))
		if !woken() {
			t.Error("a list does not wake")
		}
		r.connect(true, instance(1))
		if !woken() {
			t.Error("a connection does not wake")
		}
		r.connect(true, instance(1), instance(2)) // nothing new, and nobody
		if woken() || len(r.links) != 1 {
			t.Errorf("woken by what is not news, links: %v", r.links)
		}
	})
}

func TestShrink(t *testing.T) {
	type update struct {
		after      time.Duration
		size, lost int
		want       bool
	}
	for name, updates := range map[string][]update{
		"the only one":   {{0, 1, 0, false}, {0, 0, 1, true}},
		"half of them":   {{0, 4, 0, false}, {0, 2, 2, false}},
		"more than half": {{0, 4, 0, false}, {0, 1, 3, true}, {0, 1, 0, false}},
		"one by one":     {{0, 4, 0, false}, {time.Second, 3, 1, false}, {time.Second, 2, 1, false}, {time.Second, 1, 1, true}},
		"slowly":         {{0, 4, 0, false}, {11 * time.Second, 3, 1, false}, {11 * time.Second, 2, 1, false}, {11 * time.Second, 1, 1, false}},
		"with a goodbye": {{0, 4, 0, false}, {0, 1, 0, false}},
		"scaled down":    {{0, 30, 0, false}, {0, 3, 1, false}},
		"again":          {{0, 4, 0, false}, {0, 1, 3, true}, {time.Second, 4, 0, false}, {time.Minute, 1, 3, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var s shrink
			now := time.Now()
			for n, u := range updates {
				now = now.Add(u.after)
				if got := s.note(now, u.size, u.lost); got != u.want {
					t.Errorf("update %d: %t, want %t", n, got, u.want)
				}
			}
		})
	}
}

// Who vanished and cannot be reached does not stand before one that drains, and
// answers.
func TestDrainingInstanceBeforeADeadSuspect(t *testing.T) {
	inBubble(t, func(r *roster) {
		r.lists(instance(1), instance(2))
		r.connect(true, instance(1), instance(2))
		r.connect(false, instance(2)) // it was killed
		r.lists(draining(instance(1)))
		r.calls("i0001", "i0002?")
		time.Sleep(reconnecting)
		r.calls("i0001")
	})
}

// Who drains is called until somebody else can be, and not again when that one is
// away for a moment.
func TestDrainingInstanceUntilTheNextIsConnected(t *testing.T) {
	inBubble(t, func(r *roster) {
		r.lists(instance(1))
		r.connect(true, instance(1))
		r.lists(draining(instance(1)), instance(2))
		r.calls("i0001", "i0002")
		r.connect(true, instance(2))
		r.calls("i0002")
		r.connect(false, instance(2))
		r.calls("i0002")
	})
}
