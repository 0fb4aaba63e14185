package shed_test

import (
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/shed"
)

// BenchmarkUncontended is what a call costs that is let in at once, without the
// two readings of the clock, which its caller needs anyway.
func BenchmarkUncontended(b *testing.B) {
	m := shed.New(shed.Options{}).Method()
	start := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !m.TryAcquire() {
			b.Fatal("refused")
		}
		m.Release(start, start.Add(time.Duration(1000+i&1023)), shed.Done)
	}
}

func BenchmarkParallel(b *testing.B) {
	m := shed.New(shed.Options{Rest: 100}).Method()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			start := time.Now()
			if m.TryAcquire() {
				m.Release(start, time.Now(), shed.Done)
			}
		}
	})
}

func TestNoAllocations(t *testing.T) {
	m := shed.New(shed.Options{}).Method()
	if n := testing.AllocsPerRun(1000, func() {
		start := time.Now()
		if m.TryAcquire() {
			m.Release(start, time.Now(), shed.Done)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
