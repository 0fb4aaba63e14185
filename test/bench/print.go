package bench

import (
	"fmt"
	"io"
)

// Print writes the tables.
func (r *Report) Print(w io.Writer) {
	fmt.Fprint(w, r.head())
	for _, result := range r.Results {
		result.print(w)
		printComparisons(w, Comparisons(result.Case.String(), []Result{result}))
	}
	fmt.Fprintf(w, "\nall cases together, %d pairs\n", r.Pairs)
	printComparisons(w, Comparisons("", r.Results))
	if len(r.Picks) > 0 {
		printPicks(w, r.Picks)
	}
}

// head says what was measured where.
func (r *Report) head() string {
	return fmt.Sprintf("%swindows: %s\nseed: %d\n", r.Machine, r.Window, r.Seed)
}

// print writes what a call costs.
func (r Result) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s, %d pairs\n\n", r.Case, r.pairs())
	fmt.Fprintf(w, "  %-20s %9s %9s %9s %9s %9s %9s\n", "for each call", "CPU us", "p50 us", "p99 us", "bytes", "allocs", "failed")
	for i, c := range Contenders {
		s := r.Samples[i]
		fmt.Fprintf(w, "  %-20s %9.2f %9.1f %9.1f %9.0f %9.1f %9s\n", c.Name,
			typical(s, ofCPU)/1e3, typical(s, ofP50)/1e3, typical(s, ofP99)/1e3, typical(s, ofBytes), typical(s, ofAllocs), failed(s))
	}
}

// failed is how many calls of all had no answer.
func failed(samples []Sample) string {
	failed, calls := 0, 0
	for _, s := range samples {
		failed, calls = failed+s.Failed, calls+s.Calls
	}
	if failed == 0 {
		return "none"
	}
	return fmt.Sprintf("%d in %d", failed, calls)
}

func printComparisons(w io.Writer, all []Comparison) {
	fmt.Fprintf(w, "\n  %-20s %20s %8s %20s %20s\n", "ratio", "CPU", "at most", "p50", "p99")
	for _, c := range all {
		bar := ""
		if c.Bar > 0 {
			bar = fmt.Sprintf("%.2f", c.Bar)
		}
		fmt.Fprintf(w, "  %-20s %20s %8s %20s %20s  %s\n", c.Name, c.CPU, bar, c.P50, c.P99, c.verdict())
	}
}

// String is the median with the interval.
func (r Ratio) String() string {
	return fmt.Sprintf("%.3f [%.3f %.3f]", r.Median, r.Low, r.High)
}

func printPicks(w io.Writer, picks []Pick) {
	fmt.Fprintf(w, "\none pick, at most %d ns and %d allocations\n\n", pickNanoseconds, pickAllocs)
	for _, p := range picks {
		verdict := "ok"
		if !p.Passes() {
			verdict = "TOO MUCH"
		}
		fmt.Fprintf(w, "  %-48s %9.1f ns %5.0f allocs  %s\n", p.Name, p.Nanoseconds, p.Allocs, verdict)
	}
}
