package mesh

import (
	"net"
	"slices"
	"sync"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
)

// maxWarned bounds what a screen remembers of the instances it has left out.
const maxWarned = 1000

// screen leaves out of the lists of one service whom this part must not call. Each
// is one line in the log, and nothing else changes. It is used by one goroutine.
type screen struct {
	mesh    *Mesh
	service string
	warned  map[string]bool
}

func newScreen(m *Mesh, service string) *screen {
	return &screen{mesh: m, service: service, warned: make(map[string]bool)}
}

// usable changes the list that it is given.
func (s *screen) usable(list []discovery.Instance) []discovery.Instance {
	return slices.DeleteFunc(list, func(i discovery.Instance) bool {
		event, why := s.mesh.refuse(i)
		if why != "" {
			s.warn(i, event, why)
		}
		return why != ""
	})
}

func (s *screen) warn(i discovery.Instance, event discovery.Event, why string) {
	key := why + i.Identity + i.Address
	if s.warned[key] || len(s.warned) == maxWarned {
		return
	}
	s.warned[key] = true
	s.mesh.event(Event{Kind: string(event), Service: s.service, Instance: i.ID, Reason: why})
	s.mesh.log.Warn("instance left out: "+why, "service", s.service, "identity", i.Identity, "instance", i.ID, "address", i.Address)
}

// refuse says why an instance must not be called; nothing when it may.
func (m *Mesh) refuse(i discovery.Instance) (discovery.Event, string) {
	switch {
	case !m.config.Grants.MayServe(i.Identity, i.Service):
		return discovery.IdentityRefused, "no grant"
	case m.own.leadsBack(i) && i.ID != m.config.ID && i.ID != status.InstanceID(m.config.ID, m.config.Part):
		return discovery.AddressRefused, "its address is that of this process"
	case m.own.leadsAstray(i):
		return discovery.AddressRefused, "a loopback address, of another machine or by mistake: this part is reached from other machines, so all must be (FAIRLEAD_MESH_LISTEN)"
	}
	return "", ""
}

// addresses are those at which others reach this process. It may be used by
// several goroutines at once.
type addresses struct {
	mu     sync.RWMutex
	all    map[string]bool
	public bool // one can be reached from other machines
}

func (a *addresses) add(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = make(map[string]bool)
	}
	a.all[address] = true
	a.public = a.public || !loopback(address)
}

// leadsBack says whether a call to the instance would come here.
func (a *addresses) leadsBack(i discovery.Instance) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.all[i.Address]
}

// leadsAstray says whether a call to the instance would come to some process of
// this machine, while the instance is on another.
func (a *addresses) leadsAstray(i discovery.Instance) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.public && loopback(i.Address)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
