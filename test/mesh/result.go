package mesh

import (
	"fmt"
	"io"
	"strings"
)

// Result is what a scenario has measured.
type Result struct {
	Number    int     `json:"number"`
	Name      string  `json:"name"`
	PerSecond int     `json:"rate"`
	Seconds   float64 `json:"seconds"`
	Rows      []Row   `json:"rows"`
	// Evidence are some of the errors.
	Evidence []string `json:"evidence,omitempty"`
	// Error says why the scenario did not come to its end.
	Error string `json:"error,omitempty"`
}

// Row is one measurement.
type Row struct {
	What        string  `json:"what"`
	Requirement string  `json:"requirement,omitempty"`
	Value       float64 `json:"value"`
	Measured    string  `json:"measured"`
	Verdict     Verdict `json:"verdict,omitempty"`
}

// Verdict says whether a bar is met; empty when there is none.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "pass"
	Fail Verdict = "FAIL"
	// Shown is for a bar that a short run does not judge.
	Shown Verdict = "not judged"
)

// Passes says whether the scenario came to its end and all bars were met.
func (r *Result) Passes() bool {
	judged := 0
	for _, row := range r.Rows {
		if row.Verdict == Fail {
			return false
		}
		if row.Verdict == Pass {
			judged++
		}
	}
	return r.Error == "" && judged > 0
}

// What is kept of errors: some of each kind, and not too many in all.
const (
	mostOfAKind  = 4
	mostEvidence = 60
)

func (r *Result) evidence(texts ...string) {
	for n, t := range texts {
		if n < mostOfAKind && len(r.Evidence) < mostEvidence {
			r.Evidence = append(r.Evidence, t)
		}
	}
}

// Print writes the rows of a table, and why bars were missed.
func (r *Result) Print(w io.Writer) {
	fmt.Fprintf(w, "\n%d  %s  (%d calls/s, %.0f s)\n", r.Number, r.Name, r.PerSecond, r.Seconds)
	for _, row := range r.Rows {
		fmt.Fprintf(w, "    %-60s %-20s %14s  %s\n", row.What, row.Requirement, row.Measured, row.Verdict)
	}
	if r.Error != "" {
		fmt.Fprintf(w, "    FAIL: %s\n", strings.ReplaceAll(r.Error, "\n", "\n      "))
	}
	if r.Passes() {
		return
	}
	for _, e := range r.Evidence {
		fmt.Fprintf(w, "      %s\n", e)
	}
}

// printHead names the columns.
func printHead(w io.Writer) {
	fmt.Fprintf(w, "    %-60s %-20s %14s  %s\n", "scenario", "requirement", "measured", "verdict")
}

// printSum is the last line of a table.
func printSum(w io.Writer, all []*Result) {
	var failed []string
	for _, r := range all {
		if !r.Passes() {
			failed = append(failed, fmt.Sprint(r.Number))
		}
	}
	if len(failed) == 0 {
		fmt.Fprintf(w, "\nall %d scenarios pass\n", len(all))
		return
	}
	fmt.Fprintf(w, "\n%d of %d scenarios FAIL: %s\n", len(failed), len(all), strings.Join(failed, ", "))
}

// number shows a value with its unit. Without one it is a count.
func number(v float64, unit string) string {
	switch unit {
	case "":
		return fmt.Sprintf("%.0f", v)
	case "%", "x":
		return fmt.Sprintf("%.3g %s", v, unit)
	}
	return fmt.Sprintf("%.3f %s", v, unit)
}
