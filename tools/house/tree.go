package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// aside are the folders that git does not hold.
var aside = []string{".git", ".cache", ".fairlead", "bin", "node_modules", "third_party", "try"}

// A tree is the repository as the rules see it.
type tree struct {
	root     string
	files    []string  // slash paths below root, in order
	code     []*source // the Go files among them
	testdata []string  // what lies in a folder of that name: it may break rules on purpose
}

// A source is one parsed Go file.
type source struct {
	path      string
	lines     []string
	fset      *token.FileSet
	ast       *ast.File
	test      bool // its name ends in _test.go
	generated bool
}

func (s *source) dir() string { return path.Dir(s.path) }

// at makes a finding about the node.
func (s *source) at(n ast.Node, text string) finding {
	return finding{s.path, s.fset.Position(n.Pos()).Line, text}
}

func load(root string) (*tree, error) {
	t := &tree{root: root}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(aside, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return t.add(filepath.ToSlash(rel))
	})
	return t, err
}

func (t *tree) add(name string) error {
	if slices.Contains(strings.Split(name, "/"), "testdata") {
		t.testdata = append(t.testdata, name)
		return nil
	}
	t.files = append(t.files, name)
	if path.Ext(name) != ".go" {
		return nil
	}
	text, err := t.read(name)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	t.code = append(t.code, &source{
		path:      name,
		lines:     lines(text),
		fset:      fset,
		ast:       file,
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(file),
	})
	return nil
}

func (t *tree) read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(t.root, filepath.FromSlash(name)))
}

func (t *tree) exists(name string) bool {
	_, err := os.Stat(filepath.Join(t.root, filepath.FromSlash(name)))
	return err == nil
}

// lines returns the lines of text without their ends.
func lines(text []byte) []string {
	return strings.Split(string(bytes.TrimSuffix(text, []byte("\n"))), "\n")
}

// below says whether name is folder or lies in it.
func below(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}
