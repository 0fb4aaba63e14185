package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
)

const (
	maxLines     = 600 // a file
	maxMainLines = 39  // a file of a command: what it does belongs in internal
)

// unfinished matches a mark for later work. Work to do is in the tracker.
var unfinished = regexp.MustCompile(`(//|#|--|/\*|<!--)\s*(TODO|FIXME)\b|\b(TODO|FIXME)[:(]`)

// files checks what each file must look like.
func files(t *tree) ([]finding, error) {
	found := packageComments(t)
	for _, s := range t.code {
		if !s.generated {
			found = append(found, tooLong(s)...)
			found = append(found, sleeps(s)...)
			found = append(found, skips(s)...)
		}
	}
	for _, name := range t.files {
		marks, err := marks(t, name)
		if err != nil {
			return nil, err
		}
		found = append(found, marks...)
	}
	return found, nil
}

func tooLong(s *source) []finding {
	limit := maxLines
	if below(s.path, "cmd") && !s.test {
		limit = maxMainLines
	}
	if len(s.lines) <= limit {
		return nil
	}
	return []finding{{path: s.path, text: fmt.Sprintf("%d lines, at most %d", len(s.lines), limit)}}
}

// packageComments wants one in each package that holds more than tests.
func packageComments(t *tree) []finding {
	missing := make(map[string]string) // folder to its first file
	done := make(map[string]bool)
	for _, s := range t.code {
		if s.test {
			continue
		}
		if s.ast.Doc != nil || s.generated {
			done[s.dir()] = true
		} else if missing[s.dir()] == "" {
			missing[s.dir()] = s.path
		}
	}
	var found []finding
	for dir, first := range missing {
		if !done[dir] {
			found = append(found, finding{path: first, text: "the package has no comment that says what it is for"})
		}
	}
	return found
}

func marks(t *tree, name string) ([]finding, error) {
	if !slices.Contains([]string{".go", ".proto", ".sql", ".sh", ".yaml", ".md", ""}, path.Ext(name)) {
		return nil, nil
	}
	text, err := t.read(name)
	if err != nil {
		return nil, err
	}
	var found []finding
	for i, line := range lines(text) {
		if unfinished.MatchString(line) {
			found = append(found, finding{name, i + 1, "unfinished work belongs in the tracker"})
		}
	}
	return found, nil
}
