package mesh

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
	"github.com/fairlead-mesh/fairlead/test/mesh/lab"
)

func TestMain(m *testing.M) { harness.Main(m) }

// quiet tells nobody but the log of the test.
type quiet struct{ testing.TB }

func (q quiet) Say(format string, args ...any)  { q.Logf(format, args...) }
func (q quiet) Step(format string, args ...any) {}

// The scenarios of the short run, one after the other, since each has the machine for
// itself when they are run for long.
func TestBriefly(t *testing.T) {
	var programs lab.Programs
	if err := programs.Build(harness.Programs()); err != nil {
		t.Fatal(err)
	}
	o := Options{Rate: shortRate, Short: true, Dir: t.TempDir()}
	for _, s := range Scenarios() {
		if !s.Quick {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			if r := s.Try(t.Context(), o, programs, quiet{t}); !r.Passes() {
				var table bytes.Buffer
				r.Print(&table)
				t.Error(table.String())
			}
		})
	}
}

// Every row of the table has its number once, and bars that can be told apart.
func TestScenarios(t *testing.T) {
	for n, s := range Scenarios() {
		if s.Number != n+1 {
			t.Errorf("scenario %d is at place %d", s.Number, n+1)
		}
		var names []string
		for _, b := range s.Bars {
			if slices.Contains(names, b.What) {
				t.Errorf("scenario %d has two bars %q", s.Number, b.What)
			}
			names = append(names, b.What)
		}
	}
}

func TestBar(t *testing.T) {
	most, least := Bar{What: "most", Limit: 2}, Bar{What: "least", Least: true, Limit: 2}
	for v, want := range map[float64][2]bool{1: {true, false}, 2: {true, true}, 3: {false, true}} {
		if most.Met(v) != want[0] || least.Met(v) != want[1] {
			t.Errorf("%v: %v and %v, want %v", v, most.Met(v), least.Met(v), want)
		}
	}
}

// A run judges by the bars of its scenario, and by nothing else.
func TestMeasure(t *testing.T) {
	s := Scenario{Number: 1, Bars: []Bar{{What: "a", Limit: 1}, {What: "b", Limit: 1, Timed: true}}}
	for name, test := range map[string]struct {
		short  bool
		values map[string]float64
		want   bool
	}{
		"met":                  {values: map[string]float64{"a": 1, "b": 1}, want: true},
		"missed":               {values: map[string]float64{"a": 2, "b": 1}},
		"late":                 {values: map[string]float64{"a": 1, "b": 2}},
		"late in a short run":  {short: true, values: map[string]float64{"a": 1, "b": 2}, want: true},
		"unknown":              {values: map[string]float64{"a": 1, "c": 0}},
		"nothing was measured": {},
	} {
		r := &Run{Options: Options{Short: test.short}, scenario: s, Result: new(Result)}
		for what, v := range test.values {
			r.measure(what, v)
		}
		if r.Passes() != test.want {
			t.Errorf("%s: passes is %v", name, r.Passes())
		}
	}
	if (&Result{Rows: []Row{{Verdict: Pass}}, Error: "cut short"}).Passes() {
		t.Error("a scenario that was cut short passes")
	}
}

func TestLongestRun(t *testing.T) {
	at := func(seconds ...float64) []time.Time {
		var all []time.Time
		for _, s := range seconds {
			all = append(all, time.Unix(0, 0).Add(time.Duration(s*float64(time.Second))))
		}
		return all
	}
	for _, test := range []struct {
		times []time.Time
		want  time.Duration
	}{
		{nil, 0},
		{at(1), 100 * time.Millisecond},
		{at(1, 1.5, 2, 9, 9.5), 1100 * time.Millisecond},
	} {
		if got := longestRun(test.times); got != test.want {
			t.Errorf("%v: %v, want %v", test.times, got, test.want)
		}
	}
}

func TestParse(t *testing.T) {
	s, err := parse([]string{"--only", "3, 1", "--rate", "50"})
	if err != nil || len(s.scenarios) != 2 || s.scenarios[0].Number != 3 || s.Rate != 50 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, args := range [][]string{{"--only", "99"}, {"--only", "x"}, {"1"}, {"--unknown"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
	s, err = parse([]string{"--quick"})
	if err != nil || s.Rate != shortRate || !slices.ContainsFunc(s.scenarios, func(s Scenario) bool { return s.Number == 1 }) {
		t.Errorf("%+v, %v", s, err)
	}
}

// The table shows what is wrong, and is silent about what is not.
func TestPrint(t *testing.T) {
	r := &Result{Number: 3, Name: "it rains", Rows: []Row{{What: "drops", Requirement: "0", Measured: "2", Verdict: Fail}}, Evidence: []string{"wet"}}
	var table bytes.Buffer
	r.Print(&table)
	for _, text := range []string{"it rains", "drops", "FAIL", "wet"} {
		if !strings.Contains(table.String(), text) {
			t.Errorf("%q is not in the table:\n%s", text, table.String())
		}
	}
	r.Rows[0].Verdict = Pass
	table.Reset()
	r.Print(&table)
	if strings.Contains(table.String(), "wet") {
		t.Errorf("evidence against what passes:\n%s", table.String())
	}
}
