package main

import (
	"path"
	"strings"
)

const module = "github.com/fairlead-mesh/fairlead"

// shared are the generated packages that are about calls and the mesh as such. All
// others below proto/gen belong to one service.
var shared = []string{
	"proto/gen/go/fairlead/errors",
	"proto/gen/go/fairlead/events",
	"proto/gen/go/fairlead/mesh",
	"proto/gen/go/fairlead/policy",
	"proto/gen/go/fairlead/principal",
}

// A fence says which folders of ours the packages of a folder may import
// besides their own.
type fence struct {
	folder string // a * stands for one name
	may    []string
}

// fences: the first that matches holds.
var fences = []fence{
	{"proto", nil},
	{"pkg", shared},
	{"edge", append([]string{"pkg"}, shared...)},
	{"services/*", []string{"pkg", "proto/gen"}},
	{"internal", []string{"edge", "services", "pkg", "proto/gen"}},
	{"cmd", []string{"internal", "edge", "services", "pkg", "proto/gen"}},
	{"test", []string{"cmd", "internal", "edge", "services", "pkg", "proto/gen"}},
	{"tools", shared},
}

// imports checks who may import whom. Tests are bound like the code beside
// them, but may also use what exists for tests and, being callers, the contract
// of any service.
func imports(t *tree) ([]finding, error) {
	var found []finding
	for _, s := range t.code {
		for _, spec := range s.ast.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			if text := forbidden(s, name); text != "" {
				found = append(found, s.at(spec, text))
			}
		}
	}
	return found, nil
}

// forbidden returns why the file may not import the package, or "".
func forbidden(s *source, name string) string {
	if text := brokenLayer(s, name); text != "" {
		return text
	}
	if !below(name, module) {
		return ""
	}
	target := strings.TrimPrefix(strings.TrimPrefix(name, module), "/")
	tests := s.test || helper(s.dir()) || below(s.dir(), "test")
	if helper(target) && !tests {
		return target + " is for tests: only they may import it"
	}
	home, may, ok := fenceOf(s.dir())
	switch {
	case !ok:
		return "no import rule covers this folder: add it to tools/house/imports.go"
	case below(target, home) || within(target, may):
		return ""
	case s.test && below(target, "proto/gen"):
		return ""
	}
	return home + " may not import " + target
}

// fenceOf returns the folder, spelled out, whose fence stands around dir.
func fenceOf(dir string) (home string, may []string, ok bool) {
	for _, f := range fences {
		if home, ok := prefix(dir, f.folder); ok {
			return home, f.may, true
		}
	}
	return "", nil, false
}

// prefix returns the leading part of dir that the pattern matches.
func prefix(dir, pattern string) (string, bool) {
	names := strings.Split(dir, "/")
	n := strings.Count(pattern, "/") + 1
	if len(names) < n {
		return "", false
	}
	head := strings.Join(names[:n], "/")
	ok, err := path.Match(pattern, head)
	return head, ok && err == nil
}

// helper says whether the package exists for tests: rawtest, registrytest.
func helper(dir string) bool {
	base := path.Base(dir)
	return strings.HasSuffix(base, "test") && base != "test"
}
