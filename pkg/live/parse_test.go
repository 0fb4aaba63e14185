package live_test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/fairlead-mesh/fairlead/pkg/live"
)

const whole = `{
  "version": 7,
  "weights": {"0192f7c4-a": 50, "b": 0},
  "split": {"v1.4.0": 5, "(devel)": 0.5},
  "timeouts": {"ListTimeline": "800ms"},
  "retries": {"ratio": 0},
  "limit": {"min": 8, "max": 200},
  "subset": 10,
  "faults": [
    {"percent": 10, "delay": "200ms", "jitter": "50ms", "abort": "UNAVAILABLE", "caller": "edge", "instance": "b"},
    {"side": "client", "method": "CreatePost", "percent": 100, "drop": true}
  ]
}`

func TestParse(t *testing.T) {
	got, err := live.Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	none := 0.0
	want := live.Config{
		Version:    7,
		Weights:    map[string]int{"0192f7c4-a": 50, "b": 0},
		Split:      map[string]float64{"v1.4.0": 5, "(devel)": 0.5},
		Timeouts:   map[string]time.Duration{"ListTimeline": 800 * time.Millisecond},
		RetryRatio: &none,
		Limit:      live.Limit{Min: 8, Max: 200},
		Subset:     10,
		Faults: []live.Fault{
			{Side: live.Server, Percent: 10, Delay: 200 * time.Millisecond, Jitter: 50 * time.Millisecond, Abort: codes.Unavailable, Caller: "edge", Instance: "b"},
			{Side: live.Client, Method: "CreatePost", Percent: 100, Drop: true},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParseLittle(t *testing.T) {
	c, err := live.Parse([]byte(`{"version": 1, "weights": {}, "faults": []}`))
	if err != nil || !reflect.DeepEqual(c, live.Config{Version: 1}) {
		t.Errorf("got %+v, %v", c, err)
	}
}

// Each error names the field, and says what would be right.
func TestParseRefuses(t *testing.T) {
	fault := func(fields string) string { return `"faults": [{"percent": 5, "drop": true}, {` + fields + `}]` }
	for fields, want := range map[string][]string{
		`"exposure": "EDGE"`:                                       {"exposure", "no such field", "weights"},
		`"Split": {"v1": 5}`:                                       {"Split", "no such field"},
		`"subset": 5, "subset": 6`:                                 {"subset", "twice"},
		`"subset": null`:                                           {"subset", "null"},
		`"subset": 2`:                                              {"subset", "3 to 1000"},
		`"subset": 5.5`:                                            {"subset", "whole number"},
		`"subset": "5"`:                                            {"subset", "whole number"},
		`"subset": 99999999999999999999`:                           {"subset", "whole number"},
		`"version": 2`:                                             {"version", "twice"},
		`"weights": {"a": -1}`:                                     {"weights.a", "-1", "0 to 10000"},
		`"weights": {"a": 10001}`:                                  {"weights.a", "10001"},
		`"weights": {"a b": 1}`:                                    {"weights", `"a b"`, "visible"},
		`"weights": [1]`:                                           {"weights", "[1]", "object"},
		`"split": {"v1": 60, "v2": 50}`:                            {"split", "110"},
		`"split": {"v1": -0.1}`:                                    {"split.v1", "0 to 100"},
		`"split": {"v1": NaN}`:                                     {"split.v1", "not JSON"},
		`"split": {"v1": 1e999}`:                                   {"split.v1", "0 to 100"},
		`"split": {"v1": "5%"}`:                                    {"split.v1", "5%"},
		`"timeouts": {"GetUser": "1ms"}`:                           {"timeouts.GetUser", "10ms"},
		`"timeouts": {"GetUser": "11m"}`:                           {"timeouts.GetUser", "10m"},
		`"timeouts": {"GetUser": 800}`:                             {"timeouts.GetUser", "duration"},
		`"timeouts": {"a.v1.S/GetUser": "1s"}`:                     {"timeouts", "without its service"},
		`"retries": {"ratio": 1.5}`:                                {"retries.ratio", "0 to 1"},
		`"retries": {"count": 3}`:                                  {"retries.count", "no such field", "ratio"},
		`"limit": {"min": 9, "max": 8}`:                            {"limit", "min 9"},
		`"limit": {"max": 0}`:                                      {"limit.max", "1 to"},
		`"faults": {}`:                                             {"faults", "list"},
		fault(`"delay": "1s"`):                                     {"faults[1]", "percent"},
		fault(`"percent": 0, "delay": "1s"`):                       {"faults[1].percent", "0 is not", "above 0 and at most 100"},
		fault(`"percent": 200, "delay": "1s"`):                     {"faults[1].percent", "200 is not", "above 0 and at most 100"},
		fault(`"percent": 5`):                                      {"faults[1]", "delay, abort and drop"},
		fault(`"percent": 5, "drop": 1`):                           {"faults[1].drop", "true or false"},
		fault(`"percent": 5, "abort": "OK"`):                       {"faults[1].abort", "OK"},
		fault(`"percent": 5, "abort": 14`):                         {"faults[1].abort", "14"},
		fault(`"percent": 5, "delay": "2m"`):                       {"faults[1].delay", "1m"},
		fault(`"percent": 5, "jitter": "2s"`):                      {"faults[1]", "delay"},
		fault(`"percent": 5, "side": "proxy"`):                     {"faults[1].side", "proxy"},
		fault(`"percent": 5, "caller": "spiffe:"`):                 {"faults[1].caller", "part"},
		fault(`"percent": 5, "drop": true, "abort": "INTERNAL"`):   {"faults[1]", "drop stands alone"},
		fault(`"percent": 5, "abort": "INTERNAL", "jitter": "1s"`): {"faults[1]", "jitter needs a delay"},
		fault(`"percent": 5, "drop": true, "side": "client", "instance": "a"`):      {"faults[1]", "instance"},
		`"faults": [` + strings.Repeat(`{"percent": 5, "drop": true},`, 32) + `{}]`: {"faults", "33", "32"},
		`"split": {` + strings.Repeat(`"a": {`, 8) + strings.Repeat(`}`, 9):         {"nested"},
	} {
		refused(t, `{"version": 1, `+fields+`}`, want)
	}
}

func TestParseRefusesWhatIsNoDocument(t *testing.T) {
	for document, want := range map[string]string{
		"":                                "ends in the middle",
		"{":                               "ends in the middle",
		`{"version": 1`:                   "ends in the middle",
		"[]":                              "not an object",
		"7":                               "not an object",
		"null":                            "null",
		"{}":                              "version: missing",
		`{"version": 0}`:                  "version",
		`{"version": -1}`:                 "version",
		`{"version": 1} {"version": 2}`:   "follows",
		`{"version": 1}x`:                 "follows",
		`{"version": 1,}`:                 "not JSON",
		"version: 1":                      "not JSON",
		strings.Repeat(" ", 64<<10) + "x": "65537 bytes",
	} {
		refused(t, document, []string{want})
	}
}

func TestParseRefusesTooMany(t *testing.T) {
	many := func(n int, value string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"a%d":%s`, i, value)
		}
		return "{" + b.String()[1:] + "}"
	}
	for field, entries := range maps.All(map[string]string{
		"weights":  many(1001, "1"),
		"split":    many(17, "1"),
		"timeouts": many(501, `"1s"`),
	}) {
		refused(t, fmt.Sprintf(`{"version": 1, %q: %s}`, field, entries), []string{field, "entries, at most"})
	}
}

func refused(t *testing.T, document string, want []string) {
	t.Helper()
	c, err := live.Parse([]byte(document))
	if err == nil {
		t.Errorf("%.200s: not refused", document)
		return
	}
	if !reflect.DeepEqual(c, live.Config{}) {
		t.Errorf("%.200s: half of it was taken: %+v", document, c)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%.200s: %q is not in: %v", document, w, err)
		}
	}
}

func TestDocumentIsReadBack(t *testing.T) {
	c, err := live.Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Document()
	if err != nil {
		t.Fatal(err)
	}
	again, err := live.Parse(text)
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("%s\nbecame %+v, %v", text, again, err)
	}
}

func TestVersionOf(t *testing.T) {
	for document, want := range map[string]int64{
		`{"version": 9, "nonsense": 1}`: 9, `{"version": "9"}`: 0, `{}`: 0, `[]`: 0, `{`: 0,
	} {
		if got := live.VersionOf([]byte(document)); got != want {
			t.Errorf("%s: %d", document, got)
		}
	}
}
