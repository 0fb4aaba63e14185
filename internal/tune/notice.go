package tune

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// Served is what the registry knows: the names of all services, and of one of them
// the versions that run, and the methods that any of these has. Without methods they
// are not known.
type Served struct {
	Services, Versions, Methods []string
}

// notice warns of names that nobody has: of the service, its methods and its
// versions. They may be about to come, so it is no error.
func (t Tuner) notice(ctx context.Context, service string, c live.Config) {
	is, err := t.Served(ctx, service)
	if err != nil {
		return
	}
	if !slices.Contains(is.Services, service) {
		t.warn("nobody serves %s now, but %s", service, is.Services)
		return
	}
	for _, version := range slices.Sorted(maps.Keys(c.Split)) {
		if !slices.Contains(is.Versions, version) {
			t.warn("no instance has the version %s now, but %s", version, is.Versions)
		}
	}
	for _, method := range methods(c) {
		if len(is.Methods) > 0 && !slices.Contains(is.Methods, method) {
			t.warn("no instance has the method %s now, but %s", method, is.Methods)
		}
	}
}

// methods are those that a configuration names.
func methods(c live.Config) []string {
	names := slices.Collect(maps.Keys(c.Timeouts))
	for _, f := range c.Faults {
		if f.Method != "" {
			names = append(names, f.Method)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (t Tuner) warn(format, name string, others []string) {
	fmt.Fprintf(t.Err, "warning: "+format+"\n", name, strings.Join(others, ", "))
}
