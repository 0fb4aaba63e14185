package shed_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// busy is a limiter whose only permit is taken.
func busy(t *testing.T) (*shed.Limiter, *shed.Method) {
	t.Helper()
	l := shed.New(shed.Options{Min: 1, Max: 1, Rest: 1})
	m := l.Method()
	if !m.TryAcquire() || m.TryAcquire() {
		t.Fatal("one permit is not one")
	}
	return l, m
}

// wait queues a call and notes its name when it is let in.
func wait(t *testing.T, m *shed.Method, l criticality.Level, whose uint32, name string, into chan<- string) {
	go func() {
		if m.Wait(t.Context(), shed.NewPriority(l, whose), time.Hour) {
			into <- name
		} else {
			into <- "no " + name
		}
	}()
	synctest.Wait()
}

func TestMoreCriticalCallsOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := busy(t)
		into := make(chan string, 8)
		for name, level := range map[string]criticality.Level{
			"1": criticality.CriticalPlus, "2": criticality.Critical, "3": criticality.SheddablePlus, "4": criticality.Sheddable,
		} {
			wait(t, m, level, 0, name, into)
		}
		for _, want := range []string{"1", "2", "3", "4"} {
			m.Return()
			if got := <-into; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

func TestEqualsAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := busy(t)
		into := make(chan string, 3)
		for i, name := range []string{"1", "2", "3"} {
			wait(t, m, criticality.Critical, uint32(7*i), name, into) // whoever they are
		}
		for _, want := range []string{"1", "2", "3"} {
			m.Return()
			if got := <-into; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

// In a queue that stands, who is served depends on whose call it is, and of one's
// calls the last is served: the first has waited in vain.
func TestStandingQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := busy(t)
		into := make(chan string, 80)
		for range 60 { // for 300 ms
			wait(t, m, criticality.Critical, 0, "early", into)
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(11 * time.Millisecond) // they have given up
		wait(t, m, criticality.Critical, 3, "first of 3", into)
		wait(t, m, criticality.Critical, 3, "last of 3", into)
		wait(t, m, criticality.Critical, 2, "2", into)
		for len(into) > 0 {
			<-into
		}
		for _, want := range []string{"last of 3", "first of 3", "2"} {
			m.Return()
			if got := <-into; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

func TestCriticalCallsDisplaceOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := busy(t)
		into := make(chan string, 200)
		for range 64 {
			wait(t, m, criticality.Sheddable, 0, "sheddable", into)
		}
		wait(t, m, criticality.Sheddable, 0, "another", into)
		if got := <-into; got != "no another" {
			t.Errorf("got %s", got)
		}
		wait(t, m, criticality.Critical, 0, "critical", into)
		if got := <-into; got != "no sheddable" {
			t.Errorf("got %s", got)
		}
		m.Return()
		if got := <-into; got != "critical" {
			t.Errorf("got %s", got)
		}
		if s := l.State(); s.Waiting != 63 || s.Refused != [shed.Classes]int64{2, 0, 0, 0} {
			t.Errorf("got %+v", s)
		}
		time.Sleep(time.Second)
	})
}

// A burst may wait for 100 ms, a standing queue for 10; what is critical waits there
// for 100 too, but for a quarter of its time at most, while nobody knows that fewer
// calls at once would be faster.
func TestHowLongCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := busy(t)
		into := make(chan string, 100)
		level := criticality.SheddablePlus
		waited := func(patience time.Duration) time.Duration {
			begin := time.Now()
			if m.Wait(t.Context(), shed.NewPriority(level, 0), patience) {
				t.Error("let in")
			}
			return time.Since(begin)
		}
		if got := waited(time.Hour); got != 100*time.Millisecond {
			t.Errorf("in a burst: %s", got)
		}
		time.Sleep(time.Second)
		if got := waited(30 * time.Millisecond); got != 30*time.Millisecond {
			t.Errorf("with less patience: %s", got)
		}
		if got := waited(-time.Second); got != 0 {
			t.Errorf("with none: %s", got)
		}
		for range 30 {
			wait(t, m, level, 0, "", into)
			time.Sleep(5 * time.Millisecond)
		}
		if got := waited(time.Hour); got != 10*time.Millisecond {
			t.Errorf("in a standing queue: %s", got)
		}
		time.Sleep(time.Second) // those who were refused are forgotten
		level = criticality.Critical
		for range 30 {
			wait(t, m, level, 0, "", into)
			time.Sleep(5 * time.Millisecond)
		}
		if got := waited(time.Hour); got != 100*time.Millisecond {
			t.Errorf("what is critical: %s", got)
		}
		if got := waited(200 * time.Millisecond); got != 50*time.Millisecond {
			t.Errorf("what is critical, with 200 ms: %s", got)
		}
	})
}
