package mesh_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/descriptor"
	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// load calls Get again and again from several goroutines.
type load struct {
	stop    chan struct{}
	callers sync.WaitGroup

	mu       sync.Mutex
	answers  map[string]int
	failures []error
}

// startLoad calls until end is called or the test ends.
func startLoad(t *testing.T, cc grpc.ClientConnInterface) *load {
	t.Helper()
	l := &load{stop: make(chan struct{}), answers: make(map[string]int)}
	for range 4 {
		l.callers.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
					l.note(call(t.Context(), cc, get))
				}
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

func (l *load) note(answer string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[answer]++
	if err != nil {
		l.failures = append(l.failures, err)
	}
}

func (l *load) count(answer string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers[answer]
}

// grows waits until so many more calls were answered like this.
func (l *load) grows(t *testing.T, answer string, by int) {
	t.Helper()
	want := l.count(answer) + by
	await(t, "calls answered by "+answer, func() bool { return l.count(answer) >= want })
}

func (l *load) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
}

func TestReplicaStopsWithoutAFailedCall(t *testing.T) {
	w := newWorld(t)
	w.serve(t, says("a"))
	b := w.serve(t, says("b"))
	l := startLoad(t, w.client(t).Dial(service))
	l.grows(t, "a", 50)
	l.grows(t, "b", 50)

	closed(t, b)
	before := l.count("b")
	l.grows(t, "a", 50)
	w.serve(t, says("c"))
	l.grows(t, "c", 50)

	l.end()
	l.callers.Wait()
	if len(l.failures) > 0 {
		t.Errorf("%d calls failed, the first with %v", len(l.failures), l.failures[0])
	}
	if after := l.count("b"); after != before {
		t.Errorf("a replica answered %d calls after it was closed", after-before)
	}
}

// A killed replica says nothing, and its record stays. The calls that it was
// answering fail; those that follow go to the other.
func TestKilledReplicaIsLeftOut(t *testing.T) {
	w := newWorld(t)
	w.serve(t, says("a"))
	victim, m := listen(t), join(t, w.config(recipes))
	w.serveOn(t, m, victim, says("b"))
	cc := w.client(t).Dial(service)
	l := startLoad(t, cc)
	l.grows(t, "a", 50)
	l.grows(t, "b", 50)

	victim.kill()
	l.grows(t, "a", 50)
	l.end()
	l.callers.Wait()
	for _, err := range l.failures {
		if status.Code(err) != codes.Unavailable {
			t.Errorf("a call failed with %v", err)
		}
	}
	for range 50 {
		if answer, err := call(bounded(t), cc, get); answer != "a" || err != nil {
			t.Fatalf("got %q, %v", answer, err)
		}
	}
}

// A handler that runs when its replica is closed finishes, and its caller gets the
// answer.
func TestCloseWaitsForRunningCalls(t *testing.T) {
	w := newWorld(t)
	running, finish := make(chan struct{}), make(chan struct{})
	m := w.serve(t, handlers{"Get": func(context.Context) (string, error) {
		close(running)
		<-finish
		return "done", nil
	}})
	cc := w.client(t).Dial(service)
	answered := make(chan error, 1)
	go func() {
		answer, err := call(bounded(t), cc, get)
		if answer != "done" && err == nil {
			t.Errorf("got %q", answer)
		}
		answered <- err
	}()
	<-running
	ended := make(chan struct{})
	go func() { closed(t, m); close(ended) }()
	// Once the others are told, the replica is on its way out.
	await(t, "the replica is not registered any more", func() bool { return len(w.instances(t)) == 0 })
	select {
	case <-ended:
		t.Error("closed while a call was running")
	default:
	}
	close(finish)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	<-ended
}

// When its time is over, Close cuts off what still runs.
func TestCloseIsBounded(t *testing.T) {
	w := newWorld(t)
	running := make(chan struct{})
	m := w.serve(t, handlers{"Get": func(ctx context.Context) (string, error) {
		close(running)
		<-ctx.Done()
		return "", ctx.Err()
	}})
	cc := w.client(t).Dial(service)
	answered := make(chan error, 1)
	go func() {
		_, err := call(bounded(t), cc, get)
		answered <- err
	}()
	<-running
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	if err := m.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if err := <-answered; status.Code(err) != codes.Unavailable {
		t.Errorf("the call that was cut off ended with %v", err)
	}
}

func TestUnregisteredServiceIsUnavailableAtOnce(t *testing.T) {
	w := newWorld(t)
	cc := w.client(t).Dial(service)
	start := time.Now()
	_, err := call(bounded(t), cc, get)
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), service) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %s", took)
	}
	w.serve(t, says("late"))
	await(t, "the service is found", func() bool {
		answer, _ := call(bounded(t), cc, get)
		return answer == "late"
	})
}

