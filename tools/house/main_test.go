package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestRules lays out each repository in testdata/<rule>/*.txtar and wants the
// findings that the head of the archive lists.
func TestRules(t *testing.T) {
	for _, r := range rules {
		var clean, broken int
		for _, name := range archives(t, r.name) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.TrimSpace(string(archive.Comment))
			if want == "" {
				clean++
			} else {
				broken++
			}
			t.Run(r.name+"/"+filepath.Base(name), func(t *testing.T) {
				if got := check(t, r, archive); got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
		if clean == 0 || broken == 0 {
			t.Errorf("%s: %d clean and %d broken repositories in testdata: want some of both", r.name, clean, broken)
		}
	}
}

func archives(t *testing.T, rule string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", rule, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// check returns what the rule finds in the archive, a line each.
func check(t *testing.T, r rule, archive *txtar.Archive) string {
	t.Helper()
	root := extract(t, archive)
	repo, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	found, err := r.check(repo)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range sorted(found) {
		got = append(got, f.String())
	}
	return strings.Join(got, "\n")
}

// extract writes the archive to a new folder, with an image for each api.proto.
func extract(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range archive.Files {
		write(t, root, f.Name, f.Data)
		if filepath.Base(f.Name) == "api.proto" {
			write(t, root, filepath.Join(filepath.Dir(f.Name), "api.binpb"), compile(t, archive, f.Name))
		}
	}
	return root
}

func write(t *testing.T, root, name string, data []byte) {
	t.Helper()
	name = filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRunRefusesUnknownArguments(t *testing.T) {
	for _, args := range [][]string{{"stale"}, {"imports"}} {
		if _, err := run(args); err == nil {
			t.Errorf("run(%q) gave no error", args)
		}
	}
}

func TestCheckAllReportsEveryRule(t *testing.T) {
	root := t.TempDir()
	write(t, root, "README.md", []byte("[gone](gone.md)\n"))
	write(t, root, "edge/edge.go", []byte("package edge\n"))
	found, err := checkAll(root)
	want := []finding{
		{"pkg/mesh", 0, ""},
		{"README.md", 1, "no such file: gone.md"},
		{"edge/edge.go", 0, "the package has no comment that says what it is for"},
	}
	for _, w := range want {
		if !slices.ContainsFunc(found, func(f finding) bool { return f.path == w.path && strings.Contains(f.text, w.text) }) {
			t.Errorf("no finding %v in %v (error %v)", w, found, err)
		}
	}
}
