package k8s_test

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// stage is one FROM of the Dockerfile with what follows it.
type stage struct {
	name  string
	lines []string // instructions, with continued lines joined
}

func stages(t *testing.T) []stage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	comment := regexp.MustCompile(`(?m)^\s*#.*\n`)
	joined := strings.ReplaceAll(comment.ReplaceAllString(string(text), ""), "\\\n", " ")
	from := regexp.MustCompile(`(?i)^FROM\s.*\bAS\s+(\S+)$`)
	var all []stage
	for line := range strings.Lines(joined) {
		line = strings.TrimSpace(line)
		if m := from.FindStringSubmatch(line); m != nil {
			all = append(all, stage{name: m[1]})
		}
		if line != "" && len(all) > 0 {
			last := &all[len(all)-1]
			last.lines = append(last.lines, line)
		}
	}
	return all
}

// arguments returns what follows an instruction, each time that it is there.
func (s stage) arguments(instruction string) []string {
	var all []string
	for _, line := range s.lines {
		if rest, ok := strings.CutPrefix(line, instruction+" "); ok {
			all = append(all, rest)
		}
	}
	return all
}

// buildContext copies what docker build would be sent, but for .git: with it Go
// would ask git, which need not trust the copy.
func buildContext(t *testing.T) string {
	t.Helper()
	ignored := []string{".git"}
	text, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.ContainsAny(line, "*?!") && !strings.HasPrefix(line, "#") {
			t.Fatalf(".dockerignore: this test does not know patterns: %s", line)
		}
		ignored = append(ignored, strings.TrimPrefix(line, "/"))
	}
	dir := t.TempDir()
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		switch {
		case err != nil:
			return err
		case slices.Contains(ignored, filepath.ToSlash(name)) && d.IsDir():
			return fs.SkipDir
		case slices.Contains(ignored, filepath.ToSlash(name)):
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, name), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// build runs the commands of the Dockerfile's first stage, word for word, in a
// copy of the repository, and returns the folder.
func build(t *testing.T) string {
	t.Helper()
	first, dir := stages(t)[0], buildContext(t)
	environment := os.Environ()
	for _, pairs := range first.arguments("ENV") {
		environment = append(environment, strings.Fields(pairs)...)
	}
	for _, command := range first.arguments("RUN") {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir, cmd.Env = dir, environment
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("RUN %s: %v\n%s", command, err, out)
		}
	}
	return dir
}

// The modules are downloaded before the rest is copied: their files must do.
func TestModuleFilesComeFirst(t *testing.T) {
	dir := buildContext(t)
	var copied []string
	for _, line := range stages(t)[0].lines {
		if strings.HasPrefix(line, "RUN go mod download") {
			break
		}
		if from, ok := strings.CutPrefix(line, "COPY "); ok {
			fields := strings.Fields(from)
			copied = append(copied, fields[:len(fields)-1]...)
		}
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"go.mod", "go.sum"}
	for _, m := range regexp.MustCompile(`(?m)^replace .* => \./(.*)$`).FindAllSubmatch(mod, -1) {
		want = append(want, path.Join(string(m[1]), "go.mod"), path.Join(string(m[1]), "go.sum"))
	}
	if !slices.Equal(copied, want) {
		t.Errorf("copied %q before the download, want %q", copied, want)
	}
}

func TestGoOfTheImageIsNewEnough(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if from := stages(t)[0].lines[0]; !bytes.Contains([]byte(from), append([]byte("golang:"), version[1]...)) {
		t.Errorf("go.mod wants %s, the image is %s", version[1], from)
	}
}

// Every final stage is nothing but a program that nobody runs as root.
func TestFinalStagesAreSmall(t *testing.T) {
	all := stages(t)
	base := all[1]
	if base.lines[0] != "FROM scratch AS base" || !slices.Equal(base.arguments("USER"), []string{"65532:65532"}) {
		t.Errorf("the base is %q", base.lines)
	}
	for i, name := range []string{"edge", "fairlead"} {
		s := all[i+2]
		copied, started := s.arguments("COPY"), s.arguments("ENTRYPOINT")
		if s.name != name || s.lines[0] != "FROM base AS "+name ||
			!slices.Equal(copied, []string{"--from=build /src/bin/" + name + " /" + name}) ||
			!slices.Equal(started, []string{`["/` + name + `"]`}) {
			t.Errorf("stage %s: %q", s.name, s.lines)
		}
	}
}

// All that needs the programs of the image shares one build.
func TestImage(t *testing.T) {
	bin := filepath.Join(build(t), "bin")
	for _, name := range []string{"edge", "fairlead"} {
		t.Run(name, func(t *testing.T) { checkProgram(t, filepath.Join(bin, name)) })
	}
	t.Run("edge without databases", func(t *testing.T) { checkEdge(t, filepath.Join(bin, "edge")) })
	t.Run("pods start it", func(t *testing.T) { runPods(t, bin) })
}

// checkProgram wants a static program: there is no linker in the image.
func checkProgram(t *testing.T, program string) {
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it needs a linker: %v", p.Type)
		}
	}
	cmd := exec.Command(program, "--help")
	cmd.Env = []string{} // as empty as the image
	if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
		t.Errorf("--help: %v\n%s", err, out)
	}
}

// checkEdge looks for the modules of what the internet-facing program must not
// hold.
func checkEdge(t *testing.T, program string) {
	out, err := exec.Command("go", "version", "-m", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"github.com/jackc/pgx", "modernc.org/sqlite", "go.etcd.io/etcd/server"} {
		if bytes.Contains(out, []byte(module)) {
			t.Errorf("it holds %s", module)
		}
	}
}
