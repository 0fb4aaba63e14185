package status

import (
	"fmt"
	"slices"
	"strings"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// Text returns a status as a person reads it: a row for each service, then how far
// its clients agree, then etcd.
func Text(m *meshv1.MeshStatus, style Style) string {
	s := &screen{width: style.Width, color: style.Color}
	if t := overview(m); len(t.rows) > 0 {
		t.print(s)
	} else {
		s.line(alarm, nobody)
	}
	below := &table{columns: []column{{}, {}}}
	for _, is := range m.Services {
		for _, a := range is.Agreements {
			below.add(len(a.Differences) > 0, agreement(a), a.Client+" → "+is.Name)
		}
	}
	below.add(m.Registry.GetError() != "" || broken(m.Registry) > 0, []string{registry(m.Registry)}, "etcd")
	s.WriteString("\n")
	below.body(s)
	if style.Wide {
		wide(m, s)
	}
	return s.String()
}

// overview has a row for each service.
func overview(m *meshv1.MeshStatus) *table {
	t := &table{columns: []column{
		{title: "SERVICE"}, {title: "REPLICAS", spare: 1}, {title: "ZONES", spare: 7}, {title: "VERSION", spare: 6}, {title: "RPS", right: true, spare: 3},
		{title: "ERR%", right: true, spare: 2}, {title: "P50", right: true, spare: 5}, {title: "P99", right: true, spare: 4}, {title: "STATE"},
	}}
	for _, is := range m.Services {
		cells := []string{is.Name, replicas(is), zones(is), versions(is), "-", "-", "-", "-"}
		if is.Service != "" {
			copy(cells[4:], []string{rate(is.RequestsPerSecond), "-", latency(is.P50), latency(is.P99)})
		}
		if is.RequestsPerSecond > 0 {
			cells[5] = percent(is.ErrorRate)
		}
		t.add(len(is.Problems) > 0, state(is), cells...)
	}
	return t
}

// state is what to say about a service: its problems, or who is about to leave, or
// that all is well. How clients disagree is told below.
func state(is *meshv1.ServiceStatus) []string {
	var differences []string
	for _, a := range is.Agreements {
		differences = append(differences, a.Differences...)
	}
	said := slices.DeleteFunc(slices.Clone(is.Problems), func(p string) bool { return slices.Contains(differences, p) })
	for _, i := range is.Instances {
		if i.Draining {
			said = append(said, i.Name+" is draining")
		}
	}
	if len(said) == 0 {
		return []string{"ok"}
	}
	return said
}

func replicas(is *meshv1.ServiceStatus) string {
	registered := 0
	for _, i := range is.Instances {
		if i.Registered {
			registered++
		}
	}
	return fmt.Sprintf("%d/%d", is.Usable, registered)
}

func zones(is *meshv1.ServiceStatus) string {
	var all []string
	for _, i := range is.Instances {
		if i.Zone != "" {
			all = append(all, i.Zone)
		}
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) > 0 {
		return strings.Join(all, " ")
	}
	return "-"
}

// versions lists what runs. A star marks what fewer instances run than another.
func versions(is *meshv1.ServiceStatus) string {
	count, most := make(map[string]int), 0
	var all []string
	for _, i := range is.Instances {
		if i.Version == "" {
			continue
		}
		v := shortVersion(i.Version)
		if count[v]++; count[v] == 1 {
			all = append(all, v)
		}
		most = max(most, count[v])
	}
	slices.Sort(all)
	for n, v := range all {
		if count[v] < most {
			all[n] += "*"
		}
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ", ")
}

// agreement tells how many clients see the same, and what the others see.
func agreement(a *meshv1.Agreement) []string {
	if a.Clients == 1 {
		return []string{"1 client"}
	}
	if a.Agreeing == a.Clients {
		return []string{fmt.Sprintf("%d clients agree", a.Clients)}
	}
	return append([]string{fmt.Sprintf("%d of %d clients agree", a.Agreeing, a.Clients)}, a.Differences...)
}

// registry tells of etcd's members.
func registry(r *meshv1.RegistryStatus) string {
	if r.GetError() != "" {
		return r.Error
	}
	if len(r.GetMembers()) == 0 {
		return "no members known"
	}
	text := fmt.Sprintf("%d/%d members", len(r.Members)-broken(r), len(r.Members))
	leader := "no leader"
	for _, m := range r.Members {
		if m.Leader {
			leader = "leader " + m.Name
		}
	}
	text += ", " + leader
	for _, m := range r.Members {
		for _, p := range m.Problems {
			text += ", " + m.Name + ": " + p
		}
	}
	return text
}

// broken counts the members that something is wrong with.
func broken(r *meshv1.RegistryStatus) int {
	n := 0
	for _, m := range r.GetMembers() {
		if !m.Answered || len(m.Problems) > 0 {
			n++
		}
	}
	return n
}
