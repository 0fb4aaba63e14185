package bench

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// picksIn is the package whose BenchmarkPick chooses among endpoints.
const picksIn = "github.com/fairlead-mesh/fairlead/pkg/mesh/internal/balance"

// The bars of a pick.
const (
	pickNanoseconds = 300
	pickAllocs      = 0
)

// Pick is what one choice of an endpoint costs.
type Pick struct {
	Name        string  `json:"name"`
	Nanoseconds float64 `json:"ns"`
	Allocs      float64 `json:"allocs"`
}

// Passes says whether the bars are met.
func (p Pick) Passes() bool { return p.Nanoseconds <= pickNanoseconds && p.Allocs <= pickAllocs }

// Picks runs the benchmark count times and returns the medians, with its own
// output.
func Picks(ctx context.Context, count int) ([]Pick, string, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkPick", "-benchmem",
		"-count", strconv.Itoa(count), picksIn)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return parsePicks(string(out)), string(out), nil
}

// pickLine is "BenchmarkPick/endpoints=3-2   9000000   131.4 ns/op   0 B/op   0 allocs/op".
var pickLine = regexp.MustCompile(`^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op\b.*\s([0-9.]+) allocs/op`)

func parsePicks(output string) []Pick {
	var names []string
	times, allocs := make(map[string][]float64), make(map[string][]float64)
	for lines := bufio.NewScanner(strings.NewReader(output)); lines.Scan(); {
		m := pickLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		if times[m[1]] == nil {
			names = append(names, m[1])
		}
		times[m[1]] = append(times[m[1]], number(m[2]))
		allocs[m[1]] = append(allocs[m[1]], number(m[3]))
	}
	var picks []Pick
	for _, name := range names {
		picks = append(picks, Pick{name, middle(times[name]), middle(allocs[name])})
	}
	return picks
}

// number reads what the pattern has let through.
func number(s string) float64 {
	v, _ := strconv.ParseFloat(s, 64)
	return v
}

func middle(values []float64) float64 { return median(slices.Sorted(slices.Values(values))) }
