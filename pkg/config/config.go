// Package config fills the configuration of a part, one plain struct, from flags
// and environment variables whose names follow from the part and the field:
// FAIRLEAD_SOCIAL_DATABASE and --social-database. It reads nothing by itself:
// the environment is a value that main hands in.
//
//	type Config struct {
//		Database string        `config:"database" default:"sqlite:social.db" secret:"url" help:"where posts are stored"`
//		MaxAge   time.Duration `config:"max-age" default:"30s" help:"how long a page may be cached"`
//	}
//
// Fields are string, bool, int, time.Duration or []string (comma-separated). A
// field without the config tag is left alone. What counts, first to last: the
// flag, the variable, the value that the struct came with, the default. A secret
// may also be in a file that the variable or flag with _FILE or -file after its
// name points to. secret:"url" shows all of a URL but its password and query,
// secret:"true" shows nothing.
package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// Setting is one field with its effective value, as Print shows it.
type Setting struct {
	// Name is the environment variable.
	Name string
	// Value is the value as text; a secret is already hidden in it.
	Value string
	// From says where the value comes from: "default", "environment", "flag",
	// or one of the last two with the file that they point to.
	From string
}

// Load fills the struct that into points to and returns what it holds now, in
// the order of the fields. A part without a name has variables and flags without
// it: FAIRLEAD_DATA, --data. flags is what Flags has added to, already parsed,
// or nil. The error lists every fault, with the variable or flag to mend.
func Load(part string, into any, env Env, flags *pflag.FlagSet) ([]Setting, error) {
	var settings []Setting
	var faults []error
	for _, f := range fields(part, into) {
		s, err := f.load(env, flags)
		settings, faults = append(settings, s), append(faults, err)
	}
	return settings, errors.Join(faults...)
}

// Flags adds the part's flags to a set, for Load to read when it was parsed.
func Flags(flags *pflag.FlagSet, part string, into any) {
	for _, f := range fields(part, into) {
		f.declare(flags)
	}
}

// Names returns the variables that Load reads for a part.
func Names(part string, into any) []string {
	var names []string
	for _, f := range fields(part, into) {
		names = append(names, f.name)
		if f.secret != "" {
			names = append(names, f.name+fileSuffix)
		}
	}
	return names
}

const (
	fileSuffix     = "_FILE"
	fileFlagSuffix = "-file"
)

// load sets the field and says to what. A value that cannot be read or does not
// fit leaves the field as it was.
func (f field) load(env Env, flags *pflag.FlagSet) (Setting, error) {
	g, found, err := f.find(env, flags)
	if !found && f.value.IsZero() && f.preset != "" {
		g.text, found = f.preset, true
	}
	if err != nil || !found {
		return f.setting(g), err
	}
	if err := f.set(g.text); err != nil {
		return f.setting(g), fmt.Errorf("%s: %w", g.name, err)
	}
	return f.setting(g), nil
}

// given is a value as it was found, and where.
type given struct {
	text string
	name string // what to mend: "--social-database", "FAIRLEAD_SOCIAL_DATABASE"
	from string
}

func (f field) find(env Env, flags *pflag.FlagSet) (given, bool, error) {
	if flags != nil {
		flag, file := flags.Lookup(f.flag), flags.Lookup(f.flag+fileFlagSuffix)
		g, found, err := f.one(flagged(flag), flagged(file), "flag")
		if found || err != nil {
			return g, found, err
		}
	}
	g, found, err := f.one(f.variable(env, ""), f.variable(env, fileSuffix), "environment")
	if found || err != nil {
		return g, found, err
	}
	return given{name: "the default of " + f.name, from: "default"}, false, nil
}

func flagged(flag *pflag.Flag) given {
	if flag == nil || !flag.Changed {
		return given{}
	}
	return given{text: flag.Value.String(), name: "--" + flag.Name}
}

func (f field) variable(env Env, suffix string) given {
	value, ok := env.Lookup(f.name + suffix)
	if !ok {
		return given{}
	}
	return given{text: value, name: f.name + suffix}
}

// one chooses between a value and the file that holds it.
func (f field) one(value, file given, from string) (given, bool, error) {
	value.from, file.from = from, from+", file "+file.text
	switch {
	case f.secret == "" || file.name == "":
		return value, value.name != "", nil
	case value.name != "":
		return value, true, fmt.Errorf("%s and %s are both set: keep one of them", value.name, file.name)
	}
	content, err := os.ReadFile(file.text)
	if err != nil {
		return file, true, fmt.Errorf("%s: %w", file.name, err)
	}
	file.text = strings.TrimSpace(string(content))
	return file, true, nil
}
