package shed

import "time"

// recent counts what happened in the last 10 s, in slices of a second.
type recent [10]struct {
	second int64 // of Unix time
	count  int
}

func (r *recent) add(now time.Time) {
	slice := &r[now.Unix()%int64(len(r))]
	if slice.second != now.Unix() {
		slice.second, slice.count = now.Unix(), 0
	}
	slice.count++
}

// rate is how often it happened, per second.
func (r *recent) rate(now time.Time) float64 {
	count := 0
	for _, slice := range r {
		if now.Unix()-slice.second < int64(len(r)) {
			count += slice.count
		}
	}
	return float64(count) / float64(len(r))
}

// refusing is how many calls are refused per second.
func (q *queue) refusing(now time.Time) float64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.recent.rate(now)
}
