package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pattern is a path template of google.api.http, taken apart. Two patterns can
// be compared, which the templates, with their variables, cannot.
type Pattern struct {
	// Template is what was parsed.
	Template string
	// Segments are literals, "*" for one segment and "**" for any number.
	Segments []string
	// Verb is what follows the last colon, empty for none.
	Verb string
	// Params are the field paths of the variables.
	Params []string
}

// ParsePattern reads a template: "/v1/{name=users/*}/posts:batch". What it takes
// for granted of the syntax is checked by the router, which parses it again.
func ParsePattern(template string) (Pattern, error) {
	p := Pattern{Template: template}
	rest, ok := strings.CutPrefix(template, "/")
	if !ok {
		return p, fmt.Errorf("path %q does not begin with a slash", template)
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexAny(rest, "/}") || i > 0 && i == strings.LastIndexByte(rest, '}')+1 {
		rest, p.Verb = rest[:i], rest[i+1:]
	}
	for rest != "" {
		segment, tail, err := p.next(rest)
		if err != nil {
			return p, err
		}
		p.Segments = append(p.Segments, strings.Split(segment, "/")...)
		rest = strings.TrimPrefix(tail, "/")
	}
	if i := slices.Index(p.Segments, "**"); i >= 0 && i != len(p.Segments)-1 {
		return p, fmt.Errorf("path %q has ** before its end", template)
	}
	return p, nil
}

// next cuts one segment, or one variable with the segments in it, off the front.
func (p *Pattern) next(rest string) (segment, tail string, err error) {
	if rest[0] != '{' {
		segment, tail, _ = strings.Cut(rest, "/")
		return segment, tail, nil
	}
	variable, tail, ok := strings.Cut(rest[1:], "}")
	if !ok {
		return "", "", fmt.Errorf("path %q has a variable without an end", p.Template)
	}
	field, segment, ok := strings.Cut(variable, "=")
	if !ok {
		segment = "*"
	}
	if slices.Contains(p.Params, field) {
		return "", "", fmt.Errorf("path %q has the variable %q twice", p.Template, field)
	}
	p.Params = append(p.Params, field)
	return segment, tail, nil
}

// Overlaps says that there is a path which both patterns match.
func (p Pattern) Overlaps(q Pattern) bool {
	return p.Verb == q.Verb && overlap(p.Segments, q.Segments)
}

func overlap(a, b []string) bool {
	switch {
	case len(a) > 0 && a[0] == "**", len(b) > 0 && b[0] == "**":
		return true // ** is the last, and matches any rest, also none
	case len(a) == 0 || len(b) == 0:
		return len(a) == len(b)
	case a[0] != b[0] && a[0] != "*" && b[0] != "*":
		return false
	}
	return overlap(a[1:], b[1:])
}

// Same says that both patterns match exactly the same paths.
func (p Pattern) Same(q Pattern) bool {
	return p.Verb == q.Verb && slices.Equal(p.Segments, q.Segments)
}

// compare orders patterns by how much they leave open, the more open first: a
// literal is chosen over a variable wherever both match.
func (p Pattern) compare(q Pattern) int {
	for i := range min(len(p.Segments), len(q.Segments)) {
		if c := cmp.Compare(openness(q.Segments[i]), openness(p.Segments[i])); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(p.Segments), len(q.Segments)), cmp.Compare(len(p.Verb), len(q.Verb)), cmp.Compare(p.Template, q.Template))
}

func openness(segment string) int {
	switch segment {
	case "**":
		return 2
	case "*":
		return 1
	}
	return 0
}
