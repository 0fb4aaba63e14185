package lab

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/<pid>/stat.
const tick = 10 * time.Millisecond

// CPU is how much processor time a process has used.
func (p *process) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0, err
	}
	// The name may hold spaces; the fields after it are numbered from 3 in proc(5).
	text := string(b)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	var sum int64
	for _, n := range []int{14, 15} { // utime, stime
		v, err := strconv.ParseInt(fields[n-3], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += v
	}
	return time.Duration(sum) * tick, nil
}

// Latencies writes to etcd every 20 ms until ctx ends, and says how long each took.
func (e *Etcd) Latencies(ctx context.Context) ([]time.Duration, error) {
	c, err := e.Client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var all []time.Duration
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return all, nil
		case <-ticks.C:
		}
		began := time.Now()
		if _, err := c.Put(ctx, "latency", began.String()); err != nil {
			if ctx.Err() != nil {
				return all, nil
			}
			return all, fmt.Errorf("put: %w", err)
		}
		all = append(all, time.Since(began))
	}
}
