package main

import (
	"go/ast"
	"regexp"
	"strings"
)

// allow, before a reason, on the line of a sleep or the one above, permits it.
const allow = "//house:allow "

// sleeps finds tests that sleep instead of waiting for what they need. In a
// synctest bubble a sleep moves the clock and takes no time.
func sleeps(s *source) []finding {
	if !s.test && !helper(s.dir()) {
		return nil
	}
	var found []finding
	opens := bubbles(s.ast)
	ast.Inspect(s.ast, func(n ast.Node) bool {
		name := called(n)
		if name == "time.Sleep" && !s.allowed(n) {
			found = append(found, s.at(n, "a test waits for a condition, it does not sleep"))
		}
		return !opens[name]
	})
	return found
}

// bubbles names what runs a function it is given in a bubble: synctest.Test,
// and the functions of the file that call it.
func bubbles(file *ast.File) map[string]bool {
	opens := map[string]bool{"synctest.Test": true}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if called(n) == "synctest.Test" {
				opens[f.Name.Name] = true
			}
			return true
		})
	}
	return opens
}

// skip matches the calls that skip a test, a benchmark or a fuzz target.
var skip = regexp.MustCompile(`^(t|b|f|tb)\.Skip(f|Now)?$`)

func skips(s *source) []finding {
	var found []finding
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if skip.MatchString(called(n)) {
			found = append(found, s.at(n, "a test that is skipped proves nothing"))
		}
		return true
	})
	return found
}

// called returns f of a call f(), x.f of a call x.f(), of other nodes nothing.
func called(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// allowed says whether a marker with a reason stands at the node.
func (s *source) allowed(n ast.Node) bool {
	line := s.fset.Position(n.Pos()).Line
	for _, text := range s.lines[max(line-2, 0):line] {
		if _, reason, ok := strings.Cut(text, allow); ok && strings.TrimSpace(reason) != "" {
			return true
		}
	}
	return false
}
