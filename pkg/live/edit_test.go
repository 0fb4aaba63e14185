package live_test

import (
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/live"
)

func TestEdit(t *testing.T) {
	const before = `{"version":3,"split":{"v1":5},"retries":{"ratio":0.1},"subset":9}`
	for changes, want := range map[string]string{
		"subset=12":                      `{"version":4,"split":{"v1":5},"retries":{"ratio":0.1},"subset":12}`,
		"split.v1.4.0=2.5":               `{"version":4,"split":{"v1":5,"v1.4.0":2.5},"retries":{"ratio":0.1},"subset":9}`,
		"split.v1=":                      `{"version":4,"retries":{"ratio":0.1},"subset":9}`,
		"split= retries= subset=":        `{"version":4}`,
		"split.v1=50 subset= retries=":   `{"version":4,"split":{"v1":50}}`,
		"timeouts.GetUser=800ms split=":  `{"version":4,"timeouts":{"GetUser":"800ms"},"retries":{"ratio":0.1},"subset":9}`,
		`split={"v2":1} retries.ratio=0`: `{"version":4,"split":{"v2":1},"retries":{"ratio":0},"subset":9}`,
		`faults=[{"percent":1,"drop":true}] split= retries= subset=`: `{"version":4,"faults":[{"side":"server","percent":1,"drop":true}]}`,
		"limit.max=100 limit.min=5 split= retries= subset=":          `{"version":4,"limit":{"min":5,"max":100}}`,
	} {
		c, err := live.Edit([]byte(before), strings.Fields(changes))
		if err != nil {
			t.Errorf("%s: %v", changes, err)
			continue
		}
		if got, err := c.Document(); err != nil || string(got) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", changes, got, err, want)
		}
	}
}

func TestEditOfNothing(t *testing.T) {
	c, err := live.Edit(nil, []string{"subset=12"})
	if err != nil || c.Version != 1 || c.Subset != 12 {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestEditRefuses(t *testing.T) {
	for change, want := range map[string]string{
		"subset":              "field=value",
		"nonsense=1":          "nonsense: there is no such field, but faults",
		"exposure=EDGE":       "exposure: there is no such field",
		"version=9":           "counted by itself",
		"subset.x=1":          "subset: it has no fields of its own",
		"subset=many":         `subset: "many"`,
		"split.v1=101":        "split.v1: 101",
		"split.v1=fifty":      `split.v1: "fifty"`,
		"faults=[{]":          "faults[0]: not JSON",
		"faults=[{}]":         "faults[0]",
		`split={"a":1,"a":2}`: "split.a: the field is there twice",
	} {
		if c, err := live.Edit(nil, []string{change}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v", change, c, err)
		}
	}
	if _, err := live.Edit([]byte(`{"version":1,"x":1}`), []string{"subset=9"}); err == nil || !strings.Contains(err.Error(), "that is there") {
		t.Errorf("a bad document was edited: %v", err)
	}
}

func TestReplace(t *testing.T) {
	const before = `{"version":3,"subset":9}`
	for document, want := range map[string]string{
		`{"subset":12}`:                  `{"version":4,"subset":12}`,
		` { "version" : 3 } `:            `{"version":4}`,
		`{}`:                             `{"version":4}`,
		`{"version":2,"subset":12}`:      "made from version 2, and 3 is there now",
		`{"version":"3"}`:                `made from version "3"`,
		`{"subset":1}`:                   "subset: 1",
		`{"subset":12,"exposure":"ALL"}`: "exposure",
		`[]`:                             "not an object",
		`{`:                              "ends in the middle",
	} {
		c, err := live.Replace([]byte(before), []byte(document))
		got, _ := c.Document()
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("%s: %s", document, got)
		}
	}
	for _, broken := range []string{"", "{"} {
		if c, err := live.Replace([]byte(broken), []byte("{}")); err != nil || c.Version != 1 {
			t.Errorf("after %q: %+v, %v", broken, c, err)
		}
	}
	if c, err := live.Replace([]byte(`{"version":8,"nonsense":1}`), []byte("{}")); err != nil || c.Version != 9 {
		t.Errorf("after a bad document: %+v, %v", c, err)
	}
}
