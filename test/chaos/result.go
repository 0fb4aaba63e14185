package chaos

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/fairlead-mesh/fairlead/test/truth"
)

// Result is what a suite has measured.
type Result struct {
	Suite   string  `json:"suite"`
	Engine  string  `json:"engine"`
	Seed    uint64  `json:"seed"`
	Seconds float64 `json:"seconds"`
	Rows    []Row   `json:"rows"`
	// Evidence tells of each thing that went wrong.
	Evidence []Evidence    `json:"evidence,omitempty"`
	Truth    *truth.Report `json:"truth,omitempty"`
}

// Evidence is one thing that went wrong, of those that a row counts.
type Evidence struct {
	What string `json:"what"`
	Text string `json:"text"`
}

// The rows that evidence is about.
const (
	rowReady     = "ready after the start"
	rowFirst     = "first requests that failed"
	rowDead      = "dead endpoints in the registry"
	rowMissing   = "living endpoints not once in it"
	rowSurvivors = "processes that outlived a kill"
	rowWhileUp   = "calls that failed while everything ran"
	rowFailed    = "failed calls"
	rowExit      = "and has not exited with 0"
	rowRefused   = "writes refused"
)

// Row is one measurement. Most is the bar, nil when there is none.
type Row struct {
	What  string   `json:"what"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit,omitempty"`
	Most  *float64 `json:"most,omitempty"`
}

// Passes says whether the bar is met.
func (r Row) Passes() bool { return r.Most == nil || r.Value <= *r.Most }

// Passes says whether all bars are met.
func (r *Result) Passes() bool {
	return len(r.Rows) > 0 && !slices.ContainsFunc(r.Rows, func(row Row) bool { return !row.Passes() })
}

// note adds a measurement without a bar, and bar one that must be at most that.
func (r *Result) note(what string, value float64, unit string) {
	r.Rows = append(r.Rows, Row{what, value, unit, nil})
}

func (r *Result) bar(what string, value float64, unit string, most float64) {
	r.Rows = append(r.Rows, Row{what, value, unit, &most})
}

// times adds the median and the longest of some durations, with a bar for the
// latter.
func (r *Result) times(what string, all []time.Duration, most time.Duration) {
	if len(all) == 0 {
		return
	}
	r.note(what+", median", percentile(all, 0.5).Seconds(), "s")
	r.bar(what+", longest", percentile(all, 1).Seconds(), "s", most.Seconds())
}

// percentile returns the duration that a share of all is not above.
func percentile(all []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}

// evidence keeps one thing that went wrong, under the name of its row.
func (r *Result) evidence(what, format string, args ...any) {
	r.Evidence = append(r.Evidence, Evidence{what, fmt.Sprintf(format, args...)})
}

// mostEvidence is how much of it is printed for each row.
const mostEvidence = 5

// Print writes the table, and what went wrong.
func (r *Result) Print(w io.Writer) {
	fmt.Fprintf(w, "\n%s on %s, seed %d, %.0f s\n\n", r.Suite, r.Engine, r.Seed, r.Seconds)
	fmt.Fprintf(w, "  %-44s %12s %10s\n", "", "measured", "at most")
	for _, row := range r.Rows {
		most, verdict := "", ""
		if row.Most != nil {
			most, verdict = number(*row.Most, row.Unit), "ok"
		}
		if !row.Passes() {
			verdict = "TOO MUCH"
		}
		fmt.Fprintf(w, "  %-44s %12s %10s  %s\n", row.What, number(row.Value, row.Unit), most, verdict)
	}
	r.printEvidence(w)
	if r.Truth != nil && len(r.Truth.Violations) > 0 {
		fmt.Fprintln(w)
		r.Truth.Print(w, 4*mostEvidence)
	}
}

// printEvidence writes some of the evidence for each row.
func (r *Result) printEvidence(w io.Writer) {
	shown := make(map[string]int)
	for _, e := range r.Evidence {
		if shown[e.What]++; shown[e.What] <= mostEvidence {
			fmt.Fprintf(w, "\n  %s: %s\n", e.What, e.Text)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(shown)) {
		if more := shown[what] - mostEvidence; more > 0 {
			fmt.Fprintf(w, "\n  %s: and %d more, with --json\n", what, more)
		}
	}
}

// number shows a value with its unit. Without one it is a count.
func number(v float64, unit string) string {
	if unit == "" {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3f %s", v, unit)
}
