package main

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// A page is a Markdown document.
type page struct {
	prose   []string        // its lines; those of code blocks are empty
	anchors map[string]bool // what a link can name after #
}

var (
	fenceMark = regexp.MustCompile("^ {0,3}(```+|~~~+)")
	heading   = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.*?)\s*#*$`)
	htmlName  = regexp.MustCompile(`<a (?:id|name)="([^"]+)">`)
)

func parsePage(text []string) *page {
	p := &page{prose: make([]string, len(text)), anchors: make(map[string]bool)}
	fence := ""
	for i, line := range text {
		mark := ""
		if m := fenceMark.FindStringSubmatch(line); m != nil {
			mark = m[1]
		}
		switch {
		case fence == "" && mark != "":
			fence = mark
		case fence != "":
			if strings.HasPrefix(mark, fence) {
				fence = ""
			}
		default:
			p.prose[i] = line
			p.addAnchors(line)
		}
	}
	return p
}

func (p *page) addAnchors(line string) {
	for _, m := range htmlName.FindAllStringSubmatch(line, -1) {
		p.anchors[m[1]] = true
	}
	m := heading.FindStringSubmatch(line)
	if m == nil {
		return
	}
	anchor := slug(m[1])
	for i := 1; p.anchors[anchor]; i++ {
		anchor = fmt.Sprintf("%s-%d", slug(m[1]), i)
	}
	p.anchors[anchor] = true
}

var inlineLink = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// slug turns a heading into the name that Git hosts give it: lower case,
// spaces to hyphens, letters, digits, hyphens and underscores kept.
func slug(heading string) string {
	heading = inlineLink.ReplaceAllString(heading, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
