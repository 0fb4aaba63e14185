package main

import (
	"fmt"
	"regexp"
	"strings"
)

// A block is a marked block of the document.
type block struct {
	line int    // of its first command
	verb string // start, run or file
	want string // what it must print; run may leave it empty
	wait bool   // run until it prints that
	name string // of the file
	text string
}

var (
	mark  = regexp.MustCompile(`^<!-- ci: (?:(start) until "([^"]+)"|(run)(?: (expect|until) "([^"]+)")?|(file) (\S+)) -->$`)
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
		if m == nil {
			return nil, fmt.Errorf("%d: a mark is <!-- ci: run -->, run expect \"text\", run until \"text\", start until \"text\" or file name", i+1)
		}
		b := block{line: i + 3, verb: m[1] + m[3] + m[6], wait: m[4] == "until", want: m[2] + m[5], name: m[7]}
		body, ok := fenced(lines[i+1:], b.verb == "file")
		if !ok {
			return nil, fmt.Errorf("%d: no ```sh block follows the mark", i+1)
		}
		b.text = strings.Join(body, "\n")
		blocks = append(blocks, b)
		i += len(body) + 2
	}
	return blocks, nil
}

// fenced returns the lines of the block with which lines begin: one of sh, unless
// any will do.
func fenced(lines []string, any bool) ([]string, bool) {
	if len(lines) == 0 || lines[0] != "```sh" && !(any && strings.HasPrefix(lines[0], "```")) {
		return nil, false
	}
	for i, line := range lines {
		if i > 0 && line == "```" {
			return lines[1:i], true
		}
	}
	return nil, false
}
