package balance

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/connectivity"
)

// spread makes 10,000 calls that are answered at once, and returns the per cent that
// each kind of member got.
func spread(t *testing.T, c *Cluster, members []Member, kind func(Member) string) map[string]float64 {
	t.Helper()
	p := c.Picker(members)
	got := make(map[string]float64)
	for range 10_000 {
		var call Call
		i, ok := p.Pick("", &Attempt{}, &call)
		if !ok {
			t.Fatal("nobody was chosen")
		}
		call.Done(Outcome{})
		got[kind(members[i])] += 0.01
	}
	return got
}

func wantShares(t *testing.T, got, want map[string]float64, within float64) {
	t.Helper()
	for kind, share := range want {
		if math.Abs(got[kind]-share) > within {
			t.Errorf("%q gets %.2f %%, want %.2f", kind, got[kind], share)
		}
	}
	for kind, share := range got {
		if want[kind] == 0 && share > 0 {
			t.Errorf("%q gets %.2f %%, want none", kind, share)
		}
	}
}

func versionOf(m Member) string { return m.Version }
func zoneOf(m Member) string    { return m.Zone }
func id(m Member) string        { return m.Instance }

// with returns the members with something changed.
func with(members []Member, change func(i int, m *Member)) []Member {
	for i := range members {
		change(i, &members[i])
	}
	return members
}

func TestSplit(t *testing.T) {
	for _, canary := range []float64{0, 1, 5, 50, 100} {
		t.Run(fmt.Sprint(canary), func(t *testing.T) {
			c := NewCluster(Options{})
			c.Configure(Settings{Split: map[string]float64{"v2": canary}})
			list := with(members(5), func(i int, m *Member) { m.Version = []string{"v1", "v2", "v0"}[i%3] })
			got := spread(t, c, list, versionOf)
			if stable := got["v0"] + got["v1"]; math.Abs(got["v2"]-canary) > 0.5 || math.Abs(stable-(100-canary)) > 0.5 {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSplitOfVersions(t *testing.T) {
	list := with(members(3), func(i int, m *Member) { m.Version = []string{"v1", "v2", "v3"}[i] })
	for name, test := range map[string]struct{ split, want map[string]float64 }{
		"all named":         {map[string]float64{"v1": 20, "v2": 30, "v3": 50}, map[string]float64{"v1": 20, "v2": 30, "v3": 50}},
		"one is not there":  {map[string]float64{"v1": 25, "v9": 50}, map[string]float64{"v1": 50, "v2": 25, "v3": 25}},
		"nobody is there":   {map[string]float64{"v9": 100}, map[string]float64{"v1": 33.3, "v2": 33.3, "v3": 33.3}},
		"too much":          {map[string]float64{"v1": 100, "v2": 300}, map[string]float64{"v1": 50, "v2": 50}},
		"only the others":   {map[string]float64{"v1": 0}, map[string]float64{"v2": 50, "v3": 50}},
		"negative":          {map[string]float64{"v1": -5}, map[string]float64{"v2": 50, "v3": 50}},
		"nothing said":      {nil, map[string]float64{"v1": 33.3, "v2": 33.3, "v3": 33.3}},
		"nobody gets calls": {map[string]float64{"v1": 0, "v2": 0, "v3": 0}, map[string]float64{"v1": 33.3, "v2": 33.3, "v3": 33.3}},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewCluster(Options{})
			c.Configure(Settings{Split: test.split})
			wantShares(t, spread(t, c, list, versionOf), test.want, 2)
		})
	}
}

func TestWeights(t *testing.T) {
	record := with(members(3), func(i int, m *Member) { m.Weight = []int{0, 50, 250}[i] })
	c := NewCluster(Options{})
	wantShares(t, spread(t, c, record, id), map[string]float64{"r000": 25, "r001": 12.5, "r002": 62.5}, 2)
	c.Configure(Settings{Weights: map[string]int{"r002": 0, "r001": 300}})
	wantShares(t, spread(t, c, record, id), map[string]float64{"r000": 25, "r001": 75}, 2)
	c.Configure(Settings{Weights: map[string]int{"r000": 0, "r001": 0, "r002": 0}})
	wantShares(t, spread(t, c, record, id), map[string]float64{"r000": 33.3, "r001": 33.3, "r002": 33.3}, 2)
}

// Weights hold for calls that take time as well.
func TestWeightsUnderLoad(t *testing.T) {
	for _, rate := range []float64{10, 1000} {
		simulate(t, 2, 1, func(w *world) {
			w.rate = rate
			w.cluster.Configure(Settings{Weights: map[string]int{"r000": 10}})
			w.run(60 * time.Second)
			if share := w.share(0); math.Abs(share-1.0/11) > 0.04 {
				t.Errorf("at %v calls/s it gets %.1f %% of the calls, want 9.1", rate, 100*share)
			}
		})
	}
}

func TestZones(t *testing.T) {
	for name, test := range map[string]struct {
		here  string
		zones string // of the endpoints, a letter each
		want  map[string]float64
	}{
		"even":                {"a", "aabbcc", map[string]float64{"a": 100}},
		"more than its part":  {"a", "aaaaab", map[string]float64{"a": 100}},
		"less than its part":  {"b", "aaaaab", map[string]float64{"b": 33.3, "a": 66.7}},
		"spare in proportion": {"c", "aaaabbbcc", map[string]float64{"c": 66.7, "a": 33.3}},
		"none of it":          {"d", "aabbcc", map[string]float64{"a": 33.3, "b": 33.3, "c": 33.3}},
		"too few":             {"a", "abbbb", map[string]float64{"a": 20, "b": 80}},
		"unknown here":        {"", "aabbcc", map[string]float64{"a": 33.3, "b": 33.3, "c": 33.3}},
		"unknown there":       {"a", "aabbcc-", map[string]float64{"a": 28.6, "b": 28.6, "c": 28.6, "": 14.3}},
		"one zone":            {"a", "aaaaaa", map[string]float64{"a": 100}},
	} {
		t.Run(name, func(t *testing.T) {
			list := with(members(len(test.zones)), func(i int, m *Member) {
				if z := test.zones[i : i+1]; z != "-" {
					m.Zone = z
				}
			})
			wantShares(t, spread(t, NewCluster(Options{Zone: test.here}), list, zoneOf), test.want, 2)
		})
	}
}

// When endpoints of the own zone cannot be used, its part shrinks with them.
func TestZoneThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := with(members(8), func(i int, m *Member) { m.Zone = []string{"a", "b"}[i%2] })
		c := NewCluster(Options{Zone: "a"})
		p := c.Picker(list)
		for _, i := range []int{0, 2} {
			open(t, p, i)
		}
		got := spread(t, c, list, zoneOf)
		wantShares(t, got, map[string]float64{"a": 66.7, "b": 33.3}, 2)
		list[6].Connectivity, list[4].Connectivity = connectivity.Connecting, connectivity.Connecting
		wantShares(t, spread(t, c, list, zoneOf), map[string]float64{"b": 100}, 0.01)
	})
}
