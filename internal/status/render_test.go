package status

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	meshv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/mesh/v1"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a text with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// troubled is a fleet in which much is wrong at once.
func troubled() *fleet {
	f := newFleet()
	for n := range 5 {
		f.eject("edge", n, 1, time.Duration(12+n)*time.Second)
	}
	f.silence("social", 4, "no answer within 1 s")
	f.list[6].Version = "1.4.3" // the first of social
	f.list[10].Draining = true  // the third
	f.seen("edge", 2, identityService, 0).Connectivity = meshv1.Connectivity_CONNECTIVITY_FAILED
	f.members.Members[2] = &meshv1.RegistryMember{Name: "c", Problems: []string{"no answer within 1 s"}}
	return f
}

func TestText(t *testing.T) {
	for name, test := range map[string]struct {
		fleet *fleet
		style Style
	}{
		"healthy.txt":        {newFleet(), Style{}},
		"troubled.txt":       {troubled(), Style{}},
		"troubled-color.txt": {troubled(), Style{Width: 120, Color: true}},
		"troubled-100.txt":   {troubled(), Style{Width: 100}},
		"troubled-60.txt":    {troubled(), Style{Width: 60}},
		"troubled-30.txt":    {troubled(), Style{Width: 30}},
		"troubled-wide.txt":  {troubled(), Style{Wide: true}},
		"empty.txt":          {&fleet{members: &meshv1.RegistryStatus{Error: "no answer within 1 s"}}, Style{}},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, Text(test.fleet.status(), test.style)) })
	}
}

// No line is wider than the terminal, whatever that is.
func TestTextFits(t *testing.T) {
	f := troubled()
	f.seen("edge", 0, socialService, 1).Breaker.Reason = "長い理由がここに書かれています、とても長い理由です (UNAVAILABLE) 🚢🚢🚢 e\u0301e\u0301"
	f.seen("edge", 0, socialService, 1).Breaker.OpenedAgo = durationpb.New(time.Second)
	for width := 8; width < 200; width++ {
		text := Text(f.status(), Style{Width: width, Wide: true})
		for line := range strings.Lines(text) {
			if got := columns(strings.TrimSuffix(line, "\n")); got > width {
				t.Fatalf("on %d columns a line takes %d: %q", width, got, line)
			}
		}
	}
}

// What others say cannot make the terminal do anything.
func TestTextIsHarmless(t *testing.T) {
	f := newFleet()
	f.eject("edge", 0, 0, time.Second)
	f.seen("edge", 0, socialService, 0).Breaker.Reason = "\x1b[2J\x07\nowned\u202e\xff"
	f.list[0].Zone, f.list[0].Version = "\x1b]0;title\x07", "1\r2"
	f.silence("edge", 1, "\x1b[31m")
	f.members = &meshv1.RegistryStatus{Error: "\x1bc"}
	for _, wide := range []bool{false, true} {
		text := Text(f.status(), Style{Wide: wide})
		if strings.ContainsAny(text, "\x1b\x07\r\u202e") || !strings.Contains(text, "owned") {
			t.Errorf("the text is %q", text)
		}
	}
}

func TestAlignment(t *testing.T) {
	table := &table{columns: []column{{title: "NAME"}, {title: "N", right: true}, {title: "STATE"}}}
	table.add(false, []string{"x"}, "船", "1")
	table.add(false, []string{"x"}, "e\u0301", "10")
	table.add(false, []string{"x"}, "🚢🚢🚢", "100")
	s := &screen{}
	table.print(s)
	for line := range strings.Lines(s.String()) {
		at := strings.IndexAny(line, "xS")
		if got := columns(line[:at]); got != 13 {
			t.Errorf("the state begins at column %d: %q", got, line)
		}
	}
}

func TestNumbers(t *testing.T) {
	for d, want := range map[time.Duration]string{
		850 * time.Microsecond: "850µs", 1100 * time.Microsecond: "1.1ms", 19 * time.Millisecond: "19ms", 1500 * time.Millisecond: "1.5s", 0: "0.0µs",
	} {
		if got := latency(durationpb.New(d)); got != want {
			t.Errorf("latency %v: %s", d, got)
		}
	}
	for d, want := range map[time.Duration]string{12 * time.Second: "12 s", 3 * time.Minute: "3 min", 5 * time.Hour: "5 h", 72 * time.Hour: "3 days"} {
		if got := span(d); got != want {
			t.Errorf("span %v: %s", d, got)
		}
	}
	for v, want := range map[string]string{
		"1.4.2": "1.4.2", "(devel)": "(devel)", "v0.0.0-20261122180517-98d835bc9a2f+dirty": "98d835b+dirty", "v1.4.3-0.20261122180517-98d835bc9a2f": "98d835b",
	} {
		if got := shortVersion(v); got != want {
			t.Errorf("version %s: %s", v, got)
		}
	}
}
