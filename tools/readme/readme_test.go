package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func document(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "README.md")
	// Fences cannot stand in a raw string.
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, "'''", "```")), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCheckRunsMarkedBlocksInOneShell(t *testing.T) {
	name := document(t, `# Title
<!-- ci: start until "ready" -->
'''sh
echo get
echo ready; sleep 60
'''
'''sh
exit 1 # not marked
'''
<!-- ci: run -->
'''sh
who=ada
'''
<!-- ci: run expect "hello ada" -->
'''sh
echo "hello $who" >&2
'''
`)
	if n, err := check(t.Context(), name); n != 3 || err != nil {
		t.Errorf("check = %d, %v, want 3 blocks", n, err)
	}
}

func TestCheckFailsAtTheLineOfTheBlock(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a command fails", "<!-- ci: run -->\n'''sh\nfalse\ntrue\n'''\n", ":3: exit status 1"},
		{"a pipe fails", "<!-- ci: run -->\n'''sh\nfalse | cat\n'''\n", ":3: exit status 1"},
		{"a later block fails", "<!-- ci: run -->\n'''sh\ntrue\n'''\n<!-- ci: run -->\n'''sh\nexit 4\n'''\n", ":7: exit status 4"},
		{"other output", "<!-- ci: run expect \"yes\" -->\n'''sh\necho no\n'''\n", `:3: the block did not print "yes"`},
		{"never ready", "<!-- ci: start until \"ready\" -->\n'''sh\necho broken\n'''\n", `:3: ended before it printed "ready"`},
		{"unknown mark", "\n<!-- ci: walk -->\n'''sh\n'''\n", ":2: a mark is"},
		{"expects nothing", "<!-- ci: run expect -->\n'''sh\n'''\n", ":1: a mark is"},
		{"mark without block", "<!-- ci: run -->\n\n'''sh\ntrue\n'''\n", ":1: no ```sh block"},
		{"the shell ends", "<!-- ci: run -->\n'''sh\nexit 0\n'''\n<!-- ci: run -->\n'''sh\ntrue\n'''\n", ":3: the block has ended the shell"},
		{"file without block", "<!-- ci: file x.go -->\ntext\n", ":1: no ```sh block"},
		{"file that is there", "<!-- ci: file /dev/null -->\n'''go\n'''\n", ":3: /dev/null is there already"},
		{"block without end", "<!-- ci: run -->\n'''sh\ntrue\n", ":1: no ```sh block"},
		{"nothing marked", "'''sh\ntrue\n'''\n", "no block is marked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := check(t.Context(), document(t, c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestWhatWasStartedEnds(t *testing.T) {
	name := document(t, `<!-- ci: start until "pid" -->
'''sh
trap 'echo bye >bye; exit 0' INT
cd "$(dirname "$DOCUMENT")"
echo pid
while :; do sleep 0.05; done
'''
`)
	t.Setenv("DOCUMENT", name)
	if _, err := check(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(name), "bye")); err != nil {
		t.Errorf("the started block was not interrupted: %v", err)
	}
}

// What is done comes in the order of the document: a file is there for what is
// started after it, and that for what is run after it.
func TestCheckKeepsTheOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "deep")
	name := document(t, `<!-- ci: run -->
'''sh
test ! -e DIR/greeting
'''
<!-- ci: file DIR/greeting -->
'''txt
hello
  ada
'''
<!-- ci: start until "  ada" -->
'''sh
cat DIR/greeting | tee DIR/copy; sleep 60
'''
<!-- ci: run expect "hello" -->
'''sh
cat DIR/copy
rm DIR/copy
'''
`)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(text), "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := check(t.Context(), name); n != 4 || err != nil {
		t.Errorf("check = %d, %v, want 4 blocks", n, err)
	}
	if exists(filepath.Dir(dir)) {
		t.Error("what was written stays")
	}
}

// What takes a moment is tried again, from anew.
func TestCheckRunsUntil(t *testing.T) {
	name := document(t, `<!-- ci: run -->
'''sh
n=0
'''
<!-- ci: run until "it's 3" -->
'''sh
n=$((n + 1))
echo "it's $n"
'''
<!-- ci: run expect "4" -->
'''sh
echo $((n + 1))
'''
`)
	if n, err := check(t.Context(), name); n != 3 || err != nil {
		t.Errorf("check = %d, %v, want 3 blocks", n, err)
	}
}

// The program that newcomers paste stays as short as the README says.
func TestPkgReadmeIsShort(t *testing.T) {
	text, err := os.ReadFile("../../pkg/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, b := range blocks {
		if strings.HasSuffix(b.name, ".go") {
			lines += 1 + strings.Count(b.text, "\n")
		}
	}
	if lines == 0 || lines >= 40 {
		t.Errorf("a service and its client have %d lines, want less than 40", lines)
	}
}