// A call that waits for readiness waits for the first instance.
func TestCallWaitsForTheFirstInstance(t *testing.T) {
	w := newWorld(t)
	cc := w.client(t).Dial(service)
	if _, err := call(bounded(t), cc, get); status.Code(err) != codes.Unavailable {
		t.Fatalf("got %v", err)
	}
	var waiting atomic.Bool
	answered := make(chan error, 1)
	go func() {
		waiting.Store(true)
		answered <- cc.Invoke(bounded(t), get, text(), text(), grpc.WaitForReady(true))
	}()
	await(t, "the call is made", waiting.Load)
	w.serve(t, says("late"))
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// An instance that drains answers until it stops. It is called as long as nobody
// else can be.
func TestDrainingInstance(t *testing.T) {
	w := newWorld(t)
	first := w.config(recipes)
	first.DrainDelay = patience
	m := join(t, first)
	w.serveOn(t, m, listen(t), says("draining"))
	cc := w.client(t).Dial(service)

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Close(ctx) }()
	await(t, "the instance drains", func() bool { return w.instances(t)[0].Draining })
	for range 20 {
		if answer, err := call(bounded(t), cc, get); answer != "draining" || err != nil {
			t.Fatalf("got %q, %v", answer, err)
		}
	}
	w.serve(t, says("new"))
	await(t, "the new instance is called", func() bool {
		answer, err := call(bounded(t), cc, get)
		if err != nil {
			t.Fatal(err)
		}
		return answer == "new"
	})
	for range 20 {
		if answer, err := call(bounded(t), cc, get); answer != "new" || err != nil {
			t.Fatalf("got %q, %v", answer, err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServiceThatLeftIsUnavailable(t *testing.T) {
	w := newWorld(t)
	m := w.serve(t, says("a"))
	cc := w.client(t).Dial(service)
	if answer, err := call(bounded(t), cc, get); answer != "a" || err != nil {
		t.Fatalf("got %q, %v", answer, err)
	}
	closed(t, m)
	if _, err := call(bounded(t), cc, get); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}

// When a registry comes back after all leases have run out, it lists nobody for a
// moment. Who answers is still called.
func TestForgottenServiceIsStillCalled(t *testing.T) {
	w := newWorld(t)
	l, server := listen(t), w.server(recipes, says("a"))
	go server.Serve(l) // until Stop
	t.Cleanup(func() { server.Stop(context.Background()) })
	api := says("a").image(t)
	digest := descriptor.Digest(api)
	registration, err := w.registry.Register(t.Context(), []discovery.Instance{{
		ID: "a", Service: service, Address: l.Addr().String(), Identity: mtls.ID(recipes), Digest: digest,
	}}, discovery.Descriptors{Digest: digest, Image: api})
	if err != nil {
		t.Fatal(err)
	}
	cc := w.client(t).Dial(service)
	if answer, err := call(bounded(t), cc, get); answer != "a" || err != nil {
		t.Fatalf("got %q, %v", answer, err)
	}
	if err := registration.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One that could not be reached would be given up after 5 s.
	for end := time.Now().Add(6 * time.Second); time.Now().Before(end); {
		if answer, err := call(bounded(t), cc, get); answer != "a" || err != nil {
			t.Fatalf("got %q, %v", answer, err)
		}
	}
}

// Who says nothing and is not there either is given up, and calls fail at once.
func TestVanishedServiceIsGivenUp(t *testing.T) {
	w := newWorld(t)
	l := listen(t)
	w.serveOn(t, join(t, w.config(recipes)), l, says("a"))
	cc := w.client(t).Dial(service)
	if answer, err := call(bounded(t), cc, get); answer != "a" || err != nil {
		t.Fatalf("got %q, %v", answer, err)
	}
	l.kill()
	w.registry.Forget()
	await(t, "nobody is registered", func() bool {
		_, err := call(bounded(t), cc, get)
		return status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), "no instance")
	})
}

// A client of a large service has connections to some replicas only.
func TestSubset(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		w.serve(t, says(name))
	}
	c := w.config("client")
	c.Subset = 2
	cc := join(t, c).Dial(service)
	answers := make(map[string]bool)
	for range 300 {
		answer, err := call(bounded(t), cc, get)
		if err != nil {
			t.Fatal(err)
		}
		answers[answer] = true
	}
	if len(answers) != 2 {
		t.Errorf("%d replicas answered, want 2", len(answers))
	}
}
