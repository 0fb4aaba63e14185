package balance

import "sync"

// news are things to be told to others, one after the other, without waiting for
// them. The goroutine that tells ends when there is nothing more to tell, so that
// nobody has to close anything.
type news struct {
	mu      sync.Mutex
	waiting []func()
	telling bool
}

// newsBound is how many may wait; what comes on top is left out.
const newsBound = 64

func (n *news) tell(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) < newsBound {
		n.waiting = append(n.waiting, f)
	}
	if !n.telling {
		n.telling = true
		go n.run()
	}
}

func (n *news) run() {
	for {
		n.mu.Lock()
		if len(n.waiting) == 0 {
			n.telling = false
			n.mu.Unlock()
			return
		}
		f := n.waiting[0]
		n.waiting = n.waiting[1:]
		n.mu.Unlock()
		f()
	}
}
