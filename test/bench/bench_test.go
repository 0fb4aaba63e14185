package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A short run says something of every case, in each form.
func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench", "mesh.txt")
	var out, progress bytes.Buffer
	args := []string{"--pairs", "1", "--window", "10ms", "--picks", "0", "--json", "--out", file}
	if err := run(t.Context(), args, &out, &progress); err != nil && !errors.Is(err, errBars) {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != len(Cases()) || len(r.Comparisons) != (len(Cases())+1)*len(matches) {
		t.Errorf("%d results, %d comparisons", len(r.Results), len(r.Comparisons))
	}
	for _, c := range r.Comparisons {
		if !(c.CPU.Median > 0.05 && c.CPU.Median < 20) {
			t.Errorf("%s, %s: %v", c.Case, c.Name, c.CPU)
		}
	}
	samples, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(samples), "\nBenchmarkCall/client="); n != len(Cases())*len(Contenders) {
		t.Errorf("%d samples in the file:\n%s", n, samples)
	}
	out.Reset()
	if r.Print(&out); strings.Count(out.String(), "mesh / plain") != len(Cases())+1 {
		t.Errorf("printed:\n%s", out.String())
	}
}

func TestProfile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profiles")
	args := []string{"--window", "10ms", "--only", "callers=1/", "--profile", dir}
	if err := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) != 3*len(Contenders) {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{
		{"all"}, {"--pairs", "0"}, {"--window", "1ms"}, {"--only", "["}, {"--only", "nothing"}, {"--what"},
	} {
		if err := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%q gave no error", args)
		}
	}
}

// The probabilities are those of any table of the binomial distribution.
func TestRank(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 0, 5: 0, 6: 0, 8: 0, 9: 1, 12: 2, 20: 5, 40: 13, 100: 39} {
		if got := rank(n); got != want {
			t.Errorf("of %d values %d lie outside on either side, want %d", n, got, want)
		}
	}
}

func TestRatio(t *testing.T) {
	var ratios []float64
	for i := range 20 {
		ratios = append(ratios, float64((i*7)%20))
	}
	if got, want := newRatio(ratios), (Ratio{9.5, 5, 14}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTogether(t *testing.T) {
	got := together([][]float64{{2, 1}, {0.5, 4}})
	if math.Abs(got[0]-1) > 1e-9 || math.Abs(got[1]-2) > 1e-9 {
		t.Errorf("got %v, want 1 and 2", got)
	}
}

func TestVerdict(t *testing.T) {
	for want, c := range map[string]Comparison{
		"":         {CPU: Ratio{9, 9, 9}},
		"stretch":  {Case: "a", CPU: Ratio{1.04, 1, 1.2}, Bar: 1.08, Stretch: 1.05},
		"ok":       {Case: "a", CPU: Ratio{1.07, 1, 1.2}, Bar: 1.08, Stretch: 1.05},
		"unsure":   {Case: "a", CPU: Ratio{1.1, 1, 1.2}, Bar: 1.08, Stretch: 1.05},
		"TOO MUCH": {CPU: Ratio{1.1, 1, 1.2}, Bar: 1.08, Stretch: 1.05},
	} {
		if got := c.verdict(); got != want {
			t.Errorf("%v is %q, want %q", c, got, want)
		}
	}
}

func TestPicks(t *testing.T) {
	got := parsePicks(`goos: linux
BenchmarkPick/endpoints=3-2     9000000   130.0 ns/op   0 B/op   0 allocs/op
BenchmarkPick/endpoints=300-2   4000000   350.5 ns/op   0 B/op   0 allocs/op
BenchmarkPick/endpoints=3-2     9000000   150.0 ns/op   8 B/op   2 allocs/op
PASS
`)
	want := []Pick{{"BenchmarkPick/endpoints=3", 140, 1}, {"BenchmarkPick/endpoints=300", 350.5, 0}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] || got[0].Passes() || got[1].Passes() {
		t.Errorf("got %v, want %v", got, want)
	}
}
