package live

import (
	"fmt"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
)

// MaxBytes bounds a document. One with a weight for each of 1,000 instances has
// some 45 KiB.
const MaxBytes = 64 << 10

// The bounds of the fields, inclusive. docs/live.md has the reasons.
const (
	maxVersion  = 1 << 53 // what every reader of JSON can hold exactly
	maxWeight   = discovery.MaxWeight
	maxWeights  = 1000
	maxVersions = 16
	minTimeout  = 10 * time.Millisecond
	maxTimeout  = 10 * time.Minute
	maxMethods  = 500
	maxLimit    = 100_000
	minSubset   = 3
	maxSubset   = 1000
	maxFaults   = 32
	minDelay    = time.Millisecond
	maxDelay    = time.Minute
)

// Parse reads a document. The error names the first field that is wrong, its
// bounds among what it says. There is no half: with an error the Config is zero.
func Parse(document []byte) (Config, error) {
	var c Config
	root, err := tree(document)
	if err == nil {
		err = field{value: root}.record(c.fields())
	}
	if err == nil && c.Version == 0 {
		err = fmt.Errorf("version: missing")
	}
	if err != nil {
		return Config{}, err
	}
	return c, nil
}

// VersionOf returns the version of a document that may be refused otherwise; 0
// when it has none that can be read.
func VersionOf(document []byte) int64 {
	root, err := tree(document)
	if err != nil {
		return 0
	}
	o, _ := root.(map[string]any)
	version, err := field{"version", o["version"]}.whole(1, maxVersion)
	if err != nil {
		return 0
	}
	return version
}

func (c *Config) fields() map[string]reader {
	return map[string]reader{
		"version":  into(&c.Version, func(f field) (int64, error) { return f.whole(1, maxVersion) }),
		"weights":  entries(&c.Weights, maxWeights, name, weight),
		"split":    c.readSplit,
		"timeouts": entries(&c.Timeouts, maxMethods, method, timeout),
		"retries":  c.readRetries,
		"limit":    c.Limit.read,
		"subset":   number(&c.Subset, minSubset, maxSubset),
		"faults":   c.readFaults,
	}
}

func weight(f field) (int, error) {
	n, err := f.whole(0, maxWeight)
	return int(n), err
}

func timeout(f field) (time.Duration, error) { return f.duration(minTimeout, maxTimeout) }

func (c *Config) readSplit(f field) error {
	if err := entries(&c.Split, maxVersions, name, percent)(f); err != nil {
		return err
	}
	sum := 0.0
	for _, share := range c.Split {
		sum += share
	}
	if sum > 100+1e-9 { // 0.1 and the like are not exact
		return f.wrong("the shares add up to %g per cent, at most 100 can be given away", sum)
	}
	return nil
}

func percent(f field) (float64, error) { return f.number(0, 100) }

func (c *Config) readRetries(f field) error {
	return f.record(map[string]reader{"ratio": func(f field) error {
		ratio, err := f.number(0, 1)
		c.RetryRatio = &ratio
		return err
	}})
}

func (l *Limit) read(f field) error {
	err := f.record(map[string]reader{"min": number(&l.Min, 1, maxLimit), "max": number(&l.Max, 1, maxLimit)})
	if err == nil && l.Max > 0 && l.Min > l.Max {
		err = f.wrong("min %d is above max %d", l.Min, l.Max)
	}
	return err
}
