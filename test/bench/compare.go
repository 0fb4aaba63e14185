package bench

import (
	"math"
	"slices"
)

// Ratio is the median of ratios, with the interval that holds the true one in 95
// of 100 measurements.
type Ratio struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// divide compares what was measured in the same pair.
func divide(above, below []Sample, of func(Sample) float64) []float64 {
	ratios := make([]float64, len(above))
	for i := range above {
		ratios[i] = of(above[i]) / of(below[i])
	}
	return ratios
}

func newRatio(ratios []float64) Ratio {
	sorted := slices.Sorted(slices.Values(ratios))
	k := rank(len(sorted))
	return Ratio{median(sorted), sorted[k], sorted[len(sorted)-1-k]}
}

// together returns the geometric means of what the first, the second and each
// further pair of all cases have shown: the only mean under which it is all the
// same which of two is divided by the other.
func together(cases [][]float64) []float64 {
	means := make([]float64, len(cases[0]))
	for pair := range means {
		for _, ratios := range cases {
			means[pair] += math.Log(ratios[pair])
		}
		means[pair] = math.Exp(means[pair] / float64(len(cases)))
	}
	return means
}

// rank says how many of n sorted values lie outside the interval on either side.
// Each value is above the true median with probability one half, so their number
// is binomial, whatever the distribution of the values.
func rank(n int) int {
	outside, k := math.Exp2(-float64(n)), 0
	for term := outside; ; k++ {
		term *= float64(n-k) / float64(k+1)
		if outside += term; outside > 0.025 || 2*(k+1) >= n {
			return k
		}
	}
}

// median returns the middle of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// typical returns the median of what the samples say.
func typical(samples []Sample, of func(Sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return median(values)
}
