package status

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// merge puts together what the registry has and what was answered. What is wrong
// with it, conclude says.
func merge(list []discovery.Instance, answers []answer) *meshv1.MeshStatus {
	m := &merger{answers: answers, services: make(map[string]*service)}
	for _, i := range list {
		if i.Service != status.Service {
			m.registered(i)
		}
	}
	for _, a := range answers {
		m.serving(a)
		for _, seen := range a.view.GetServices() {
			if awake(seen) {
				m.seen(a, seen)
			}
		}
	}
	return m.status()
}

// merger gathers services by name.
type merger struct {
	answers  []answer
	services map[string]*service
}

// service is a service that is being put together, or a part that serves none.
type service struct {
	name      string // the gRPC name, or that of the part after "part "
	instances map[replica]*instance
	clients   []client
}

// replica names an instance: parts that share a process share the id.
type replica struct{ part, id string }

// instance is an instance that is being put together.
type instance struct {
	*meshv1.InstanceStatus
	views []sight
}

// sight is what one client sees of an instance.
type sight struct {
	by   replica
	view *meshv1.InstanceView
}

// client is who calls a service, with what it sees of it.
type client struct {
	replica
	view *meshv1.ServiceView
}

// awake says whether the client has called the service lately. One that has not
// does not follow the registry either: what it knows is old.
func awake(s *meshv1.ServiceView) bool {
	return slices.ContainsFunc(s.Instances, func(i *meshv1.InstanceView) bool {
		return i.Connectivity > meshv1.Connectivity_CONNECTIVITY_IDLE
	})
}

func (m *merger) service(name string) *service {
	if m.services[name] == nil {
		m.services[name] = &service{name: name, instances: make(map[replica]*instance)}
	}
	return m.services[name]
}

func (s *service) instance(r replica) *instance {
	if s.instances[r] == nil {
		s.instances[r] = &instance{InstanceStatus: &meshv1.InstanceStatus{Id: r.id, Part: r.part}}
	}
	return s.instances[r]
}

func (m *merger) registered(i discovery.Instance) {
	is := m.service(i.Service).instance(replica{partOf(i.Identity), i.ID})
	is.Address, is.Zone, is.Version, is.Build = i.Address, i.Zone, i.Version, i.Build
	is.Registered, is.Draining = true, i.Draining
}

// serving adds the row of a part that serves nothing to others, and those who say
// that they serve something, but are not in the registry: nobody new will call
// them. Which services a part has is known from the registry, too, so that one
// which does not answer is not taken for one that serves nothing.
func (m *merger) serving(a answer) {
	r := replica{a.part, a.id}
	for _, s := range m.services {
		if _, serves := s.instances[r]; serves && !s.isPart() {
			return
		}
	}
	services := a.view.GetServer().GetServices()
	if len(services) == 0 {
		services = []string{"part " + a.part}
	}
	for _, name := range services {
		is := m.service(name).instance(r)
		is.Address, is.Zone, is.Version, is.Build = a.instance.Address, a.instance.Zone, a.instance.Version, a.instance.Build
		is.Draining = a.instance.Draining || a.view.GetServer().GetDraining()
		is.Registered = m.services[name].isPart()
	}
}

func (s *service) isPart() bool { return strings.HasPrefix(s.name, "part ") }

// seen adds what one client sees of one service.
func (m *merger) seen(a answer, v *meshv1.ServiceView) {
	by := replica{a.part, a.id}
	s := m.service(v.Service)
	s.clients = append(s.clients, client{by, v})
	for _, i := range v.Instances {
		is := s.instance(s.replica(i))
		if !is.Registered {
			is.Address, is.Zone, is.Version, is.Build = i.Address, i.Zone, i.Version, i.Build
		}
		is.views = append(is.views, sight{by, i})
	}
}

// replica finds out which instance a client means. One that the registry has no
// more is of the part that serves the service, when the client does not say.
func (s *service) replica(i *meshv1.InstanceView) replica {
	r := replica{partOf(i.Identity), i.Id}
	if r.part != "" {
		return r
	}
	for known := range s.instances {
		if r.part = known.part; known.id == i.Id {
			break
		}
	}
	return r
}

func partOf(identity string) string { return strings.TrimPrefix(identity, mtls.ID("")) }

// status finishes all services, and names everything for people.
func (m *merger) status() *meshv1.MeshStatus {
	names := m.names()
	result := new(meshv1.MeshStatus)
	for _, name := range slices.Sorted(maps.Keys(m.services)) {
		s := m.services[name]
		is := s.finish(names, m.answers)
		is.Problems = append(is.Problems, m.shedding(s, names)...)
		result.Services = append(result.Services, is)
	}
	nameServices(result.Services)
	for _, a := range m.answers {
		p := &meshv1.PartStatus{
			Name: names[replica{a.part, a.id}], Part: a.part, Instance: a.id, Address: a.instance.Address, View: a.view,
		}
		if a.err != nil {
			p.View, p.Error = nil, oneLine(a.err)
		}
		result.Parts = append(result.Parts, p)
	}
	slices.SortFunc(result.Parts, func(a, b *meshv1.PartStatus) int {
		return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Instance, b.Instance))
	})
	return result
}
