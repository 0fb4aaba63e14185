package status

import "strings"

// Style says for what a text is made.
type Style struct {
	// Width is how many columns there are; 0 means as many as it takes.
	Width int
	// Color marks in red what is wrong.
	Color bool
	// Wide shows what each client sees of each instance, too.
	Wide bool
}

// screen gathers lines.
type screen struct {
	strings.Builder
	width int
	color bool
}

type ink string

const (
	plain ink = ""
	alarm ink = "\x1b[31m"
	off       = "\x1b[0m"
)

// line writes a line, cut where the screen ends.
func (s *screen) line(i ink, text string) { s.inked("", i, text) }

// inked writes a line that has ink from some place on.
func (s *screen) inked(before string, i ink, text string) {
	if s.width > 0 {
		before = cut(before, s.width)
		text = cut(text, s.width-columns(before))
	}
	if s.color && i != plain {
		text = string(i) + text + off
	}
	s.WriteString(strings.TrimRight(before+text, " ") + "\n")
}

func (s *screen) wrapped(text string, room int) []string {
	if s.width == 0 {
		return []string{text}
	}
	return wrap(text, max(room, 1))
}
