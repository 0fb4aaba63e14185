package up

import (
	"strings"
	"testing"
)

func TestReplicas(t *testing.T) {
	r := Replicas{}
	if err := r.Set("social=2, identity=1"); err != nil {
		t.Fatal(err)
	}
	if r.of("social") != 2 || r.of("identity") != 1 || r.of("another") != 1 {
		t.Errorf("it is %v", r)
	}
	if got := r.String(); got != "identity=1,social=2" {
		t.Errorf("as text it is %q", got)
	}
	if got := r.detail("social") + ", " + r.detail("identity"); got != "2 replicas, 1 replica" {
		t.Errorf("the console says %q", got)
	}
}

func TestReplicasMayBeGivenSeveralTimes(t *testing.T) {
	r := Replicas{}
	if err := r.Set("social=16"); err != nil {
		t.Fatal(err)
	}
	if err := r.Set("identity=3"); err != nil {
		t.Fatal(err)
	}
	if err := r.Set("identity=4"); err == nil {
		t.Error("one part has two numbers")
	}
	if got := r.String(); got != "identity=3,social=16" {
		t.Errorf("it is %q", got)
	}
}

func TestWrongReplicas(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "not a part and a number",
		"social":                 "not a part and a number",
		"social=2,":              "not a part and a number",
		"social=":                "between 1 and 16",
		"social=0":               "between 1 and 16",
		"social=-1":              "between 1 and 16",
		"social=17":              "between 1 and 16",
		"social=1e1":             "between 1 and 16",
		"social=184467440737096": "between 1 and 16",
		"Social=2":               `no part "Social"`,
		"=2":                     `no part ""`,
		"edge=2":                 "fairlead serve edge",
	} {
		if err := (Replicas{}).Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %q in it", text, err, want)
		}
	}
}
