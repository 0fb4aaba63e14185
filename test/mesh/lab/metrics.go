package lab

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Events adds up all series with a label of that value which a process shows at its
// probe port, 0 when it has none: how often an event of the mesh has happened.
func (m *member) Events(ctx context.Context, label string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.Probe+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(r)
	if err != nil {
		return 0, fmt.Errorf("metrics of %s: %w", m.Name, err)
	}
	defer resp.Body.Close()
	sum := 0.0
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if v, ok := series(lines.Text(), label); ok {
			sum += v
		}
	}
	return sum, lines.Err()
}

// series reads a line of Prometheus's format, when it has a label of that value.
func series(line, label string) (float64, bool) {
	if !strings.Contains(line, `="`+label+`"`) {
		return 0, false
	}
	value := line[strings.LastIndexByte(line, ' ')+1:]
	v, err := strconv.ParseFloat(value, 64)
	return v, err == nil
}

// Missing watches the registry until ctx ends, and returns the times at which not all
// instances of a service were in it, as far as etcd answered.
func (e *Etcd) Missing(ctx context.Context, service string, ids []string, ask ...*Member) ([]time.Time, error) {
	c, err := e.Client(ask...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var missing []time.Time
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return missing, nil
		case <-tick.C:
		}
		asking, cancel := context.WithTimeout(ctx, time.Second)
		list, err := registered(asking, c, service)
		cancel()
		if err != nil {
			continue // etcd does not answer: nobody can say
		}
		for _, id := range ids {
			if _, there := list[id]; !there {
				missing = append(missing, time.Now())
				break
			}
		}
	}
}
