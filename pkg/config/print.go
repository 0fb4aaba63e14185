package config

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
)

const hidden = "(hidden)"

// Print writes the settings as a table: variable, value, where it comes from.
func Print(w io.Writer, settings ...Setting) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, cmp.Or(s.Value, "(empty)"), s.From)
	}
	return table.Flush()
}

func (f field) setting(g given) Setting {
	return Setting{f.name, f.shown(f.text()), g.from}
}

// shown is a value that may be read by anyone.
func (f field) shown(value string) string {
	if f.secret == "" || value == "" {
		return value
	}
	if f.secret != "url" {
		return hidden
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || strings.Contains(u.Opaque, "@") {
		return hidden
	}
	u.RawQuery, u.Fragment = "", "" // postgres takes a password there too
	return u.Redacted()
}
