package mesh

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"
	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// View returns what this part sees of the mesh now: itself as a server, and the
// services that it has called. It is a new message each time, which nobody else
// changes. It is what "fairlead status" asks every part for.
func (m *Mesh) View() *meshv1.View {
	return &meshv1.View{
		Part:     m.config.Part,
		Instance: m.config.ID,
		Zone:     m.config.Zone,
		Version:  m.config.Version,
		Build:    m.config.Build,
		Uptime:   durationpb.New(time.Since(m.joined)),
		Server:   m.serverView(),
		Services: m.targets.views(),
	}
}

// serverView adds up the servers of the part, which has one as a rule.
func (m *Mesh) serverView() *meshv1.ServerView {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := &meshv1.ServerView{Draining: m.closed}
	for _, s := range m.served {
		v.Services = append(v.Services, s.services...)
		load := s.server.Load()
		v.Limit += int32(load.Limit)
		v.InFlight += int32(load.Running)
		v.Waiting += int32(load.Waiting)
		v.ShedPerSecond += load.Refusing
		for _, refused := range load.Refused {
			v.Shed += uint64(refused)
		}
	}
	slices.Sort(v.Services)
	return v
}

// views are those of all services that were called, by name.
func (c *targets) views() []*meshv1.ServiceView {
	c.mu.RLock()
	byService := maps.Clone(c.byService)
	c.mu.RUnlock()
	var all []*meshv1.ServiceView
	for _, service := range slices.Sorted(maps.Keys(byService)) {
		all = append(all, byService[service].view(time.Now()))
	}
	return all
}

func (t *target) view(now time.Time) *meshv1.ServiceView {
	snapshot := t.cluster.Snapshot()
	v := &meshv1.ServiceView{
		Service:    t.service,
		Retries:    uint64(t.retries.Load()),
		Hedges:     uint64(t.hedges.Load()),
		Throttled:  uint64(t.throttled.Load()),
		BudgetLeft: t.budget.Left(),
		Panic:      snapshot.Panic,

		ThrottledShare: t.throttledShare(),
	}
	for _, e := range snapshot.Endpoints {
		v.Instances = append(v.Instances, instanceView(e, t.registered(e.Instance), now))
	}
	return v
}

// throttledShare is the largest share of calls that is left out now, of any method
// and criticality.
func (t *target) throttledShare() float64 {
	largest := 0.0
	for _, m := range *t.methods.Load() {
		for level := criticality.Sheddable; level <= criticality.CriticalPlus; level++ {
			largest = max(largest, m.throttle.Share(level))
		}
	}
	return largest
}

// registered returns what the registry says of an instance; the zero member when
// it is not among those that are called.
func (t *target) registered(id string) member {
	if known := t.known.Load(); known != nil {
		for _, m := range *known {
			if m.ID == id {
				return m
			}
		}
	}
	return member{}
}

func instanceView(e balance.EndpointSnapshot, m member, now time.Time) *meshv1.InstanceView {
	v := &meshv1.InstanceView{
		Id:                e.Instance,
		Address:           e.Address,
		Identity:          m.Identity,
		Zone:              e.Zone,
		Version:           e.Version,
		Build:             m.Build,
		Digest:            m.Digest,
		Weight:            int32(e.Weight),
		Draining:          m.Draining,
		Suspect:           m.suspect,
		Connectivity:      connectivities[e.Connectivity],
		Share:             e.Share,
		RequestsPerSecond: e.Rate,
		ErrorRate:         e.ErrorRate,
		InFlight:          int32(e.InFlight),
		Breaker:           breakerView(e, now),
	}
	if e.P99 > 0 {
		v.P50, v.P99 = durationpb.New(e.P50), durationpb.New(e.P99)
	}
	return v
}

var (
	connectivities = map[string]meshv1.Connectivity{
		"IDLE":              meshv1.Connectivity_CONNECTIVITY_IDLE,
		"CONNECTING":        meshv1.Connectivity_CONNECTIVITY_CONNECTING,
		"READY":             meshv1.Connectivity_CONNECTIVITY_READY,
		"TRANSIENT_FAILURE": meshv1.Connectivity_CONNECTIVITY_FAILED,
	}
	breakerStates = map[string]meshv1.Breaker_State{
		"closed":    meshv1.Breaker_STATE_CLOSED,
		"half-open": meshv1.Breaker_STATE_HALF_OPEN,
		"open":      meshv1.Breaker_STATE_OPEN,
	}
)

// breakerView tells times as durations: whoever reads them has another clock.
func breakerView(e balance.EndpointSnapshot, now time.Time) *meshv1.Breaker {
	b := &meshv1.Breaker{State: breakerStates[e.Breaker], Reason: e.Reason}
	if b.State == meshv1.Breaker_STATE_CLOSED {
		return b
	}
	b.OpenedAgo = durationpb.New(max(0, now.Sub(e.Since)))
	b.RetryIn = durationpb.New(max(0, e.NextTry.Sub(now)))
	return b
}
