package chaos

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// quiet tells nobody.
type quiet struct{ testing.TB }

func (q quiet) Say(format string, args ...any)  { q.Logf(format, args...) }
func (q quiet) Step(format string, args ...any) {}

// Each suite for a moment, all at once, since they wait most of the time. The bars of
// time are for the command, which has the machine for itself.
func TestBriefly(t *testing.T) {
	for name, o := range map[string]Options{
		"kill-all": {Kills: 3},
		// Few calls, so that hardly ever two are in flight at a kill: those fail, since
		// the mesh does not repeat them yet.
		"kill-replica": {Kills: 2, Rate: 10},
		"etcd-stop":    {Rate: 50, Outage: time.Second, After: time.Second},
		"etcd-kill":    {Rate: 50, Outage: time.Second, After: time.Second},
	} {
		engines := []harness.Engine{harness.SQLite}
		if name == "kill-all" {
			engines = harness.Engines(t)
		}
		for _, e := range engines {
			t.Run(name+" on "+e.Name, func(t *testing.T) {
				t.Parallel()
				o := o
				o.Engine, o.Seed, o.Dir = e, 1, t.TempDir()
				o.Programs, o.Progress = harness.Programs(), quiet{t}
				briefly(t, name, o)
			})
		}
	}
}

func briefly(t *testing.T, name string, o Options) {
	suites, err := named([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	r, err := suites[0].Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if !row.Passes() && row.Unit == "" {
			t.Errorf("%s: %.0f, at most %.0f", row.What, row.Value, *row.Most)
		}
	}
	if t.Failed() {
		r.Print(t.Output())
	}
}

func TestPercentile(t *testing.T) {
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i))
	}
	for share, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := percentile(all, share); got != want {
			t.Errorf("%v of 1 to 100 are within %d, want %d", share, got, want)
		}
	}
}

func TestPasses(t *testing.T) {
	r := new(Result)
	if r.Passes() {
		t.Error("nothing was measured, and it passes")
	}
	r.note("no bar", 1000, "s")
	r.bar("just so", 1, "s", 1)
	if !r.Passes() {
		t.Error("what is at its bar does not pass")
	}
	r.bar("one too many", 1, "", 0)
	if r.Passes() {
		t.Error("what is above its bar passes")
	}
}

func TestParse(t *testing.T) {
	suites, s, err := parse([]string{"--engine", "postgres", "--kills", "3", "kill-all", "etcd-stop"})
	if err != nil || len(suites) != 2 || s.engine != "postgres" || s.or(suites[0].Defaults).Kills != 3 || s.or(suites[1].Defaults).Outage != 30*time.Second {
		t.Errorf("%v, %+v: %v", suites, s, err)
	}
	for _, args := range [][]string{{}, {"kill-some"}, {"--unknown"}} {
		if _, _, err := parse(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
	s.engine = "mysql"
	if _, err := s.choose(filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("an unknown engine is accepted")
	}
}
