package bench

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Report is all that a run has found.
type Report struct {
	Machine     Machine      `json:"machine"`
	Pairs       int          `json:"pairs"`
	Window      string       `json:"window"`
	Seed        uint64       `json:"seed"`
	Comparisons []Comparison `json:"comparisons"`
	Picks       []Pick       `json:"picks"`
	Results     []Result     `json:"results"`

	picksOutput string
}

// Passes says whether all bars are met.
func (r *Report) Passes() bool {
	return !slices.ContainsFunc(r.Comparisons, func(c Comparison) bool { return !c.Passes() }) &&
		!slices.ContainsFunc(r.Picks, func(p Pick) bool { return !p.Passes() })
}

// write keeps the samples in a file, in the format that benchstat reads.
func (r *Report) write(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintln(&b, r.head())
	for _, result := range r.Results {
		result.benchmarks(&b)
	}
	b.WriteString("\n" + r.picksOutput)
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// benchmarks writes a line for each sample. Time is that of the CPUs.
func (r Result) benchmarks(w io.Writer) {
	for pair := range r.pairs() {
		for i, c := range Contenders {
			s := r.Samples[i][pair]
			fmt.Fprintf(w, "BenchmarkCall/%s/by=%s %d %.0f cpu-ns/op %.0f p50-ns/op %.0f p99-ns/op %.0f B/op %.1f allocs/op\n",
				"client="+r.Case.String(), c.Name, s.Calls, s.CPU, s.P50, s.P99, s.Bytes, s.Allocs)
		}
	}
}
