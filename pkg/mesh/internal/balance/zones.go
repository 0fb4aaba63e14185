package balance

import "slices"

// zone is the candidates of one version in one zone.
type zone struct {
	name  string
	group group
}

// newZones returns the zones of candidates; nil when the zone of one is unknown.
func newZones(all []candidate, in func(*candidate) bool) []zone {
	var names []string
	for i := range all {
		if c := &all[i]; in(c) && !slices.Contains(names, c.zone) {
			names = append(names, c.zone)
		}
	}
	if len(names) < 2 || slices.Contains(names, "") {
		return nil
	}
	slices.Sort(names)
	zones := make([]zone, len(names))
	for i, name := range names {
		zones[i] = zone{name, newGroup(all, func(c *candidate) bool { return in(c) && c.zone == name })}
	}
	return zones
}

// zonesFrom is the least number of usable endpoints for which zones count; with
// fewer, one that fails is too much of a zone. It is Envoy's.
const zonesFrom = 6

// spread returns the share of calls of each zone; nil when zones do not count.
//
// It takes callers to be spread evenly over the zones. As long as the zone of this
// one has its part of the usable endpoints, all calls stay in it. Otherwise it gets
// what it can bear, and the rest goes to the zones with more than their part, in
// proportion to what they have more (Envoy's zone-aware routing).
func (t *table) spread(zones []zone) []float64 {
	own := slices.IndexFunc(zones, func(z zone) bool { return z.name == t.cluster.options.Zone })
	if own < 0 {
		return nil
	}
	parts, total, alive := make([]float64, len(zones)), 0.0, 0.0
	for i := range zones {
		parts[i] = float64(t.usable(&zones[i].group))
		total += parts[i]
		alive += min(1, parts[i])
	}
	if total < zonesFrom || alive < 2 || parts[own] == 0 {
		return nil
	}
	fair := total / alive
	if parts[own] >= fair {
		shares := make([]float64, len(zones))
		shares[own] = 1
		return shares
	}
	return spill(parts, own, fair)
}

// spill turns the parts into shares when the own zone has less than a fair part.
func spill(parts []float64, own int, fair float64) []float64 {
	spare := 0.0
	for _, part := range parts {
		spare += max(0, part-fair)
	}
	local := parts[own] / fair
	for i, part := range parts {
		parts[i] = (1 - local) * max(0, part-fair) / spare
	}
	parts[own] = local
	return parts
}
