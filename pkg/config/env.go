package config

import (
	"regexp"
	"slices"
	"strings"
)

// Env is an environment in the form of os.Environ: "NAME=value". Only main reads
// the real one; everything else is handed an Env, so that tests and the parts of
// one process can each have their own.
type Env []string

const prefix = "FAIRLEAD_"

// Lookup returns the value of a variable; the last one counts if it is there
// twice. An empty variable counts as not set, since that is all that a manifest
// can do to take a variable back. So does a variable that Kubernetes made.
func (e Env) Lookup(name string) (string, bool) {
	for _, variable := range slices.Backward(e) {
		key, value, _ := strings.Cut(variable, "=")
		if key == name {
			return value, value != "" && !portLink(key, value)
		}
	}
	return "", false
}

// Unknown returns the FAIRLEAD_* variables of env, sorted, that are not known.
// What they were meant to set is not set: main warns about them, or stops when
// it was told to be strict. What Kubernetes adds for services whose name begins
// with "fairlead-" is left out.
func Unknown(env Env, known []string) []string {
	var unknown []string
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, prefix) && !slices.Contains(known, name) && !serviceLink(name, value) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}

// Kubernetes sets these in every pod for each service of its namespace, in the
// style of Docker's links: FAIRLEAD_EDGE_PORT=tcp://10.0.0.7:8080 and more.
var (
	linkName = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?$`)
	linkURL  = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

func serviceLink(name, value string) bool {
	return linkName.MatchString(name) || portLink(name, value)
}

// portLink is the one whose name a setting of ours may have as well.
func portLink(name, value string) bool {
	return strings.HasSuffix(name, "_PORT") && linkURL.MatchString(value)
}
