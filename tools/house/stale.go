package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// stale runs the command, which writes all that is generated, and finds the
// files that it had to change.
func stale(root string, command []string) ([]finding, error) {
	before, err := hashes(root)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = root
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(command, " "), err)
	}
	after, err := hashes(root)
	if err != nil {
		return nil, err
	}
	return sorted(differ(before, after)), nil
}

type sum = [sha256.Size]byte

func differ(before, after map[string]sum) []finding {
	var found []finding
	for name, h := range after {
		switch old, ok := before[name]; {
		case !ok:
			found = append(found, finding{path: name, text: "was not generated; it is now: add it"})
		case old != h:
			found = append(found, finding{path: name, text: "was stale; it is regenerated now: add it"})
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			found = append(found, finding{path: name, text: "is generated no more, and gone now"})
		}
	}
	return found
}

// hashes holds every generated file: Go that says so, what lies in proto/gen,
// and the descriptor images, also those for tests.
func hashes(root string) (map[string]sum, error) {
	t, err := load(root)
	if err != nil {
		return nil, err
	}
	made := make(map[string]sum)
	for _, s := range t.code {
		if s.generated {
			made[s.path] = sum{}
		}
	}
	for _, name := range slices.Concat(t.files, t.testdata) {
		if below(name, "proto/gen") || path.Ext(name) == ".binpb" {
			made[name] = sum{}
		}
	}
	for name := range made {
		text, err := t.read(name)
		if err != nil {
			return nil, err
		}
		made[name] = sha256.Sum256(text)
	}
	return made, nil
}
