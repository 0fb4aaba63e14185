package shed

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
)

func TestRecentRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent
		want := func(want float64) {
			t.Helper()
			if got := r.rate(time.Now()); got != want {
				t.Errorf("%v per second, want %v", got, want)
			}
		}
		want(0)
		for range 30 {
			r.add(time.Now())
			time.Sleep(time.Second / 2)
		}
		want(1.8) // the second that has begun counts as one
		time.Sleep(5 * time.Second)
		want(0.8)
		time.Sleep(time.Minute)
		want(0)
		r.add(time.Now())
		want(0.1)
	})
}

func TestRefusing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{Min: 1, Max: 1, Rest: 1})
		m := l.Method()
		m.TryAcquire()
		for range 20 {
			if m.Wait(t.Context(), NewPriority(criticality.Critical, 0), time.Millisecond) {
				t.Fatal("one permit is not one")
			}
		}
		if got := l.State().Refusing; got != 2 {
			t.Errorf("refuses %v calls per second, want 2", got)
		}
	})
}
