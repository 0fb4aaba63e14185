package status

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// find returns the service of that short name.
func find(t *testing.T, m *meshv1.MeshStatus, name string) *meshv1.ServiceStatus {
	t.Helper()
	for _, s := range m.Services {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no service %s", name)
	return nil
}

func TestAllIsWell(t *testing.T) {
	m := newFleet().status()
	if !m.Ok || len(m.Problems) > 0 {
		t.Errorf("the problems are %v", m.Problems)
	}
	social := find(t, m, "social")
	if social.Usable != 5 || social.RequestsPerSecond != 5000 || social.P99.AsDuration() != 6800*time.Microsecond || social.P50.AsDuration() != 1100*time.Microsecond {
		t.Errorf("social is %v", social)
	}
	if i := social.Instances[0]; i.Name != "social-a0f" || !i.Registered || !i.Answered || i.RequestsPerSecond != 1000 {
		t.Errorf("its first instance is %v", i)
	}
	if len(m.Parts) != 13 || m.Parts[0].Name != "edge-a0f" || m.Parts[0].View == nil {
		t.Errorf("the parts are %v", m.Parts)
	}
}

// Each case is one thing that is wrong, and what is said about it.
func TestProblems(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(f *fleet)
		want  []string
	}{
		"one client leaves an instance out": {
			func(f *fleet) { f.eject("edge", 3, 1, 12*time.Second) },
			[]string{
				"social: edge-d99 leaves social-b7c out, unlike the others",
				"social: social-b7c ejected 12 s ago by 1 of 5 clients: 5 failures in a row (UNAVAILABLE), retry in 3 s",
			},
		},
		"a client tries it": {
			func(f *fleet) {
				for n := range 5 {
					f.eject("edge", n, 1, time.Minute)
					f.seen("edge", n, socialService, 1).Breaker.State = meshv1.Breaker_STATE_HALF_OPEN
				}
			},
			[]string{"social: social-b7c ejected 60 s ago: 5 failures in a row (UNAVAILABLE), being tried"},
		},
		"an instance does not answer": {
			func(f *fleet) { f.silence("identity", 0, "connection refused") },
			[]string{"identity: identity-a0f does not answer: connection refused"},
		},
		"no instance answers": {
			func(f *fleet) {
				for n := range 3 {
					f.silence("identity", n, "connection refused")
				}
			},
			[]string{
				"identity: no instance is usable", "identity: identity-a0f does not answer: connection refused",
				"identity: identity-b7c does not answer: connection refused", "identity: identity-c21 does not answer: connection refused",
			},
		},
		"an edge does not answer": {
			func(f *fleet) { f.silence("edge", 0, "no answer within 1 s") },
			[]string{"edge: edge-a0f does not answer: no answer within 1 s"},
		},
		"an instance has left the registry": {
			func(f *fleet) { f.remove(f.list[6].ID) },
			[]string{"social: social-a0f is gone from the registry, and still called"},
		},
		"an instance that nobody calls is not in the registry": {
			func(f *fleet) {
				f.remove(f.list[6].ID)
				for n := range 5 {
					v := f.answer("edge", n).view.Services[1]
					v.Instances = v.Instances[1:]
				}
			},
			[]string{"social: social-a0f is not in the registry, so nobody calls it"},
		},
		"a client does not know an instance": {
			func(f *fleet) {
				v := f.answer("social", 2).view.Services[0]
				v.Instances = v.Instances[1:]
			},
			[]string{"identity: social-c21 does not know identity-a0f, unlike the others"},
		},
		"most instances fail": {
			func(f *fleet) { f.answer("edge", 1).view.Services[1].Panic = true },
			[]string{"social: most instances fail, so that failures count for less, as seen by edge-b7c"},
		},
		"calls are not made": {
			func(f *fleet) {
				f.answer("edge", 1).view.Services[1].ThrottledShare = 0.83
				f.answer("edge", 0).view.Services[1].ThrottledShare = 0.5
			},
			[]string{"social: up to 83% of the calls of a method are not made, since it turns most away, as seen by edge-a0f, edge-b7c"},
		},
		"an instance refuses calls": {
			func(f *fleet) { f.answer("social", 1).view.Server.ShedPerSecond = 900 },
			[]string{"social: social-b7c has too much work and refuses 90% of its calls, 900/s"},
		},
		"an instance refuses the calls of somebody unknown": {
			func(f *fleet) { f.answer("edge", 1).view.Server.ShedPerSecond = 3 },
			[]string{"edge: edge-b7c has too much work and refuses 100% of its calls, 3.0/s"},
		},
		"a burst is no problem": {
			func(f *fleet) {
				f.answer("social", 1).view.Server.ShedPerSecond = 90
				f.answer("edge", 1).view.Services[1].ThrottledShare = 0.09
			},
			nil,
		},
		"a member of etcd is full": {
			func(f *fleet) { f.members.Members[0].Problems = []string{"NOSPACE"} },
			[]string{"etcd: member a: NOSPACE"},
		},
		"nobody is there": {
			func(f *fleet) { f.list, f.answers = nil, nil },
			[]string{"nobody is registered"},
		},
		"clients of many know some each": {
			func(f *fleet) {
				for n := range 5 {
					v := f.answer("edge", n).view.Services[1]
					v.Instances = slices.Delete(v.Instances, n, n+1)
				}
			},
			nil,
		},
		"draining is no problem": {
			func(f *fleet) { f.list[6].Draining = true },
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet()
			test.spoil(f)
			m := f.status()
			if !slices.Equal(m.Problems, test.want) || m.Ok != (len(test.want) == 0) {
				t.Errorf("ok: %v, the problems are\n%s\nwant\n%s", m.Ok, strings.Join(m.Problems, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// A client that has not called a service for long knows old things of it.
func TestClientsThatSleepDoNotCount(t *testing.T) {
	f := newFleet()
	old := f.answer("edge", 0).view.Services[1]
	for _, i := range old.Instances {
		i.Connectivity = meshv1.Connectivity_CONNECTIVITY_IDLE
	}
	old.Instances[0].Id, old.Instances[0].Breaker.State = "long-gone", meshv1.Breaker_STATE_OPEN
	m := f.status()
	if social := find(t, m, "social"); !m.Ok || len(social.Instances) != 5 || social.Agreements[0].Clients != 4 {
		t.Errorf("the problems are %v, social is %v", m.Problems, social)
	}
}

// Parts that share a process share its id, and each is seen for itself. A part with
// two services shows them by their full names; one that cannot be asked is well as
// long as its clients are content.
func TestNames(t *testing.T) {
	f := new(fleet)
	f.add("identity", 2, identityService)
	f.add("social", 2, socialService)
	for n := range f.list {
		f.list[n].ID = strings.NewReplacer("-id", "-xx", "-so", "-xx", "a0f", "abc", "b7c", "abc").Replace(f.list[n].ID)
	}
	f.answers = nil
	for _, i := range f.list {
		if strings.HasPrefix(i.Service, "fairlead.mesh.") {
			a := newAnswer(i)
			a.view = &meshv1.View{Part: a.part, Instance: a.id}
			f.answers = append(f.answers, a)
		}
	}
	f.list = append(f.list, discovery.Instance{ID: f.list[0].ID, Service: "acme.v1.More", Address: "10.0.8.1:7000", Identity: mtls.ID("identity")})
	f.list = append(f.list, discovery.Instance{ID: "short", Service: "acme.v1.Foreign", Address: "10.0.9.1:7000", Identity: mtls.ID("foreign")})
	m := f.status()
	var names []string
	for _, s := range m.Services {
		names = append(names, s.Name)
		for _, i := range s.Instances {
			names = append(names, i.Name)
		}
	}
	want := []string{
		"acme.v1.More", "identity-0abc", identityService, "identity-0abc", "identity-1abc",
		"foreign", "foreign-ort", "social", "social-0abc", "social-1abc",
	}
	if !slices.Equal(names, want) || !m.Ok {
		t.Errorf("the names are %q %v", names, m.Problems)
	}
}

// Whoever reads the JSON finds every field, under names that do not change.
func TestJSON(t *testing.T) {
	f := new(fleet)
	f.add("social", 1, socialService)
	f.add("edge", 1, "")
	f.calls(f.answer("edge", 0), socialService, 1)
	f.eject("edge", 0, 0, time.Second)
	f.members = newFleet().members
	text, err := encode(f.status(), false)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "status.json", text)
	line, err := encode(f.status(), true)
	if err != nil || strings.Count(line, "\n") != 1 || !json.Valid([]byte(line)) {
		t.Errorf("as one line: %v %q", err, line)
	}
}
