package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// agreements compares, part by part, what the clients of a service see of it: whom
// they know, whom they reach, and whom they leave out.
func (s *service) agreements(names map[replica]string) []*meshv1.Agreement {
	byPart := make(map[string][]client)
	for _, c := range s.clients {
		byPart[c.part] = append(byPart[c.part], c)
	}
	var all []*meshv1.Agreement
	for _, part := range slices.Sorted(maps.Keys(byPart)) {
		all = append(all, s.agreement(part, byPart[part], names))
	}
	return all
}

func (s *service) agreement(part string, clients []client, names map[replica]string) *meshv1.Agreement {
	slices.SortFunc(clients, func(a, b client) int { return compareReplicas(a.replica, b.replica) })
	a := &meshv1.Agreement{Client: part, Clients: int32(len(clients))}
	usual, subsets := s.usual(clients), subsets(clients)
	for _, c := range clients {
		differences := s.differences(c, usual, subsets, names)
		if len(differences) == 0 {
			a.Agreeing++
		}
		a.Differences = append(a.Differences, differences...)
	}
	return a
}

// The ways in which a client can see an instance.
const (
	unknown = "does not know %s"
	usable  = "calls %s"
	failed  = "cannot reach %s"
	leftOut = "leaves %s out"
)

func kind(c client, id string) string {
	for _, i := range c.view.Instances {
		switch {
		case i.Id != id:
		case ejected(i):
			return leftOut
		case i.Connectivity == meshv1.Connectivity_CONNECTIVITY_FAILED:
			return failed
		default:
			return usable
		}
	}
	return unknown
}

// usual is how most clients see each instance, by id.
func (s *service) usual(clients []client) map[string]string {
	usual := make(map[string]string)
	for r := range s.instances {
		count := make(map[string]int)
		for _, c := range clients {
			count[kind(c, r.id)]++
		}
		usual[r.id] = slices.MaxFunc(slices.Sorted(maps.Keys(count)), func(a, b string) int { return cmp.Compare(count[a], count[b]) })
	}
	return usual
}

// subsets says whether each client may know some of the instances only, as clients
// of large services do: all know equally many. One that has missed somebody's
// coming or going knows fewer or more than the others.
func subsets(clients []client) bool {
	return !slices.ContainsFunc(clients, func(c client) bool { return len(c.view.Instances) != len(clients[0].view.Instances) })
}

// differences tells what one client sees otherwise than most.
func (s *service) differences(c client, usual map[string]string, subsets bool, names map[replica]string) []string {
	var all []string
	for _, r := range slices.SortedFunc(maps.Keys(s.instances), compareReplicas) {
		is, most := kind(c, r.id), usual[r.id]
		if is == most || subsets && (is == unknown || most == unknown) {
			continue
		}
		all = append(all, fmt.Sprintf("%s "+is+", unlike the others", names[c.replica], names[r]))
	}
	return all
}
