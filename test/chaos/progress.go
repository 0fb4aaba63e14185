package chaos

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Progress tells a person what happens.
type Progress interface {
	// Say tells of a new step.
	Say(format string, args ...any)
	// Step tells how far the step is; what it says is not kept on a terminal.
	Step(format string, args ...any)
}

// every is how often a step is told of where nothing can be written over.
const every = 10 * time.Second

// NewProgress writes to a terminal, or line by line to anything else.
func NewProgress(f *os.File) Progress {
	info, err := f.Stat()
	return &writer{out: f, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

type writer struct {
	out      io.Writer
	terminal bool
	told     time.Time
}

func (w *writer) Say(format string, args ...any) {
	if w.terminal {
		fmt.Fprint(w.out, "\r\x1b[K") // the line of the last step
	}
	fmt.Fprintf(w.out, format+"\n", args...)
	w.told = time.Now()
}

func (w *writer) Step(format string, args ...any) {
	if w.terminal {
		fmt.Fprintf(w.out, "\r\x1b[K  "+format, args...)
		return
	}
	if time.Since(w.told) > every {
		fmt.Fprintf(w.out, "  "+format+"\n", args...)
		w.told = time.Now()
	}
}
