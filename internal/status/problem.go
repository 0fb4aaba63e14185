package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// ejected says whether a client leaves an instance out. One that is half open gets
// single calls only.
func ejected(v *meshv1.InstanceView) bool {
	return v.GetBreaker().GetState() > meshv1.Breaker_STATE_CLOSED
}

func (i *instance) ejectedBy(names map[replica]string) []string {
	var by []string
	for _, s := range i.views {
		if ejected(s.view) {
			by = append(by, names[s.by])
		}
	}
	slices.Sort(by)
	return by
}

// problems says what is wrong with an instance. told is nil for one that cannot be
// asked.
func (i *instance) problems(told *answer, clients []client, names map[replica]string) []string {
	var all []string
	if told != nil && told.err != nil {
		all = append(all, fmt.Sprintf("%s does not answer: %s", i.Name, oneLine(told.err)))
	}
	switch {
	case i.Registered || i.Draining:
	case len(i.views) > 0:
		all = append(all, i.Name+" is gone from the registry, and still called")
	default:
		all = append(all, i.Name+" is not in the registry, so nobody calls it")
	}
	if text := i.ejection(len(clients)); text != "" {
		all = append(all, text)
	}
	if by := i.unreached(names); len(by) > 0 {
		all = append(all, fmt.Sprintf("%s cannot be reached by %s", i.Name, listed(by)))
	}
	return all
}

// ejection tells of the breaker that was opened last: "social-7c9 ejected 12 s ago:
// 5 failures in a row (UNAVAILABLE), retry in 3 s".
func (i *instance) ejection(clients int) string {
	var open []*meshv1.Breaker
	for _, s := range i.views {
		if ejected(s.view) {
			open = append(open, s.view.Breaker)
		}
	}
	if len(open) == 0 {
		return ""
	}
	last := slices.MinFunc(open, func(a, b *meshv1.Breaker) int {
		return int(a.OpenedAgo.AsDuration() - b.OpenedAgo.AsDuration())
	})
	text := i.Name + " ejected"
	if last.OpenedAgo != nil {
		text += " " + span(last.OpenedAgo.AsDuration()) + " ago"
	}
	if len(open) < clients {
		text += fmt.Sprintf(" by %d of %d clients", len(open), clients)
	}
	if last.Reason != "" {
		text += ": " + last.Reason
	}
	return text + ", " + retry(last)
}

func retry(b *meshv1.Breaker) string {
	switch {
	case b.State == meshv1.Breaker_STATE_HALF_OPEN:
		return "being tried"
	case b.RetryIn.AsDuration() < time.Second/2:
		return "retry at the next call"
	}
	return "retry in " + span(b.RetryIn.AsDuration())
}

// unreached are the clients that have no connection to an instance, unless that is
// why they leave it out.
func (i *instance) unreached(names map[replica]string) []string {
	var by []string
	for _, s := range i.views {
		if s.view.Connectivity == meshv1.Connectivity_CONNECTIVITY_FAILED && !ejected(s.view) {
			by = append(by, names[s.by])
		}
	}
	return by
}

// problems says what is wrong with a service as a whole.
func (s *service) problems(is *meshv1.ServiceStatus, names map[replica]string) []string {
	var all []string
	if is.Usable == 0 && !draining(is) {
		all = append(all, "no instance is usable")
	}
	var panicking []string
	for _, c := range s.clients {
		if c.view.Panic {
			panicking = append(panicking, names[c.replica])
		}
	}
	if len(panicking) > 0 {
		all = append(all, "most instances fail, so that failures count for less, as seen by "+listed(panicking))
	}
	all = append(all, s.throttling(names)...)
	for _, a := range is.Agreements {
		all = append(all, a.Differences...)
	}
	return all
}

// draining says whether all that is left of a service is about to leave.
func draining(is *meshv1.ServiceStatus) bool {
	return len(is.Instances) > 0 && !slices.ContainsFunc(is.Instances, func(i *meshv1.InstanceStatus) bool { return !i.Draining })
}

const nobody = "nobody is registered"

// conclude says what is wrong with the whole.
func conclude(s *meshv1.MeshStatus) {
	if s.Registry.GetError() != "" {
		s.Problems = append(s.Problems, "etcd: "+s.Registry.Error)
	}
	for _, m := range s.Registry.GetMembers() {
		for _, p := range m.Problems {
			s.Problems = append(s.Problems, fmt.Sprintf("etcd: member %s: %s", m.Name, p))
		}
	}
	if len(s.Parts) == 0 && len(s.Services) == 0 {
		s.Problems = append(s.Problems, nobody)
	}
	for _, is := range s.Services {
		for _, p := range is.Problems {
			s.Problems = append(s.Problems, is.Name+": "+p)
		}
	}
	s.Ok = len(s.Problems) == 0
}

// listed names a few of many.
func listed(names []string) string {
	const shown = 3
	slices.Sort(names)
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
