package balance

import "math/bits"

// group is some of the candidates, drawn by weight.
type group struct {
	places []int32 // in table.candidates
	alias  []alias // nil when the weights are equal
}

// alias is one column of Walker's alias method, which draws by weight in the same
// time however many there are: whoever hits the column above the limit gets other.
type alias struct {
	limit uint32
	other int32
}

// draw makes a place among the candidates of a random number.
func (g *group) draw(random uint64) int32 {
	column, rest := bits.Mul64(random, uint64(len(g.places)))
	if g.alias != nil {
		if a := g.alias[column]; uint32(rest>>32) >= a.limit {
			return g.places[a.other]
		}
	}
	return g.places[column]
}

func newGroup(all []candidate, in func(*candidate) bool) group {
	var g group
	var weights []float64
	equal, sum := true, 0.0
	for i := range all {
		if c := &all[i]; in(c) {
			g.places = append(g.places, int32(i))
			weights = append(weights, float64(c.weight))
			equal = equal && c.weight == int(weights[0])
			sum += float64(c.weight)
		}
	}
	if !equal {
		g.alias = aliases(weights, sum)
	}
	return g
}

// aliases builds the columns as Vose does: each that is too low is filled up from
// one that is too high.
func aliases(weights []float64, sum float64) []alias {
	columns := make([]alias, len(weights))
	var low, high []int
	sort := func(i int) {
		if weights[i] < 1 {
			low = append(low, i)
			return
		}
		high = append(high, i)
	}
	for i := range weights {
		weights[i] *= float64(len(weights)) / sum
		columns[i] = alias{1<<32 - 1, int32(i)}
		sort(i)
	}
	for len(low) > 0 && len(high) > 0 {
		l, h := low[len(low)-1], high[len(high)-1]
		low, high = low[:len(low)-1], high[:len(high)-1]
		columns[l] = alias{uint32(weights[l] * (1<<32 - 1)), int32(h)}
		weights[h] -= 1 - weights[l]
		sort(h)
	}
	return columns
}
