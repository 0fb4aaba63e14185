package status

import (
	"fmt"
	"strings"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// wide shows what every instance of every part has told: what it sees of each
// instance that it calls, what its calls as a whole cost, and how it is itself.
func wide(m *meshv1.MeshStatus, s *screen) {
	names := make(map[string]string) // of an instance, by service and id
	for _, is := range m.Services {
		for _, i := range is.Instances {
			names[is.Service+" "+i.Id] = i.Name
		}
	}
	for _, t := range []*table{sights(m, names), calls(m), servers(m)} {
		if len(t.rows) > 0 {
			s.WriteString("\n")
			t.print(s)
		}
	}
}

// sights has a row for each client and each instance that it may call.
func sights(m *meshv1.MeshStatus, names map[string]string) *table {
	t := &table{columns: []column{
		{title: "CLIENT"}, {title: "INSTANCE"}, {title: "ADDRESS", spare: 6}, {title: "SHARE%", right: true, spare: 1}, {title: "RPS", right: true, spare: 2},
		{title: "ERR%", right: true, spare: 1}, {title: "P50", right: true, spare: 4}, {title: "P99", right: true, spare: 3}, {title: "IN FLIGHT", right: true, spare: 5}, {title: "SEEN AS"},
	}}
	for _, p := range m.Parts {
		for _, service := range p.View.GetServices() {
			for _, i := range service.Instances {
				t.add(ejected(i) || i.Connectivity == meshv1.Connectivity_CONNECTIVITY_FAILED, []string{seenAs(i)},
					p.Name, names[service.Service+" "+i.Id], i.Address, percent(i.Share), rate(i.RequestsPerSecond),
					percent(i.ErrorRate), latency(i.P50), latency(i.P99), number(i.InFlight))
			}
		}
	}
	return t
}

// seenAs tells in a few words what a client knows of an instance.
func seenAs(i *meshv1.InstanceView) string {
	words := []string{strings.ToLower(strings.TrimPrefix(i.Connectivity.String(), "CONNECTIVITY_"))}
	if i.Draining {
		words = append(words, "draining")
	}
	if i.Suspect {
		words = append(words, "gone from the registry")
	}
	if i.Weight != 100 {
		words = append(words, fmt.Sprintf("weight %d", i.Weight))
	}
	if ejected(i) {
		b := i.Breaker
		words = append(words, fmt.Sprintf("left out for %s: %s", span(b.OpenedAgo.AsDuration()), b.Reason), retry(b))
	}
	return strings.Join(words, ", ")
}

// calls has a row for each client and each service.
func calls(m *meshv1.MeshStatus) *table {
	t := &table{columns: []column{
		{title: "CLIENT"}, {title: "SERVICE"}, {title: "RETRIES", right: true}, {title: "HEDGES", right: true}, {title: "BUDGET LEFT", right: true}, {title: "THROTTLED", right: true}, {},
	}}
	for _, p := range m.Parts {
		for _, v := range p.View.GetServices() {
			about := []string(nil)
			if v.Panic {
				about = []string{"most instances fail"}
			}
			t.add(v.Panic, about, p.Name, v.Service, number(v.Retries), number(v.Hedges),
				number(int(v.BudgetLeft)), number(v.Throttled))
		}
	}
	return t
}

// servers has a row for each instance as a server.
func servers(m *meshv1.MeshStatus) *table {
	t := &table{columns: []column{
		{title: "INSTANCE"}, {title: "ADDRESS", spare: 3}, {title: "ZONE", spare: 2}, {title: "VERSION", spare: 4}, {title: "UP", right: true}, {title: "LIMIT", right: true, spare: 1},
		{title: "IN FLIGHT", right: true, spare: 1}, {title: "WAITING", right: true, spare: 1}, {title: "SHED", right: true, spare: 1}, {title: "ID"},
	}}
	for _, p := range m.Parts {
		v := p.View
		if v == nil {
			t.add(true, []string{p.Error}, p.Name, p.Address, "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		limit := "none"
		if v.Server.GetLimit() > 0 {
			limit = number(v.Server.Limit)
		}
		zone := v.Zone
		if zone == "" {
			zone = "-"
		}
		t.add(false, []string{p.Instance}, p.Name, p.Address, zone, shortVersion(v.Version), span(v.Uptime.AsDuration()), limit,
			number(v.Server.GetInFlight()), number(v.Server.GetWaiting()), number(v.Server.GetShed()))
	}
	return t
}
