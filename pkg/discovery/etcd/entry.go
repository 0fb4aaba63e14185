package etcd

import "sync"

// action is what is to be done with a key.
type action int

const (
	publish  action = iota // write it when it is not there, on no lease
	register               // write it on the lease
	remove                 // delete it
)

// entry is one key as it shall be. It is never changed, but replaced by another.
type entry struct {
	action     action
	key, value string

	settled chan struct{} // closed when it is so, or when another entry came
	once    sync.Once
}

func newEntry(a action, key, value string) *entry {
	return &entry{action: a, key: key, value: value, settled: make(chan struct{})}
}

func (e *entry) settle() { e.once.Do(func() { close(e.settled) }) }

func (e *entry) isSettled() bool {
	select {
	case <-e.settled:
		return true
	default:
		return false
	}
}

func removals(entries []*entry) []*entry {
	var all []*entry
	for _, e := range entries {
		all = append(all, newEntry(remove, e.key, ""))
	}
	return all
}
