package main

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	linkTarget = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\s*\[[^\]]+\]:\s+<?(\S+?)>?\s*$`)
	codeSpan   = regexp.MustCompile("`([^`]+)`")
	pathLike   = regexp.MustCompile(`^\.?[\w-][\w.-]*(/[\w.-]+)+/?$`)
	scheme     = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:|^//`)
)

// docs checks that what documents point at is there: files, headings, and the
// paths that they only name.
func docs(t *tree) ([]finding, error) {
	pages := make(map[string]*page)
	for _, name := range t.files {
		if path.Ext(name) != ".md" {
			continue
		}
		text, err := t.read(name)
		if err != nil {
			return nil, err
		}
		pages[name] = parsePage(lines(text))
	}
	var found []finding
	for name, p := range pages {
		for i, line := range p.prose {
			for _, text := range append(deadLinks(t, pages, name, line), deadPaths(t, name, line)...) {
				found = append(found, finding{name, i + 1, text})
			}
		}
	}
	return found, nil
}

// deadLinks returns a complaint for each link on the line that leads nowhere.
func deadLinks(t *tree, pages map[string]*page, name, line string) []string {
	var dead []string
	for _, m := range linkTarget.FindAllStringSubmatch(codeSpan.ReplaceAllString(line, ""), -1) {
		link := m[1] + m[2]
		if scheme.MatchString(link) {
			continue
		}
		file, anchor, _ := strings.Cut(link, "#")
		target := name
		if file != "" {
			target = path.Join(path.Dir(name), file)
		}
		if !t.exists(target) {
			dead = append(dead, "no such file: "+link)
		} else if p := pages[target]; anchor != "" && p != nil && !p.anchors[anchor] {
			dead = append(dead, "no such heading: "+link)
		}
	}
	return dead
}

// deadPaths returns a complaint for each path in backticks that starts with a
// folder of ours and does not exist, seen from the root or from the document.
func deadPaths(t *tree, name, line string) []string {
	var dead []string
	for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
		span := m[1]
		top, _, _ := strings.Cut(span, "/")
		if !pathLike.MatchString(span) || slices.Contains(aside, top) || !t.exists(top) {
			continue
		}
		if !t.exists(span) && !t.exists(path.Join(path.Dir(name), span)) {
			dead = append(dead, "no such path: "+span)
		}
	}
	return dead
}
