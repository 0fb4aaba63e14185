package etcd

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestGathering gathers changes of a whole second: they cost few lists, the first
// comes soon, and after a calm so does the next.
func TestGathering(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		var g gathering
		changes := time.NewTicker(time.Millisecond)
		defer changes.Stop()
		var told []time.Duration
		start := time.Now()
		for len(told) == 0 || told[len(told)-1] < time.Second {
			select {
			case <-changes.C:
				g.begin()
			case <-g.done:
				g.end()
				told = append(told, time.Since(start))
			}
		}
		if first := told[0]; first > 25*time.Millisecond || len(told) > 10 {
			t.Errorf("told at %v", told)
		}
		time.Sleep(2 * calm)
		g.begin()
		start = time.Now()
		<-g.done
		if waited := time.Since(start); waited != shortestGather {
			t.Errorf("gathered for %s after a calm", waited)
		}
	})
}
