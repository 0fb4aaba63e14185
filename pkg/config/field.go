package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// field is one field of a part's struct with what its tags say.
type field struct {
	value          reflect.Value
	name, flag     string
	preset, secret string // the default and secret tags
	help           string
}

// fields returns the tagged fields. It panics when into is not a pointer to a
// struct or a field has another type, both mistakes in the program.
func fields(part string, into any) []field {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: %T is not a pointer to a struct", into))
	}
	var all []field
	for i := range v.Elem().NumField() {
		tag := v.Elem().Type().Field(i).Tag
		name, ok := tag.Lookup("config")
		if !ok {
			continue
		}
		flag := strings.TrimPrefix(part+"-"+name, "-")
		f := field{v.Elem().Field(i), variableName(flag), flag, tag.Get("default"), tag.Get("secret"), tag.Get("help")}
		if f.parser() == nil {
			panic(fmt.Sprintf("config: %s has a type that cannot be configured: %s", f.name, f.value.Type()))
		}
		all = append(all, f)
	}
	return all
}

// variableName makes FAIRLEAD_SOCIAL_MAX_AGE of social-max-age.
func variableName(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// declare adds the field's flags. They hold text until Load reads them, so that
// a flag and a variable are read by one parser and fail with one sentence.
func (f field) declare(flags *pflag.FlagSet) {
	fallback := f.preset
	if !f.value.IsZero() {
		fallback = f.text()
	}
	flags.Var(&text{f.shown(fallback), f.kind()}, f.flag, f.help)
	if f.value.Kind() == reflect.Bool {
		flags.Lookup(f.flag).NoOptDefVal = "true"
	}
	if f.secret != "" {
		flags.Var(&text{kind: "path"}, f.flag+fileFlagSuffix, "file that holds --"+f.flag)
	}
}

// kind is what the help calls the field's type.
func (f field) kind() string {
	switch f.value.Interface().(type) {
	case time.Duration:
		return "duration"
	case []string:
		return "list"
	}
	return f.value.Kind().String()
}

// text is a flag that keeps what it is given.
type text struct{ given, kind string }

func (t *text) String() string         { return t.given }
func (t *text) Set(given string) error { t.given = given; return nil }
func (t *text) Type() string           { return t.kind }

// text is the value that the field has now.
func (f field) text() string {
	if list, ok := f.value.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(f.value.Interface())
}

// set parses text into the field.
func (f field) set(text string) error {
	value, hint := f.parser()(text)
	if hint != "" {
		return fmt.Errorf("%q is not %s", f.shown(text), hint)
	}
	f.value.Set(reflect.ValueOf(value))
	return nil
}

// parser returns what reads the field's type from text; a hint says what was
// expected instead. It is nil for a type that cannot be configured.
func (f field) parser() func(text string) (value any, hint string) {
	switch f.value.Interface().(type) {
	case string:
		return func(text string) (any, string) { return text, "" }
	case bool:
		return with(strconv.ParseBool, "true or false")
	case int:
		return with(strconv.Atoi, "a whole number")
	case time.Duration:
		return with(time.ParseDuration, "a duration such as 250ms, 5s or 10m")
	case []string:
		return func(text string) (any, string) { return split(text), "" }
	}
	return nil
}

func with[T any](parse func(string) (T, error), hint string) func(string) (any, string) {
	return func(text string) (any, string) {
		value, err := parse(strings.TrimSpace(text))
		if err != nil {
			return nil, hint
		}
		return value, ""
	}
}

// split cuts at commas and leaves out what is empty.
func split(text string) []string {
	list := strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
	for i, s := range list {
		list[i] = strings.TrimSpace(s)
	}
	return list
}
