package mesh

import "time"

// Methods that could not be read are asked for again after soonest, then after
// twice as long each time, up to latest: a registry that is back is noticed soon,
// and one from which they are missing is not asked often.
const soonest, latest = time.Second, 30 * time.Second

// unread is when to ask again for the methods of the members, some of which are not
// known: nothing is repeated until then.
type unread struct {
	*time.Timer
	wait time.Duration
}

// newUnread returns one that waits for nothing.
func newUnread() unread {
	timer := time.NewTimer(latest)
	timer.Stop()
	return unread{Timer: timer}
}

// expect asks again after a while, if there is anything to ask for.
func (r *watching) expect(wait time.Duration) {
	r.unread.Stop()
	if r.target.mesh.config.MethodsOf == nil || len(*r.target.apis.Load()) >= len(digests(r.told)) {
		return
	}
	r.unread.wait = wait
	r.unread.Reset(wait)
}

// readAgain tells the connection what can be read by now. It is told nothing when
// that is no more than before.
func (r *watching) readAgain() {
	known := 0
	for digest := range digests(r.told) {
		if r.target.mesh.apiOf(digest) != nil {
			known++
		}
	}
	if known > len(*r.target.apis.Load()) {
		r.tell(r.told)
		return
	}
	r.expect(min(2*r.unread.wait, latest))
}

// digests are the versions of the API that the members have.
func digests(members []member) map[string]bool {
	all := make(map[string]bool)
	for _, m := range members {
		all[m.Digest] = true
	}
	return all
}
