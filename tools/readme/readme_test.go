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
