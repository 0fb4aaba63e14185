package status

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mesh/status"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

const (
	identityService = "fairlead.identity.v1.IdentityService"
	socialService   = "fairlead.social.v1.SocialService"
)

// fleet is a mesh that was made up: what is registered and what each has answered.
type fleet struct {
	list    []discovery.Instance
	answers []answer
	members *meshv1.RegistryStatus
}

// newFleet has 3 of identity, 5 of social and 5 edges in three zones. All call
// whom they have to, and all is well.
func newFleet() *fleet {
	f := &fleet{members: &meshv1.RegistryStatus{Members: []*meshv1.RegistryMember{
		{Name: "a", Answered: true}, {Name: "b", Answered: true, Leader: true}, {Name: "c", Answered: true},
	}}}
	f.add("identity", 3, identityService)
	f.add("social", 5, socialService)
	f.add("edge", 5, "")
	for n := range f.answers {
		switch a := &f.answers[n]; a.part {
		case "edge":
			f.calls(a, identityService, 10)
			f.calls(a, socialService, 200)
		case "social":
			f.calls(a, identityService, 100)
		}
	}
	return f
}

// add adds instances of a part, which serves a service if there is one.
func (f *fleet) add(part string, count int, service string) {
	for n := range count {
		id := fmt.Sprintf("019aaf00-0000-7000-8000-%s%d%s", part[:2], n, []string{"a0f", "b7c", "c21", "d99", "e3e"}[n])
		i := discovery.Instance{
			ID: id, Service: service, Address: fmt.Sprintf("10.0.%d.%d:7000", len(part), n+1), Identity: mtls.ID(part),
			Zone: []string{"a", "b", "c"}[n%3], Version: "1.4.2",
		}
		if service != "" {
			f.list = append(f.list, i)
		}
		i.ID, i.Service = status.InstanceID(id, part), status.Service
		f.list = append(f.list, i)
		a := newAnswer(i)
		a.view = &meshv1.View{
			Part: part, Instance: id, Zone: i.Zone, Version: i.Version, Uptime: durationpb.New(3 * time.Hour),
			Server: &meshv1.ServerView{Limit: 100, InFlight: 2},
		}
		if service != "" {
			a.view.Server.Services = []string{service}
		}
		f.answers = append(f.answers, a)
	}
}

// calls lets a client call all instances of a service.
func (f *fleet) calls(a *answer, service string, rps float64) {
	v := &meshv1.ServiceView{Service: service, Retries: 3, Hedges: 1, BudgetLeft: 100}
	for _, i := range f.list {
		if i.Service == service {
			v.Instances = append(v.Instances, &meshv1.InstanceView{
				Id: i.ID, Address: i.Address, Identity: i.Identity, Zone: i.Zone, Version: i.Version, Weight: 100, InFlight: 1,
				Connectivity: meshv1.Connectivity_CONNECTIVITY_READY, RequestsPerSecond: rps, ErrorRate: 0.0002,
				P50: durationpb.New(1100 * time.Microsecond), P99: durationpb.New(6800 * time.Microsecond),
				Breaker: &meshv1.Breaker{State: meshv1.Breaker_STATE_CLOSED},
			})
		}
	}
	for _, i := range v.Instances {
		i.Share = 1 / float64(len(v.Instances))
	}
	a.view.Services = append(a.view.Services, v)
}

// seen is what instance n of a part sees of instance m of a service.
func (f *fleet) seen(part string, n int, service string, m int) *meshv1.InstanceView {
	for _, s := range f.answer(part, n).view.Services {
		if s.Service == service {
			return s.Instances[m]
		}
	}
	panic("it does not call that")
}

func (f *fleet) answer(part string, n int) *answer {
	for at := range f.answers {
		if f.answers[at].part == part {
			return &f.answers[at+n]
		}
	}
	panic("there is no such part")
}

// eject lets instance n of a part leave out instance m of social.
func (f *fleet) eject(part string, n, m int, ago time.Duration) {
	v := f.seen(part, n, socialService, m)
	v.RequestsPerSecond, v.ErrorRate, v.Share, v.P50, v.P99, v.InFlight = 0, 0, 0, nil, nil, 0
	v.Breaker = &meshv1.Breaker{
		State: meshv1.Breaker_STATE_OPEN, Reason: "5 failures in a row (UNAVAILABLE)",
		OpenedAgo: durationpb.New(ago), RetryIn: durationpb.New(3 * time.Second),
	}
}

// silence keeps an instance from answering.
func (f *fleet) silence(part string, n int, why string) {
	a := f.answer(part, n)
	a.view, a.err = nil, errors.New(why)
}

// remove takes instance n of social out of the registry.
func (f *fleet) remove(id string) {
	var left []discovery.Instance
	for _, i := range f.list {
		if i.ID != id {
			left = append(left, i)
		}
	}
	f.list = left
}

// status puts it together.
func (f *fleet) status() *meshv1.MeshStatus {
	m := merge(f.list, f.answers)
	m.Time, m.Registry = timestamppb.New(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)), f.members
	conclude(m)
	return m
}
