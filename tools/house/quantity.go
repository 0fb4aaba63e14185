package main

import (
	"go/constant"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// durations are the units of package time, in nanoseconds.
var durations = map[string]int64{
	"time.Nanosecond":  int64(time.Nanosecond),
	"time.Microsecond": int64(time.Microsecond),
	"time.Millisecond": int64(time.Millisecond),
	"time.Second":      int64(time.Second),
	"time.Minute":      int64(time.Minute),
	"time.Hour":        int64(time.Hour),
}

// units are what documents write behind a number. What is not here is no unit but
// a word: "3 attempts".
var units = map[string]constant.Value{
	"%":   constant.BinaryOp(constant.MakeInt64(1), token.QUO, constant.MakeInt64(100)),
	"ms":  constant.MakeInt64(int64(time.Millisecond)),
	"s":   constant.MakeInt64(int64(time.Second)),
	"min": constant.MakeInt64(int64(time.Minute)),
	"h":   constant.MakeInt64(int64(time.Hour)),
	"KiB": constant.MakeInt64(1 << 10),
	"MiB": constant.MakeInt64(1 << 20),
}

var number = regexp.MustCompile(`^([\d,]*\d(?:\.\d+)?)(?: (\S+).*)?$`)

// quantity reads a number with a unit, such as "250 ms", "20 %" or "20,000".
func quantity(text string) (constant.Value, bool) {
	m := number.FindStringSubmatch(text)
	if m == nil {
		return nil, false
	}
	n := constant.MakeFromLiteral(strings.ReplaceAll(m[1], ",", ""), token.FLOAT, 0)
	if unit := units[m[2]]; unit != nil {
		n = constant.BinaryOp(n, token.MUL, unit)
	}
	return n, true
}

// shown prints a constant in the unit of a text.
func shown(is constant.Value, text string) string {
	m := number.FindStringSubmatch(text)
	if m == nil || units[m[2]] == nil {
		return is.String()
	}
	f, _ := constant.Float64Val(constant.BinaryOp(constant.ToFloat(is), token.QUO, constant.ToFloat(units[m[2]])))
	return strconv.FormatFloat(f, 'g', -1, 64) + " " + m[2]
}
