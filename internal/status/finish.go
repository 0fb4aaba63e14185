package status

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

// finish works out what all clients together see of a service.
func (s *service) finish(names map[replica]string, answers []answer) *meshv1.ServiceStatus {
	is := new(meshv1.ServiceStatus)
	if !s.isPart() {
		is.Service = s.name
	}
	var all traffic
	for _, r := range slices.SortedFunc(maps.Keys(s.instances), compareReplicas) {
		s.instances[r].Name = names[r]
		all.add(s.add(is, r, names, answerOf(answers, r)))
	}
	is.RequestsPerSecond, is.ErrorRate, is.P50, is.P99 = all.rate, all.errorRate(), all.median(), all.worst()
	is.Agreements = s.agreements(names)
	is.Problems = append(s.problems(is, names), is.Problems...)
	return is
}

// add finishes one instance, and returns what goes to it.
func (s *service) add(is *meshv1.ServiceStatus, r replica, names map[replica]string, told *answer) traffic {
	i := s.instances[r]
	i.Answered = told != nil && told.err == nil
	i.EjectedBy = i.ejectedBy(names)
	own := i.traffic()
	i.RequestsPerSecond, i.ErrorRate = own.rate, own.errorRate()
	problems := i.problems(told, s.clients, names)
	if i.Registered && !i.Draining && len(problems) == 0 {
		is.Usable++
	}
	is.Problems = append(is.Problems, problems...)
	is.Instances = append(is.Instances, i.InstanceStatus)
	if !slices.Contains(is.Parts, r.part) {
		is.Parts = append(is.Parts, r.part)
	}
	return own
}

func compareReplicas(a, b replica) int {
	return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.id, b.id))
}

// answerOf returns what an instance has answered; nil when it was not asked, since
// it has not registered that it could be.
func answerOf(answers []answer, r replica) *answer {
	for n := range answers {
		if a := &answers[n]; a.part == r.part && a.id == r.id {
			return a
		}
	}
	return nil
}

// traffic adds up what clients see.
type traffic struct {
	rate, failed float64
	medians      float64 // the sum of the medians in ns, each as often as there were calls
	p99          time.Duration
}

func (i *instance) traffic() traffic {
	var t traffic
	for _, s := range i.views {
		v := s.view
		t.add(traffic{
			rate: v.RequestsPerSecond, failed: v.RequestsPerSecond * v.ErrorRate,
			medians: v.RequestsPerSecond * float64(v.P50.AsDuration()), p99: v.P99.AsDuration(),
		})
	}
	return t
}

func (t *traffic) add(o traffic) {
	t.rate += o.rate
	t.failed += o.failed
	t.medians += o.medians
	if o.rate > 0 {
		t.p99 = max(t.p99, o.p99)
	}
}

func (t *traffic) errorRate() float64 {
	if t.rate == 0 {
		return 0
	}
	return t.failed / t.rate
}

func (t *traffic) median() *durationpb.Duration {
	if t.rate == 0 {
		return nil
	}
	return durationpb.New(time.Duration(t.medians / t.rate))
}

func (t *traffic) worst() *durationpb.Duration {
	if t.rate == 0 {
		return nil
	}
	return durationpb.New(t.p99)
}
