package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// numberRow is a row of a table that gives the value of a constant:
//
//	| [patience](../pkg/mesh/mesh.go) | 250 ms | ...
var numberRow = regexp.MustCompile(`^\| \[(\w+)\]\((\S+\.go)\) \| (\d[^|]*) \|`)

// numbers checks that the constants in documents are those in the code.
func numbers(t *tree) ([]finding, error) {
	packages := make(map[string]constants)
	var found []finding
	for _, name := range t.files {
		if path.Ext(name) != ".md" {
			continue
		}
		text, err := t.read(name)
		if err != nil {
			return nil, err
		}
		for i, line := range lines(text) {
			m := numberRow.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			dir := path.Join(path.Dir(name), path.Dir(m[2]))
			if packages[dir] == nil {
				packages[dir] = constantsOf(t, dir)
			}
			if text := packages[dir].differs(m[1], strings.TrimSpace(m[3])); text != "" {
				found = append(found, finding{name, i + 1, text})
			}
		}
	}
	return found, nil
}

// constants are those of a package, as they are written.
type constants map[string]ast.Expr

func constantsOf(t *tree, dir string) constants {
	all := make(constants)
	for _, s := range t.code {
		if s.dir() != dir || s.test {
			continue
		}
		for _, d := range s.ast.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				all.add(g)
			}
		}
	}
	return all
}

func (c constants) add(g *ast.GenDecl) {
	for _, spec := range g.Specs {
		v := spec.(*ast.ValueSpec)
		for i, name := range v.Names {
			if i < len(v.Values) {
				c[name.Name] = v.Values[i]
			}
		}
	}
}

// differs says in what the document is wrong, or "".
func (c constants) differs(name, text string) string {
	expr := c[name]
	if expr == nil {
		return "no constant " + name + " in that package"
	}
	is := c.value(expr)
	if is.Kind() == constant.Unknown {
		return name + " is not a number that can be read here"
	}
	said, ok := quantity(text)
	if !ok {
		return fmt.Sprintf("%q is not a number with a unit", text)
	}
	if !constant.Compare(constant.ToFloat(is), token.EQL, constant.ToFloat(said)) {
		return fmt.Sprintf("%s is %s in the code, not %s", name, shown(is, text), text)
	}
	return ""
}

// value works out a constant: numbers, durations, and what is made of them. What
// it does not understand is unknown.
func (c constants) value(e ast.Expr) constant.Value {
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.ParenExpr:
		return c.value(e.X)
	case *ast.Ident:
		if named := c[e.Name]; named != nil {
			return c.value(named)
		}
	case *ast.SelectorExpr:
		if unit, ok := durations["time."+e.Sel.Name]; ok {
			return constant.MakeInt64(unit)
		}
	case *ast.BinaryExpr:
		return operate(c.value(e.X), e.Op, c.value(e.Y))
	}
	return constant.MakeUnknown()
}

func operate(x constant.Value, op token.Token, y constant.Value) constant.Value {
	whole := x.Kind() == constant.Int && y.Kind() == constant.Int
	switch n, ok := constant.Uint64Val(constant.ToInt(y)); {
	case op == token.SHL && whole && ok && n < 64:
		return constant.Shift(x, op, uint(n))
	case op == token.QUO && whole && ok && n > 0:
		return constant.BinaryOp(x, token.QUO_ASSIGN, y)
	case op == token.ADD, op == token.SUB, op == token.MUL:
		return constant.BinaryOp(x, op, y)
	}
	return constant.MakeUnknown()
}
