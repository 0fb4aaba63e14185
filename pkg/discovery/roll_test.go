package discovery_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

func at(id, address string) discovery.Instance {
	return discovery.Instance{ID: id, Service: "a.v1.A", Address: address}
}

func missedIDs(r *discovery.Roll, now time.Time) []string {
	var ids []string
	list, _ := r.Missed(now)
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	return ids
}

func TestRoll(t *testing.T) {
	start := time.Now()
	a, b := at("a", "h:1"), at("b", "h:2")
	draining := a
	draining.Draining = true
	for name, test := range map[string]struct {
		lists [][]discovery.Instance
		after time.Duration
		want  []string
	}{
		"nobody has gone":     {[][]discovery.Instance{{a, b}}, 0, nil},
		"without a word":      {[][]discovery.Instance{{a, b}, {b}}, 0, []string{"a"}},
		"all at once":         {[][]discovery.Instance{{a, b}, {}}, 0, []string{"a", "b"}},
		"with a goodbye":      {[][]discovery.Instance{{a, b}, {draining, b}, {b}}, 0, nil},
		"back again":          {[][]discovery.Instance{{a, b}, {b}, {a, b}}, 0, nil},
		"address taken":       {[][]discovery.Instance{{a, b}, {at("c", "h:1"), b}}, 0, nil},
		"address taken later": {[][]discovery.Instance{{a, b}, {b}, {at("c", "h:1"), b}}, 0, nil},
		"almost for too long": {[][]discovery.Instance{{a, b}, {b}}, discovery.MissedFor - 1, []string{"a"}},
		"for too long":        {[][]discovery.Instance{{a, b}, {b}}, discovery.MissedFor, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var r discovery.Roll
			for _, list := range test.lists {
				r.Update(list, start)
			}
			if got := missedIDs(&r, start.Add(test.after)); !slices.Equal(got, test.want) {
				t.Errorf("missed are %v, want %v", got, test.want)
			}
		})
	}
}

func TestRollDrops(t *testing.T) {
	var r discovery.Roll
	now := time.Now()
	a, b := at("a", "h:1"), at("b", "h:2")
	r.Update([]discovery.Instance{a, b}, now)
	if lost := r.Update([]discovery.Instance{b}, now); lost != 1 {
		t.Errorf("%d were lost, want 1", lost)
	}
	r.Drop(a)
	r.Drop(b)
	if got := missedIDs(&r, now); got != nil || len(r.Listed()) != 1 {
		t.Errorf("missed are %v, listed %v", got, r.Listed())
	}
}

// Whatever lists come: nobody is listed and missed at once, no address has two
// instances because of one that is missed, and who is missed was listed once.
func TestRollAlways(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r discovery.Roll
		now, seen := time.Now(), make(map[string]bool)
		for range rapid.IntRange(1, 20).Draw(t, "updates") {
			var list []discovery.Instance
			for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 0, 10, rapid.ID[int]).Draw(t, "ids") {
				i := at(fmt.Sprint(n), fmt.Sprint("h:", rapid.IntRange(1, 5).Draw(t, "port")))
				i.Draining = rapid.Bool().Draw(t, "draining")
				list, seen[i.ID] = append(list, i), true
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "seconds")) * time.Second)
			r.Update(list, now)
			missed, _ := r.Missed(now)
			for _, m := range missed {
				clash := slices.ContainsFunc(list, func(i discovery.Instance) bool { return i.ID == m.ID || i.Address == m.Address })
				if clash || m.Draining || !seen[m.ID] {
					t.Fatalf("%+v is missed, listed are %+v", m, list)
				}
			}
		}
	})
}
