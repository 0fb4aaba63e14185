package live

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is a value of a document with its path, "faults[2].delay"; the path of the
// document itself is empty.
type field struct {
	path  string
	value any // as tree returns it
}

// reader takes a field in, or says what is wrong with it.
type reader func(field) error

// wrong makes an error that begins with the path.
func (f field) wrong(format string, args ...any) error {
	if f.path == "" {
		return fmt.Errorf(format, args...)
	}
	return fmt.Errorf("%s: %w", f.path, fmt.Errorf(format, args...))
}

// shown is the value for an error, not too long.
func (f field) shown() string {
	text, err := json.Marshal(f.value)
	if err != nil {
		return "the value"
	}
	if len(text) > 80 {
		return string(text[:80]) + "…"
	}
	return string(text)
}

// below returns a field of an object.
func (f field) below(name string, value any) field {
	return field{strings.TrimPrefix(f.path+"."+name, "."), value}
}

// object calls each with all fields of an object, in order of their names.
func (f field) object(limit int, each func(name string, f field) error) error {
	o, ok := f.value.(map[string]any)
	if !ok {
		return f.wrong("%s is not an object", f.shown())
	}
	if len(o) > limit {
		return f.wrong("%d entries, at most %d are read", len(o), limit)
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if err := each(name, f.below(name, o[name])); err != nil {
			return err
		}
	}
	return nil
}

// record reads an object with certain fields, each of which may be missing.
func (f field) record(fields map[string]reader) error {
	return f.object(math.MaxInt, func(name string, g field) error {
		read := fields[name]
		if read == nil {
			return f.below(limited(name), nil).wrong("there is no such field, but %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		return read(g)
	})
}

func limited(name string) string {
	if len(name) > 80 {
		name = name[:80] + "…"
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

// list calls each with all elements of a list.
func (f field) list(limit int, each reader) error {
	l, ok := f.value.([]any)
	if !ok {
		return f.wrong("%s is not a list", f.shown())
	}
	if len(l) > limit {
		return f.wrong("%d elements, at most %d are read", len(l), limit)
	}
	for n, value := range l {
		if err := each(field{fmt.Sprintf("%s[%d]", f.path, n), value}); err != nil {
			return err
		}
	}
	return nil
}

// form is how a text must look, and how that is called.
type form struct {
	*regexp.Regexp
	words string
}

var (
	name   = form{regexp.MustCompile(`^[!-~]{1,128}$`), "1 to 128 visible ASCII characters"}
	method = form{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`), "the name of a method without its service, such as GetUser"}
	part   = form{regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`), "the name of a part, such as edge"}
)

func (f field) text(want form) (string, error) {
	text, ok := f.value.(string)
	if !ok || !want.MatchString(text) {
		return "", f.wrong("%s is not %s", f.shown(), want.words)
	}
	return text, nil
}

func (f field) flag() (bool, error) {
	set, ok := f.value.(bool)
	if !ok {
		return false, f.wrong("%s is not true or false", f.shown())
	}
	return set, nil
}

func (f field) whole(lowest, highest int64) (int64, error) {
	text, _ := f.value.(json.Number)
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < lowest || n > highest {
		return 0, f.wrong("%s is not a whole number from %d to %d", f.shown(), lowest, highest)
	}
	return n, nil
}

func (f field) number(lowest, highest float64) (float64, error) {
	text, _ := f.value.(json.Number)
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(n >= lowest && n <= highest) { // so that NaN is refused
		return 0, f.wrong("%s is not a number from %g to %g", f.shown(), lowest, highest)
	}
	return max(n, 0), nil // no -0
}

func (f field) duration(lowest, highest time.Duration) (time.Duration, error) {
	text, _ := f.value.(string)
	d, err := time.ParseDuration(text)
	if err != nil || d < lowest || d > highest {
		return 0, f.wrong(`%s is not a duration from %v to %v, such as "250ms"`, f.shown(), lowest, highest)
	}
	return d, nil
}

// into makes a reader that keeps what read returns.
func into[T any](to *T, read func(field) (T, error)) reader {
	return func(f field) (err error) {
		*to, err = read(f)
		return err
	}
}

func number(to *int, lowest, highest int64) reader {
	return into(to, func(f field) (int, error) {
		n, err := f.whole(lowest, highest)
		return int(n), err
	})
}

func span(to *time.Duration, lowest, highest time.Duration) reader {
	return into(to, func(f field) (time.Duration, error) { return f.duration(lowest, highest) })
}

// entries makes a reader of an object whose names are free.
func entries[T any](to *map[string]T, limit int, names form, read func(field) (T, error)) reader {
	return func(f field) error {
		m := make(map[string]T)
		err := f.object(limit, func(key string, g field) error {
			if !names.MatchString(key) {
				return f.wrong("%q is not %s", limited(key), names.words)
			}
			value, err := read(g)
			m[key] = value
			return err
		})
		if len(m) > 0 {
			*to = m
		}
		return err
	}
}
