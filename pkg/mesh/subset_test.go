package mesh

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func membersOf(n int) []member {
	var all []member
	for _, i := range instances(n) {
		all = append(all, member{Instance: i})
	}
	return all
}

func clientSubset(limit, client int) subset {
	return subset{limit: limit, client: fmt.Sprint("client-", client)}
}

// churn is how many connections are made when one list takes the place of another.
func churn(before, after []member) (made int) {
	for _, m := range after {
		if !slices.Contains(before, m) {
			made++
		}
	}
	return made
}

func TestSmallServicesAreWhole(t *testing.T) {
	for _, limit := range []int{60, 0, -1} {
		if got := clientSubset(limit, 1).of(membersOf(60)); len(got) != 60 {
			t.Errorf("limit %d: %d of 60", limit, len(got))
		}
	}
	if got := clientSubset(-1, 1).of(membersOf(1000)); len(got) != 1000 {
		t.Errorf("%d of 1000 without a limit", len(got))
	}
}

// TestSubsetChurn scales a service from 3 to 30 and back, one by one and at once:
// a client makes hardly more connections than its subset has.
func TestSubsetChurn(t *testing.T) {
	const limit = 10
	for client := range 100 {
		s := clientSubset(limit, client)
		list := s.of(membersOf(3))
		made := 0
		for n := 4; n <= 30; n++ {
			next := s.of(membersOf(n))
			if once := churn(list, next); once > 2 {
				t.Fatalf("client %d: %d new connections for one new instance", client, once)
			}
			made, list = made+churn(list, next), next
		}
		for n := 29; n >= 3; n-- {
			next := s.of(membersOf(n))
			if once := churn(list, next); once > 2 {
				t.Fatalf("client %d: %d new connections for one that left", client, once)
			}
			list = next
		}
		if up := churn(s.of(membersOf(3)), s.of(membersOf(30))); float64(up) > limit*1.2 {
			t.Errorf("client %d: %d new connections when 27 come at once", client, up)
		}
	}
}

// TestSubsetOfAThousand has a thousand clients of a thousand instances, of which a
// tenth is replaced.
func TestSubsetOfAThousand(t *testing.T) {
	const clients, limit = 1000, 60
	before := membersOf(1100)[:1000]
	after := membersOf(1100)[100:]
	load := make(map[string]int)
	total := 0
	for client := range clients {
		s := clientSubset(limit, client)
		list := s.of(before)
		if len(list) != limit {
			t.Fatalf("%d members", len(list))
		}
		for _, m := range list {
			load[m.ID]++
		}
		made := churn(list, s.of(after))
		if float64(made) > limit*1.2 {
			t.Errorf("client %d: %d new connections", client, made)
		}
		total += made
	}
	// A tenth of the instances is new, so a tenth of the connections is.
	if mean := float64(total) / clients; mean < 0.07*limit || mean > 0.14*limit {
		t.Errorf("%.1f new connections for each client", mean)
	}
	fair(t, load, before, limit*clients/float64(len(before)))
}

// fair checks that the clients of each instance are as many as chance leaves them:
// within five standard deviations, which one test in a thousand of this size would
// not be.
func fair(t *testing.T, load map[string]int, all []member, mean float64) {
	t.Helper()
	least, most := math.MaxInt, 0
	for _, m := range all {
		least, most = min(least, load[m.ID]), max(most, load[m.ID])
	}
	t.Logf("between %d and %d clients, %.0f in the mean", least, most, mean)
	if slack := 5 * math.Sqrt(mean); float64(least) < mean-slack || float64(most) > mean+slack {
		t.Errorf("not fair")
	}
}

// Each version of the API and the zone of the client have two members, if there are
// as many, however few they are among all.
func TestSubsetHasEveryKind(t *testing.T) {
	all := membersOf(500)
	for n := range all {
		all[n].Zone = "far"
	}
	all[7].Zone, all[8].Zone, all[9].Zone = "near", "near", "near"
	all[20].Digest = "new"
	all[30].Digest, all[31].Digest, all[32].Digest = "old", "old", "old"
	for client := range 50 {
		s := clientSubset(20, client)
		s.zone = "near"
		got := make(map[string]int)
		list := s.of(all)
		for _, m := range list {
			got[m.Zone]++
			got[m.Digest]++
		}
		if len(list) != 20 || got["near"] < 2 || got["new"] != 1 || got["old"] < 2 {
			t.Errorf("client %d: %d members, %v", client, len(list), got)
		}
	}
}

// More kinds than places are no reason to have more places.
func TestSubsetKeepsItsLimit(t *testing.T) {
	all := membersOf(100)
	for n := range all {
		all[n].Digest = fmt.Sprint(n)
	}
	if got := clientSubset(10, 1).of(all); len(got) != 10 {
		t.Errorf("%d members", len(got))
	}
}

// The ranks are part of how releases live side by side.
func TestRankIsFixed(t *testing.T) {
	if got := rank("client", "instance"); got != rankOfTheFirstRelease {
		t.Errorf("%#x", got)
	}
}

const rankOfTheFirstRelease = 0x4c31daf763a6a1b2
