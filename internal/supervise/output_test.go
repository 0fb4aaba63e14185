package supervise

import (
	"strings"
	"sync"
	"testing"
)

func TestLines(t *testing.T) {
	var out text
	l := NewOutput(&out).of("a")
	for _, s := range []string{"be", "gin\nnext", "\n", "\n", "last"} {
		if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("%q: %d %v", s, n, err)
		}
	}
	l.end()
	l.end()
	if got, want := out.String(), "a | begin\na | next\na | \na | last\n"; got != want {
		t.Errorf("it is %q, want %q", got, want)
	}
}

func TestLongLinesAreCut(t *testing.T) {
	var out text
	l := NewOutput(&out).of("a")
	for range 1000 {
		l.Write([]byte(strings.Repeat("x", 1000)))
	}
	if cap(l.line) > 2*maxLine {
		t.Errorf("it holds %d bytes", cap(l.line))
	}
	l.Write([]byte("\n" + strings.Repeat("y", maxLine) + "\n"))
	if got, want := out.String(), "a | "+strings.Repeat("x", maxLine)+" [cut]\na | "+strings.Repeat("y", maxLine)+"\n"; got != want {
		t.Errorf("it is %d bytes, want %d", len(got), len(want))
	}
}

func TestLinesOfSeveralChildrenStayWhole(t *testing.T) {
	var out text
	o := NewOutput(&out)
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		wg.Go(func() {
			l := o.of(name)
			for range 100 {
				l.Write([]byte(name))
				l.Write([]byte(name + "\n"))
			}
		})
	}
	wg.Wait()
	for line := range strings.Lines(out.String()) {
		if line != "a | aa\n" && line != "b | bb\n" {
			t.Fatalf("a line is %q", line)
		}
	}
}

func TestOutputOfAProcess(t *testing.T) {
	var out text
	c := New(options(t.TempDir(), "talk", NewOutput(&out)))
	c.Start(soon(t)) // it may have ended before it is seen to be ready
	c.Stop(soon(t))
	want := "social-2 | one\nsocial-2 | \nsocial-2 | two\nsocial-2 | " + strings.Repeat("x", maxLine) + " [cut]\nsocial-2 | no end\n"
	if got := out.String(); !strings.HasPrefix(got, want) {
		t.Errorf("it is %.200q", got)
	}
}
