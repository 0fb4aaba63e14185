package live_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/live"
)

// within says whether every number of a Config is one that a reader may rely on.
func within(c live.Config) bool {
	sum := 0.0
	for _, share := range c.Split {
		sum += share
		if !(share >= 0 && share <= 100) {
			return false
		}
	}
	for _, w := range c.Weights {
		if w < 0 || w > discovery.MaxWeight {
			return false
		}
	}
	for _, d := range c.Timeouts {
		if d < 10*time.Millisecond || d > 10*time.Minute {
			return false
		}
	}
	for _, f := range c.Faults {
		if !sane(f) {
			return false
		}
	}
	ratio := c.RetryRatio == nil || *c.RetryRatio >= 0 && *c.RetryRatio <= 1
	subset := c.Subset == 0 || c.Subset >= 3 && c.Subset <= 1000
	limit := c.Limit.Min >= 0 && (c.Limit.Max == 0 || c.Limit.Min <= c.Limit.Max) && c.Limit.Max <= 100_000 && c.Limit.Min <= 100_000
	bounds := len(c.Weights) <= 1000 && len(c.Split) <= 16 && len(c.Timeouts) <= 500 && len(c.Faults) <= 32
	return sum <= 100.000001 && ratio && subset && limit && bounds && c.Version >= 1
}

func sane(f live.Fault) bool {
	something := f.Drop || f.Delay > 0 || f.Abort != 0
	return something && f.Percent > 0 && f.Percent <= 100 && f.Delay >= 0 && f.Delay <= time.Minute &&
		f.Jitter >= 0 && f.Jitter <= time.Minute && f.Abort <= 16 && (f.Side == live.Server || f.Side == live.Client)
}

// judge fails unless the document is refused, or within the bounds and read back
// from what is written of it.
func judge(t interface{ Fatalf(string, ...any) }, document []byte) (taken bool) {
	c, err := live.Parse(document)
	if err != nil {
		if !reflect.DeepEqual(c, live.Config{}) {
			t.Fatalf("%s: refused, and half of it taken: %+v", document, c)
		}
		return false
	}
	if !within(c) {
		t.Fatalf("%s: out of bounds: %+v", document, c)
	}
	text, err := c.Document()
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	if again, err := live.Parse(text); len(text) <= live.MaxBytes && (err != nil || !reflect.DeepEqual(again, c)) {
		t.Fatalf("%s was written as %s, which is %+v, %v", document, text, again, err)
	}
	if len(document) > live.MaxBytes || live.VersionOf(document) != c.Version {
		t.Fatalf("%s: version %d", document, c.Version)
	}
	return true
}

// value draws what may stand anywhere in a document: good, nearly good, or odd.
func value(depth int) *rapid.Generator[any] {
	text := rapid.SampledFrom([]any{
		"", "a", "v1.4.0", "250ms", "-1s", "10m", "9999h", "UNAVAILABLE", "OK", "server", "client", "edge", "\x00", "é", true, false, nil,
	})
	number := rapid.SampledFrom([]any{0, 1, 3, 5, 50, 100, 101, 1000, 1001, 10001, -1, 0.5, math.MaxInt64, 1e300, math.Copysign(0, -1), 1 << 53, 100.5})
	if depth == 0 {
		return rapid.OneOf(text, number)
	}
	names := rapid.SampledFrom([]string{
		"version", "weights", "split", "timeouts", "retries", "ratio", "limit", "min", "max", "subset", "faults", "side", "method",
		"caller", "instance", "percent", "delay", "jitter", "abort", "drop", "a", "v1", "", "Split", "GetUser",
	})
	objects := rapid.Map(rapid.MapOfN(names, value(depth-1), 0, 5), func(m map[string]any) any { return m })
	lists := rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(l []any) any { return l })
	return rapid.OneOf(text, number, objects, lists)
}

// shaped draws documents of which many are good.
func shaped() *rapid.Generator[any] {
	percent := rapid.Map(rapid.Float64Range(-1, 60), func(f float64) any { return f })
	return rapid.Custom(func(t *rapid.T) any {
		d := map[string]any{"version": rapid.Int64Range(0, 1<<53).Draw(t, "version")}
		parts := map[string]*rapid.Generator[any]{
			"split":    rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"v1", "v2", "v1.4.0"}), percent, 0, 3), func(m map[string]any) any { return m }),
			"weights":  rapid.Map(rapid.MapOfN(rapid.StringN(1, 4, 8), value(0), 0, 3), func(m map[string]any) any { return m }),
			"timeouts": rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"Get", "_", "a.B"}), value(0), 0, 2), func(m map[string]any) any { return m }),
			"subset":   value(0), "limit": value(1), "retries": value(1), "faults": value(2),
		}
		for _, name := range []string{"split", "weights", "timeouts", "subset", "limit", "retries", "faults"} {
			if rapid.IntRange(0, 3).Draw(t, name+"?") == 0 {
				d[name] = parts[name].Draw(t, name)
			}
		}
		return d
	})
}

// Whatever JSON there is, it is refused, or every number is within its bounds.
func TestAnyJSONIsRefusedOrWithinBounds(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		document, err := json.Marshal(rapid.OneOf(value(3), shaped()).Draw(t, "document"))
		if err != nil {
			t.Fatal(err)
		}
		if judge(t, document) {
			taken++
		}
	})
	if taken == 0 {
		t.Error("no document was good: the property says nothing")
	}
}

// Whatever is edited, the outcome is valid or an error.
func TestAnyEditIsRefusedOrWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		paths := []string{"split.v1", "split", "weights.a", "timeouts.Get", "retries.ratio", "retries", "limit.min", "limit.max", "subset", "faults", "version", "x", ""}
		values := []string{"", "5", "-1", "1e9", "800ms", "{}", "[]", `{"a":1}`, `[{"percent":5,"drop":true}]`, "nonsense", "{", "true", "null", `"5"`}
		var changes []string
		for range rapid.IntRange(0, 4).Draw(t, "n") {
			changes = append(changes, rapid.SampledFrom(paths).Draw(t, "path")+"="+rapid.SampledFrom(values).Draw(t, "value"))
		}
		before := rapid.SampledFrom([]string{"", `{"version":1}`, whole, `{"version":9007199254740992}`, `{`}).Draw(t, "before")
		if c, err := live.Edit([]byte(before), changes); err == nil && !within(c) {
			t.Fatalf("out of bounds: %+v", c)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{whole, "", "{}", `{"version":1,"version":1}`, `{"version":1,"split":{"a":1e999}}`, "[[[[[[[[[[", "\"\xff\"", `{"a":`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) { judge(t, document) })
}
