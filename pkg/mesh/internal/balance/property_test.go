package balance

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// faults are what can be wrong with a replica.
var faults = map[string]func(*replica){
	"well":    func(*replica) {},
	"crashed": func(r *replica) { r.refuses = true },
	"hangs":   func(r *replica) { r.hangs = true },
	"slow":    func(r *replica) { r.takes *= 50 },
	"fails":   func(r *replica) { r.fails = 1 },
	"flaky":   func(r *replica) { r.fails = 0.5 },
}

// phase is a time in which each replica has one fault.
type phase struct {
	lasts  time.Duration
	faults []string
}

func phases(n int) *rapid.Generator[[]phase] {
	names := []string{"well", "crashed", "hangs", "slow", "fails", "flaky"}
	return rapid.Custom(func(t *rapid.T) []phase {
		list := make([]phase, rapid.IntRange(1, 4).Draw(t, "phases"))
		for i := range list {
			list[i].lasts = time.Duration(rapid.IntRange(1, 12).Draw(t, "seconds")) * time.Second
			same := rapid.SampledFrom(append(names, "")).Draw(t, "all")
			for range n {
				fault := same
				if same == "" {
					fault = rapid.SampledFrom(names).Draw(t, "fault")
				}
				list[i].faults = append(list[i].faults, fault)
			}
		}
		return list
	})
}

// Whatever happens to the replicas, a call is sent to one as long as one can be
// reached, to one whose breaker is closed as long as there is one, at most half of
// the breakers are open, no replica gets two probes at once, and a minute after all
// are well again, all breakers are closed and everybody has at least half of a
// fair share of the calls.
func TestWhateverHappens(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				list, seed := phases(n).Draw(rt, "list"), rapid.Uint64().Draw(rt, "seed")
				var broken string
				simulate(t, n, seed, func(w *world) { broken = w.suffer(list) })
				if broken != "" {
					rt.Fatal(broken)
				}
			})
		})
	}
}

// suffer runs the phases and returns what does not hold.
func (w *world) suffer(list []phase) (broken string) {
	w.rate = float64(max(100, 5*len(w.replicas)))
	w.check = func(place int, a *Attempt) {
		if wrong := w.wrong(place, a); wrong != "" && broken == "" {
			broken = wrong
		}
	}
	for _, p := range list {
		for i, r := range w.replicas {
			*r = replica{takes: 5 * time.Millisecond, attempts: r.attempts, probes: r.probes}
			faults[p.faults[i]](r)
		}
		w.connect()
		refused := w.refused
		w.run(p.lasts)
		if w.refused > refused && w.cluster.Ready() > 0 {
			return "a call was refused although a replica could be reached"
		}
	}
	if broken == "" {
		broken = w.recovers()
	}
	return broken
}

// wrong looks at a choice that was just made.
func (w *world) wrong(place int, a *Attempt) string {
	c, e := w.cluster, a.Chosen.Load()
	if open := c.open.Load(); open > int32(len(w.replicas)/2) {
		return fmt.Sprintf("%d of %d breakers are open", open, len(w.replicas))
	}
	if probes := w.replicas[place].probes; probes > 1 {
		return fmt.Sprintf("a replica got %d probes at once", probes)
	}
	if a.start.probe || e.openUntil.Load() == 0 || c.panicking.Load() {
		return ""
	}
	for _, other := range *c.ready.Load() {
		if other.openUntil.Load() == 0 && !slices.Contains(a.Tried, other) {
			return "one with an open breaker was chosen, and another one was not"
		}
	}
	return ""
}

// recovers mends everything and returns what is not as before within a minute.
func (w *world) recovers() string {
	for _, r := range w.replicas {
		*r = replica{takes: 5 * time.Millisecond, probes: r.probes}
	}
	w.connect()
	w.run(time.Minute)
	if open := w.cluster.open.Load(); open != 0 {
		return fmt.Sprintf("%d breakers are still open", open)
	}
	w.clear()
	w.run(time.Minute)
	if w.lost > 0 || w.refused > 0 {
		return fmt.Sprintf("%d calls failed, %d were refused", w.lost, w.refused)
	}
	for i := range w.replicas {
		if share := w.share(i) * float64(len(w.replicas)); share < 0.5 {
			return fmt.Sprintf("a replica has only %.2f of its share", share)
		}
	}
	return ""
}
