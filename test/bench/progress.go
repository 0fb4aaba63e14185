package bench

import (
	"fmt"
	"io"
	"os"
	"time"
)

// every is how often progress is told of where nothing can be written over.
const every = 10 * time.Second

// progressTo tells a person how far the measurement is: on a terminal in one line
// that changes, anywhere else in a line from time to time.
func progressTo(w io.Writer) func(format string, args ...any) {
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		return func(format string, args ...any) { fmt.Fprintf(w, "\r\x1b[K"+format, args...) }
	}
	var told time.Time
	return func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" && time.Since(told) > every {
			fmt.Fprintln(w, text)
			told = time.Now()
		}
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
