package status

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
	"google.golang.org/protobuf/types/known/durationpb"
)

// span tells a duration in a sentence: "12 s".
func span(d time.Duration) string {
	switch {
	case d < 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// latency tells a duration in a column, with two digits that mean something:
// "6.8ms". There is none without calls.
func latency(d *durationpb.Duration) string {
	if d == nil {
		return "-"
	}
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if n := float64(d.AsDuration()) / float64(unit.size); n >= 1 || unit.name == "µs" {
			return digits(n) + unit.name
		}
	}
	return "-" // the last unit takes all
}

// rate tells how many in a second.
func rate(n float64) string {
	if n == 0 {
		return "0"
	}
	return digits(n)
}

// digits are two below 10, and else all before the point.
func digits(n float64) string {
	if n < 9.95 {
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

// number tells how many.
func number[N int | int32 | uint64](n N) string { return fmt.Sprint(n) }

// percent tells a share from 0 to 1.
func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 2, 64) }

// pseudo is the version of a program that was built from a commit: v0.0.0, the
// time and the commit.
var pseudo = regexp.MustCompile(`^v\d+\.\d+\.\d+-(?:[0-9A-Za-z.-]*\.)?\d{14}-([0-9a-f]{7})[0-9a-f]{5}(\+\w+)?$`)

// shortVersion leaves the commit of such a version.
func shortVersion(v string) string {
	if m := pseudo.FindStringSubmatch(v); m != nil {
		return m[1] + m[2]
	}
	return v
}

// clean makes a text safe to print. What other programs say may hold anything, and
// a terminal obeys what cannot be seen.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// columns is how much room a text takes on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0 // it stands on the rune before
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut shortens a text to some columns.
func cut(s string, most int) string {
	if columns(s) <= most {
		return s
	}
	if most < 1 {
		return ""
	}
	n := 0
	for at, r := range s {
		if n += runeColumns(r); n > most-1 {
			return s[:at] + "…"
		}
	}
	return s
}

// wrap breaks a text into lines of some columns, between words where it can.
func wrap(s string, most int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && columns(line)+1+columns(word) > most {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	lines = append(lines, line)
	for n := range lines {
		lines[n] = cut(lines[n], most)
	}
	return lines
}
