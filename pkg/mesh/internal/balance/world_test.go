package balance

import (
	"container/heap"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// replica is one that is called in a simulation. Tests change it while it runs.
type replica struct {
	takes   time.Duration // a call, on average
	fails   float64       // how many of them
	code    codes.Code    // with what; Internal when 0
	hangs   bool
	refuses bool // connections

	attempts, failures, probes int
}

// world is one client that calls replicas in simulated time. What happens depends on
// the seed alone.
type world struct {
	*testing.T
	cluster  *Cluster
	picker   *Picker
	random   *rand.Rand
	members  []Member
	replicas []*replica
	due      timeline
	number   int

	rate    float64                     // calls per second
	cut     time.Duration               // how long an attempt may take
	hedge   time.Duration               // after which another one is made beside it; 0 for never
	once    bool                        // calls may not be repeated
	check   func(place int, a *Attempt) // after each choice
	calls   int
	refused int // calls for which nobody was found
	lost    int // calls that failed in the end
	took    []time.Duration
}

// simulate runs f in a bubble of simulated time, with replicas that take 5 ms.
func simulate(t *testing.T, n int, seed uint64, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, random: rand.New(rand.NewPCG(seed, 1)), rate: 2000, cut: time.Second}
		w.cluster = NewCluster(Options{Service: "a.v1.AService", Log: slog.New(slog.DiscardHandler)})
		w.cluster.rand = w.random.Uint64
		w.members = members(n)
		for range n {
			w.replicas = append(w.replicas, &replica{takes: 5 * time.Millisecond})
		}
		w.connect()
		f(w)
	})
}

// connect makes a picker of who can be connected to.
func (w *world) connect() {
	members := slices.Clone(w.members)
	for i, r := range w.replicas {
		if r.refuses {
			members[i].Connectivity = connectivity.TransientFailure
		}
	}
	w.picker = w.cluster.Picker(members)
}

// run makes calls for a time.
func (w *world) run(d time.Duration) {
	end := time.Now().Add(d)
	var arrive func()
	arrive = func() {
		w.calls++
		w.attempt(time.Now(), nil, nil)
		w.after(time.Duration(w.random.ExpFloat64()/w.rate*float64(time.Second)), arrive).arrival = true
	}
	w.after(0, arrive).arrival = true
	for len(w.due) > 0 && w.due[0].at.Before(end) {
		next := heap.Pop(&w.due).(*event)
		//house:allow in a bubble, see simulate
		time.Sleep(time.Until(next.at))
		next.do()
	}
	//house:allow in a bubble, see simulate
	time.Sleep(time.Until(end))
	w.due = slices.DeleteFunc(w.due, func(e *event) bool { return e.arrival })
	heap.Init(&w.due)
}

// trial is an attempt on its way.
type trial struct {
	began   time.Time // the call
	replica *replica
	call    *Call
	attempt *Attempt
	cutAt   time.Time
	fails   bool
	over    bool
	beside  *trial // made before this one, which is its hedge
}

// attempt makes one attempt of a call that began at a time.
func (w *world) attempt(began time.Time, tried []*Endpoint, beside *trial) {
	a := &Attempt{Idempotent: !w.once, Tried: tried}
	x := &trial{began: began, call: new(Call), attempt: a, beside: beside}
	place, ok := w.picker.Pick("/a.v1.AService/Get", a, x.call)
	if !ok {
		w.refused++
		return
	}
	if x.replica = w.replicas[place]; a.start.probe {
		x.replica.probes++
	}
	x.replica.attempts++
	if w.check != nil {
		w.check(place, a)
	}
	takes := time.Duration((0.5 + 0.5*w.random.ExpFloat64()) * float64(x.replica.takes))
	if x.fails = w.random.Float64() < x.replica.fails; x.fails {
		takes /= 10
	}
	x.cutAt = time.Now().Add(w.cut)
	w.after(min(takes, w.cut), func() { w.answer(x) })
	if w.hedge > 0 && beside == nil && len(tried) == 0 {
		w.after(w.hedge, func() {
			if !x.over && w.cluster.Usable() > 1 {
				w.attempt(began, []*Endpoint{a.Chosen.Load()}, x)
			}
		})
	}
}

// answer ends an attempt as its replica does, or as the time does that it has.
func (w *world) answer(x *trial) {
	r := x.replica
	switch {
	case x.over:
	case !time.Now().Before(x.cutAt):
		x.attempt.TimedOut.Store(true)
		w.fail(x, context.Canceled)
	case r.hangs:
		w.after(time.Until(x.cutAt), func() { w.answer(x) })
	case !x.fails && !r.refuses:
		w.end(x, nil)
		w.took = append(w.took, time.Since(x.began))
		if first := x.beside; first != nil && !first.over {
			first.attempt.Beaten.Store(true)
			w.end(first, context.Canceled)
		}
	case r.code != 0:
		w.fail(x, status.Error(r.code, "no"))
	default:
		w.fail(x, status.Error(codes.Internal, "no"))
	}
}

func (w *world) end(x *trial, err error) {
	if x.over = true; x.attempt.start.probe {
		x.replica.probes--
	}
	if err != nil {
		x.replica.failures++
	}
	x.call.Done(Outcome{Err: err})
}

// fail ends an attempt, and makes another one if there may be one.
func (w *world) fail(x *trial, err error) {
	w.end(x, err)
	switch {
	case len(x.attempt.Tried) < 2 && !w.once:
		w.attempt(x.began, append(slices.Clip(x.attempt.Tried), x.attempt.Chosen.Load()), nil)
	default:
		w.lost++
	}
}

// share is the part of the attempts that a replica got since the counts were last
// cleared.
func (w *world) share(place int) float64 {
	sum := 0
	for _, r := range w.replicas {
		sum += r.attempts
	}
	return float64(w.replicas[place].attempts) / float64(max(1, sum))
}

// clear begins to count anew.
func (w *world) clear() {
	w.calls, w.refused, w.lost, w.took = 0, 0, 0, nil
	for _, r := range w.replicas {
		r.attempts, r.failures = 0, 0
	}
}

func (w *world) quantile(share float64) time.Duration {
	slices.Sort(w.took)
	return w.took[int(share*float64(len(w.took)-1))]
}

type event struct {
	at      time.Time
	number  int // events of the same moment come in the order in which they were made
	arrival bool
	do      func()
}

func (w *world) after(d time.Duration, do func()) *event {
	w.number++
	e := &event{at: time.Now().Add(d), number: w.number, do: do}
	heap.Push(&w.due, e)
	return e
}

// timeline is a heap of events.
type timeline []*event

func (t timeline) Len() int { return len(t) }
func (t timeline) Less(i, j int) bool {
	if t[i].at.Equal(t[j].at) {
		return t[i].number < t[j].number
	}
	return t[i].at.Before(t[j].at)
}
func (t timeline) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timeline) Push(x any)   { *t = append(*t, x.(*event)) }
func (t *timeline) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}
