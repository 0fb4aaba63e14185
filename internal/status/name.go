package status

import (
	"cmp"
	"slices"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// fewestLetters of an id are shown.
const fewestLetters = 3

// names gives every instance a short name, "social-7c9": the part and the last
// letters of the id, where random ones are.
func (m *merger) names() map[replica]string {
	byPart := make(map[string][]string)
	add := func(r replica) {
		if !slices.Contains(byPart[r.part], r.id) {
			byPart[r.part] = append(byPart[r.part], r.id)
		}
	}
	for _, s := range m.services {
		for r := range s.instances {
			add(r)
		}
	}
	for _, a := range m.answers {
		add(replica{a.part, a.id})
	}
	names := make(map[replica]string)
	for part, ids := range byPart {
		n := distinct(ids)
		for _, id := range ids {
			names[replica{part, id}] = cmp.Or(part, "?") + "-" + last(id, n)
		}
	}
	return names
}

// distinct returns how many letters from the end tell ids from each other.
func distinct(ids []string) int {
	for n := fewestLetters; ; n++ {
		seen, again := make(map[string]bool), false
		for _, id := range ids {
			again = again || seen[last(id, n)]
			seen[last(id, n)] = true
		}
		if !again {
			return n
		}
	}
}

func last(id string, n int) string { return id[max(0, len(id)-n):] }

// nameServices calls a service by its part when that has no other.
func nameServices(services []*meshv1.ServiceStatus) {
	count := make(map[string]int)
	for _, s := range services {
		for _, part := range s.Parts {
			count[part]++
		}
	}
	for _, s := range services {
		s.Name = s.Service
		if len(s.Parts) == 1 && count[s.Parts[0]] == 1 || s.Service == "" {
			s.Name = s.Parts[0]
		}
	}
	slices.SortStableFunc(services, func(a, b *meshv1.ServiceStatus) int { return cmp.Compare(a.Name, b.Name) })
}
