package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-mesh/fairlead/test/mesh/control"
)

// Level is what a process uses while nobody asks anything of it.
type Level struct {
	PID        int
	Goroutines int
	// Files are open file descriptors, Sockets those of them that are sockets.
	Files, Sockets int
	// Heap is how many bytes are in use after a collection.
	Heap uint64
}

// Levels measures all replicas and generators that run.
func (l *Lab) Levels(ctx context.Context) (map[string]Level, error) {
	all := make(map[string]Level)
	for _, n := range l.Nodes {
		if n.Running() {
			s, err := n.Stats(ctx, true)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", n.Name, err)
			}
			all[n.Name] = level(s.Usage)
		}
	}
	for _, g := range l.Loads {
		if g.Running() {
			s, err := g.Stats(ctx, true)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", g.Name, err)
			}
			all[g.Name] = level(s.Usage)
		}
	}
	return all, nil
}

func level(u control.Usage) Level {
	l := Level{PID: u.PID, Goroutines: u.Goroutines, Heap: u.Heap}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", u.PID)) // the pattern is a good one
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue // closed meanwhile
		}
		l.Files++
		if strings.HasPrefix(target, "socket:") {
			l.Sockets++
		}
	}
	return l
}

// What a level may be above another: timers, probes and metrics come and go, and a
// new replica is remembered beside the one before it.
const (
	spareGoroutines = 10
	spareFiles      = 4
	spareHeap       = 8 << 20
)

// grown says what is above an earlier level of the same process, "" for nothing.
func (l Level) grown(before Level) string {
	switch {
	case l.Goroutines > before.Goroutines+spareGoroutines:
		return fmt.Sprintf("%d goroutines, %d before", l.Goroutines, before.Goroutines)
	case l.Sockets > before.Sockets+spareFiles:
		return fmt.Sprintf("%d sockets, %d before", l.Sockets, before.Sockets)
	case l.Files > before.Files+spareFiles:
		return fmt.Sprintf("%d open files, %d before", l.Files, before.Files)
	case l.Heap > before.Heap+spareHeap:
		return fmt.Sprintf("%d KiB of heap, %d before", l.Heap>>10, before.Heap>>10)
	}
	return ""
}

// Leftovers waits until the processes that have survived are back at an earlier
// level, for at most a time, and returns what is above it then.
func (l *Lab) Leftovers(ctx context.Context, before map[string]Level, wait time.Duration) ([]string, error) {
	for end := time.Now().Add(wait); ; {
		left, err := l.leftovers(ctx, before)
		if err != nil || len(left) == 0 || time.Now().After(end) {
			return left, err
		}
		if err := Pause(ctx, wait/50); err != nil {
			return nil, err
		}
	}
}

func (l *Lab) leftovers(ctx context.Context, before map[string]Level) ([]string, error) {
	now, err := l.Levels(ctx)
	if err != nil {
		return nil, err
	}
	var left []string
	for name, level := range now {
		if b, known := before[name]; known && b.PID == level.PID {
			if text := level.grown(b); text != "" {
				left = append(left, name+": "+text)
			}
		}
	}
	return left, nil
}
