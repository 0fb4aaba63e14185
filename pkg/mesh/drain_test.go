package mesh_test

import (
	"sync"
	"testing"
	"time"
)

// A replica leaves as soon as its callers have heard of it, and not only when the
// bound is reached; no call fails meanwhile.
func TestReplicaLeavesWhenItsCallersHaveHeard(t *testing.T) {
	w := newWorld(t)
	c := w.config(recipes)
	c.DrainDelay = patience // of which a tenth passes in any case
	leaving := join(t, c)
	w.serveOn(t, leaving, listen(t), says("leaving"))
	w.serve(t, says("staying"))
	cc := w.client(t).Dial(service)
	await(t, "both are called", func() bool {
		answer, err := call(bounded(t), cc, get)
		if err != nil {
			t.Fatal(err)
		}
		return answer == "leaving"
	})
	begin, stop := time.Now(), make(chan struct{})
	var calls sync.WaitGroup
	calls.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := call(bounded(t), cc, get); err != nil {
				t.Errorf("a call failed: %v", err)
			}
		}
	})
	closed(t, leaving)
	close(stop)
	calls.Wait()
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("took %s", took)
	}
}
