package bench

// The bars, as ratios of CPU for each call, and what is really wanted.
const (
	meshBar, meshStretch           = 1.08, 1.05
	telemetryBar, telemetryStretch = 1.25, 1.10
)

// Result is what was measured of one case. Samples are by contender, in the order
// of Contenders, and by pair.
type Result struct {
	Case    Case       `json:"case"`
	Samples [][]Sample `json:"samples"`
}

func (r Result) pairs() int { return len(r.Samples[observed]) }

// Comparison is the price of one contender in terms of another.
type Comparison struct {
	// Case is empty for all cases together.
	Case string `json:"case,omitempty"`
	Name string `json:"name"`
	CPU  Ratio  `json:"cpu"`
	P50  Ratio  `json:"p50"`
	P99  Ratio  `json:"p99"`
	// Bar and Stretch are for the CPU; 0 where nothing is asked for.
	Bar     float64 `json:"bar,omitempty"`
	Stretch float64 `json:"stretch,omitempty"`
}

// matches are what is compared.
var matches = []struct {
	name         string
	above, below int
	bar, stretch float64
}{
	{"plain again / plain", plainAgain, plain, 0, 0},
	{"mesh / plain", meshed, plain, meshBar, meshStretch},
	{"telemetry / mesh", observed, meshed, telemetryBar, telemetryStretch},
}

// Comparisons are what results of as many pairs each say together.
func Comparisons(name string, results []Result) []Comparison {
	var all []Comparison
	for _, m := range matches {
		ratio := func(of func(Sample) float64) Ratio {
			var cases [][]float64
			for _, r := range results {
				cases = append(cases, divide(r.Samples[m.above], r.Samples[m.below], of))
			}
			return newRatio(together(cases))
		}
		all = append(all, Comparison{name, m.name, ratio(ofCPU), ratio(ofP50), ratio(ofP99), m.bar, m.stretch})
	}
	return all
}

// compareAll returns the comparisons of each case, and of all together.
func compareAll(results []Result) []Comparison {
	var all []Comparison
	for _, r := range results {
		all = append(all, Comparisons(r.Case.String(), []Result{r})...)
	}
	return append(all, Comparisons("", results)...)
}

// Passes says whether the bar is met: by the median of all cases together. A case
// alone must not surely be above it.
func (c Comparison) Passes() bool {
	switch {
	case c.Bar == 0:
		return true
	case c.Case == "":
		return c.CPU.Median <= c.Bar
	}
	return c.CPU.Low <= c.Bar
}

func (c Comparison) verdict() string {
	switch {
	case c.Bar == 0:
		return ""
	case !c.Passes():
		return "TOO MUCH"
	case c.CPU.Median <= c.Stretch:
		return "stretch"
	case c.CPU.Median <= c.Bar:
		return "ok"
	}
	return "unsure"
}
