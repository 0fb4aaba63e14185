package up

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/pkg/host"
)

// maxReplicas bounds the replicas of a part: they are processes on one machine.
const maxReplicas = 16

// Replicas says how many of which service shall run. It is a pflag.Value that
// reads "social=2,identity=2" and may be given several times.
type Replicas map[string]int

// of returns how many of a part shall run: one when nothing is said.
func (r Replicas) of(part string) int { return max(r[part], 1) }

// detail is what the console says about a part.
func (r Replicas) detail(part string) string {
	if n := r.of(part); n > 1 {
		return fmt.Sprintf("%d replicas", n)
	}
	return "1 replica"
}

// Set implements pflag.Value.
func (r Replicas) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		part, count, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok {
			return fmt.Errorf("%q is not a part and a number, as in social=2", item)
		}
		if err := known(part); err != nil {
			return err
		}
		if r[part] != 0 {
			return fmt.Errorf("%s is there twice", part)
		}
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || n > maxReplicas {
			return fmt.Errorf("%s=%s: the number of replicas is between 1 and %d", part, count, maxReplicas)
		}
		r[part] = n
	}
	return nil
}

// known returns an error for what is not a service.
func known(part string) error {
	if part == host.EdgePart {
		return fmt.Errorf("further edges run as processes of their own: start them with \"fairlead serve edge\"")
	}
	var names []string
	for _, p := range parts.Services() {
		names = append(names, p.Name)
	}
	if !slices.Contains(names, part) {
		return fmt.Errorf("there is no part %q: the parts are %s", part, strings.Join(names, ", "))
	}
	return nil
}

// String implements pflag.Value.
func (r Replicas) String() string {
	var items []string
	for _, part := range slices.Sorted(maps.Keys(r)) {
		items = append(items, fmt.Sprintf("%s=%d", part, r[part]))
	}
	return strings.Join(items, ",")
}

// Type implements pflag.Value.
func (r Replicas) Type() string { return "part=count,..." }
