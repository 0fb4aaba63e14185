// Package event keeps the last things that happened at an edge and that an
// operator should know of: a service that is not exposed, a route that is
// refused. Each is logged and counted as well.
package event

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Kind says what kind of thing happened; it is a metric label, so there are few.
type Kind string

// The kinds of events.
const (
	// Refused: something that a service asked for is not exposed.
	Refused Kind = "refused"
	// Exposed: a service has come to the edge, or changed.
	Exposed Kind = "exposed"
	// Removed: a service has left.
	Removed Kind = "removed"
)

// Event is one thing that happened.
type Event struct {
	Time    time.Time `json:"time"`
	Kind    Kind      `json:"kind"`
	Subject string    `json:"subject"` // a service, a method or a route
	Reason  string    `json:"reason"`  // why, for people
}

// kept is how many events an operator can look back at.
const kept = 256

// Log takes events. It may be used by several goroutines at once.
type Log struct {
	logger *slog.Logger
	count  func(Kind)

	mu     sync.Mutex
	events []Event // the newest last, at most kept
}

// NewLog makes a Log that also writes to logger and calls count for each event;
// count may be nil.
func NewLog(logger *slog.Logger, count func(Kind)) *Log {
	if count == nil {
		count = func(Kind) {}
	}
	return &Log{logger: logger, count: count}
}

// Add records that something happened now.
func (l *Log) Add(kind Kind, subject, reason string) {
	level := slog.LevelInfo
	if kind == Refused {
		level = slog.LevelWarn
	}
	l.logger.Log(context.Background(), level, string(kind), "subject", subject, "reason", reason)
	l.count(kind)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, Event{time.Now(), kind, subject, reason})
	if len(l.events) > kept {
		l.events = slices.Delete(l.events, 0, len(l.events)-kept)
	}
}

// Recent returns the last events, the newest first.
func (l *Log) Recent() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Clone(l.events)
	slices.Reverse(all)
	return all
}
