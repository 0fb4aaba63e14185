package supervise

import (
	"bytes"
	"io"
	"sync"
)

// maxLine is how much of a line is shown; what a child prints must not fill our
// memory.
const maxLine = 8 << 10

// Output is where children print: line by line, each with the name of its child
// in front.
type Output struct {
	mu sync.Mutex
	w  io.Writer
}

// NewOutput returns an output that writes each line to w at once. What w returns
// is not looked at: a child goes on though nobody reads what it says.
func NewOutput(w io.Writer) *Output { return &Output{w: w} }

// of returns what takes the output of one process.
func (o *Output) of(name string) *lines { return &lines{out: o, prefix: name + " | "} }

// write is called by several children at once.
func (o *Output) write(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w.Write(line)
}

// lines cuts what one process prints into lines.
type lines struct {
	out    *Output
	prefix string
	line   []byte // what there is of a line
	long   bool   // it had to be cut
}

// Write implements io.Writer. It keeps the beginning of a line until its end.
func (l *lines) Write(b []byte) (int, error) {
	all := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			l.add(b)
			return all, nil
		}
		l.add(b[:i])
		l.flush()
		b = b[i+1:]
	}
}

func (l *lines) add(b []byte) {
	room := maxLine - len(l.line)
	l.long = l.long || len(b) > room
	l.line = append(l.line, b[:min(len(b), room)]...)
}

func (l *lines) flush() {
	text := append([]byte(l.prefix), l.line...)
	if l.long {
		text = append(text, " [cut]"...)
	}
	l.out.write(append(text, '\n'))
	l.line, l.long = l.line[:0], false
}

// end writes a last line that has no end.
func (l *lines) end() {
	if len(l.line) > 0 {
		l.flush()
	}
}
