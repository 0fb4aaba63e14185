package balance

import (
	"maps"
	"slices"
)

// version is the candidates of one version that has a share of its own, or of all
// versions that have none.
type version struct {
	share float64 // from 0 to 1
	group group
	zones []zone
}

// share returns the share of a version in per cent, or what is left for all that have
// none of their own.
func (s *Settings) share(version string) float64 {
	if share, named := s.Split[version]; named {
		return min(max(0, share), 100)
	}
	return s.rest()
}

func (s *Settings) rest() float64 {
	rest := 100.0
	for _, share := range s.Split {
		rest -= max(0, share)
	}
	return max(0, rest)
}

// newVersions divides candidates as the split says. Shares of versions that nobody
// runs go to the others, in proportion.
func newVersions(all []candidate, s *Settings) []version {
	rest := newVersion(all, s.rest(), func(c *candidate) bool {
		_, named := s.Split[c.version]
		return !named
	})
	found := []version{rest}
	for _, name := range slices.Sorted(maps.Keys(s.Split)) {
		found = append(found, newVersion(all, s.share(name), func(c *candidate) bool { return c.version == name }))
	}
	return normal(slices.DeleteFunc(found, func(v version) bool { return len(v.group.places) == 0 || v.share == 0 }))
}

func newVersion(all []candidate, share float64, in func(*candidate) bool) version {
	in2 := func(c *candidate) bool { return c.weight > 0 && in(c) }
	return version{share: share, group: newGroup(all, in2), zones: newZones(all, in2)}
}

// normal makes the sum of the shares 1.
func normal(versions []version) []version {
	sum := 0.0
	for _, v := range versions {
		sum += v.share
	}
	for i := range versions {
		versions[i].share /= sum
	}
	return versions
}
