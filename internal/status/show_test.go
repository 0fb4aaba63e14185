package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// endsAfter is where a status is shown until there were so many frames.
type endsAfter struct {
	text   bytes.Buffer
	frames int
	end    context.CancelFunc
}

// Write implements io.Writer.
func (e *endsAfter) Write(b []byte) (int, error) {
	if e.frames--; e.frames == 0 {
		e.end()
	}
	return e.text.Write(b)
}

func terminal(rows int) func() (int, int) { return func() (int, int) { return 80, rows } }

func TestWatch(t *testing.T) {
	w := newWorld(t)
	w.start(t, "edge", "edge-ddd", nil)
	c := w.collector(t, "operator")
	for name, test := range map[string]struct {
		output Output
		begins string // each frame does
	}{
		"on a terminal": {Output{Size: terminal(24), Color: true}, home},
		"in a file":     {Output{}, "\nSERVICE"},
		"as JSON":       {Output{JSON: true}, `{"time":`},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, end := context.WithTimeout(t.Context(), soon)
			defer end()
			to := &endsAfter{frames: 2, end: end}
			test.output.To = to
			if err := test.output.Watch(ctx, c); err != nil {
				t.Error(err)
			}
			text := to.text.String()
			if n := strings.Count(text, test.begins); n != 2 {
				t.Errorf("%d frames: %.500q", n, text)
			}
			if test.output.Size == nil && strings.Contains(text, "\x1b") {
				t.Errorf("escapes are written to a file: %.500q", text)
			}
		})
	}
}

// A frame is never higher than the terminal, which would scroll, and clears what
// stood in its place.
func TestFrames(t *testing.T) {
	var text strings.Builder
	for n := range 30 {
		fmt.Fprintln(&text, "line", n)
	}
	for _, rows := range []int{0, 1, 2, 3, 10, 31, 32, 100} {
		got := Output{Size: terminal(rows)}.place(text.String())
		lines := strings.Count(got, "\n")
		if rows > 1 && lines >= rows || rows <= 1 && lines != 31 {
			t.Errorf("on %d rows: %d lines", rows, lines)
		}
		if !strings.HasPrefix(got, home) || !strings.HasSuffix(got, endFrame) || strings.Count(got, endLine) != lines {
			t.Errorf("on %d rows: %q", rows, got)
		}
	}
}

func TestOnce(t *testing.T) {
	w := newWorld(t)
	w.start(t, "edge", "edge-ddd", nil)
	c := w.collector(t, "operator")
	var out bytes.Buffer
	m, err := Output{To: &out}.Once(t.Context(), c)
	if err != nil || !strings.Contains(out.String(), "\nedge ") || m.Time.AsTime().Before(time.Now().Add(-soon)) {
		t.Errorf("%v: %s", err, out.String())
	}
	if _, err := (Output{To: shut{}}).Once(t.Context(), c); !errors.Is(err, errBroken) {
		t.Errorf("to a broken pipe: %v", err)
	}
}

var errBroken = errors.New("broken pipe")

// shut is a pipe that nobody reads.
type shut struct{}

// Write implements io.Writer.
func (shut) Write([]byte) (int, error) { return 0, errBroken }
