// Command house checks the rules of this repository that no other linter
// knows: who may import whom, what a policy must say, that documents point at
// what exists. It works on the folder in which it is started.
//
//	house                   checks every rule
//	house stale COMMAND...  runs the command, which should regenerate all that
//	                        is generated, and fails for each file it changed
package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
)

// A rule looks at the whole tree. An error means that it could not look.
type rule struct {
	name  string
	check func(*tree) ([]finding, error)
}

var rules = []rule{
	{"imports", imports},
	{"budget", budgets},
	{"policy", policies},
	{"docs", docs},
	{"numbers", numbers},
	{"files", files},
}

// A finding is one violation: where it is, and what to do about it.
type finding struct {
	path string
	line int // 0 when it is about the whole file
	text string
}

func (f finding) String() string {
	if f.line == 0 {
		return fmt.Sprintf("%s: %s", f.path, f.text)
	}
	return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.text)
}

func main() {
	found, err := run(os.Args[1:])
	for _, f := range found {
		fmt.Println(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
	}
	if err != nil || len(found) > 0 {
		os.Exit(1)
	}
}

func run(args []string) ([]finding, error) {
	switch {
	case len(args) == 0:
		return checkAll(".")
	case args[0] == "stale" && len(args) > 1:
		return stale(".", args[1:])
	}
	return nil, fmt.Errorf("usage: house [stale COMMAND...]")
}

func checkAll(root string) ([]finding, error) {
	t, err := load(root)
	if err != nil {
		return nil, err
	}
	var all []finding
	var failed error
	for _, r := range rules {
		found, err := r.check(t)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", r.name, err))
		}
		all = append(all, sorted(found)...)
	}
	return all, failed
}

func sorted(found []finding) []finding {
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.line, b.line), cmp.Compare(a.text, b.text))
	})
	return found
}
