package main

import (
	"fmt"
	"regexp"
	"strings"
)

// A block is a marked sh block of the document.
type block struct {
	line int    // of its first command
	verb string // start or run
	want string // what it must print; run may leave it empty
	text string
}

var (
	mark  = regexp.MustCompile(`^<!-- ci: (start until|run|run expect)(?: "([^"]+)")? -->$`)
	loose = regexp.MustCompile(`^\s*<!--\s*ci\b`)
)

// parse returns the marked blocks. A mark that it cannot read, or that no block
// follows, is an error: it would check nothing.
func parse(text string) ([]block, error) {
	lines := strings.Split(text, "\n")
	var blocks []block
	for i := 0; i < len(lines); i++ {
		if !loose.MatchString(lines[i]) {
			continue
		}
		m := mark.FindStringSubmatch(lines[i])
		if m == nil || (m[1] == "run") != (m[2] == "") {
			return nil, fmt.Errorf("%d: a mark is <!-- ci: run -->, run expect \"text\" or start until \"text\"", i+1)
		}
		body, ok := fenced(lines[i+1:])
		if !ok {
			return nil, fmt.Errorf("%d: no ```sh block follows the mark", i+1)
		}
		verb, _, _ := strings.Cut(m[1], " ")
		blocks = append(blocks, block{line: i + 3, verb: verb, want: m[2], text: strings.Join(body, "\n")})
		i += len(body) + 2
	}
	return blocks, nil
}

// fenced returns the lines of the sh block with which lines begin.
func fenced(lines []string) ([]string, bool) {
	if len(lines) == 0 || lines[0] != "```sh" {
		return nil, false
	}
	for i, line := range lines {
		if line == "```" {
			return lines[1:i], true
		}
	}
	return nil, false
}
