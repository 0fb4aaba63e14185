package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/test/harness"
)

// runStatus runs "fairlead status" as an operator does, with variables and flags, and
// returns what it printed and its exit code.
func runStatus(t *testing.T, env []string, args ...string) (out, said string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, harness.Build(t, "cmd/fairlead"), append([]string{"status"}, args...)...)
	cmd.Dir, cmd.Env = t.TempDir(), env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	} else if ok {
		code = exit.ExitCode()
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("it has left %v behind (%v)", left, err)
	}
	return stdout.String(), stderr.String(), code
}

// statusOf runs it for a system.
func statusOf(t *testing.T, s *harness.System, args ...string) (out string, code int) {
	t.Helper()
	out, said, code := runStatus(t, nil, append(args, "--data", s.Dir)...)
	if code == 0 && said != "" {
		t.Errorf("it has complained: %s", said)
	}
	return out, code
}

// has says whether a text has all these patterns.
func has(text string, patterns ...string) bool {
	for _, p := range patterns {
		if !regexp.MustCompile(`(?m)` + p).MatchString(text) {
			return false
		}
	}
	return true
}

func TestStatus(t *testing.T) {
	s := harness.Up(t, "--replicas", "social=2")
	ada := s.SignIn(t)
	answeredByBoth(t, s, ada)
	var out string
	var code int
	harness.Eventually(t, "all is well", func() bool {
		out, code = statusOf(t, s, "--check")
		return code == 0
	})
	if !has(out, `^SERVICE +REPLICAS .* STATE$`, `^edge +1/1 .* ok$`, `^identity +1/1 .* ok$`, `^social +2/2 .*[0-9.]+ +0.00 +\S+s +\S+s +ok$`,
		`^edge → social +1 client$`, `^etcd +1/1 members, leader `) {
		t.Errorf("it has printed\n%s", out)
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("it colours what is no terminal: %q", out)
	}
	out, _ = statusOf(t, s, "--wide")
	if !has(out, `^CLIENT +INSTANCE .* SEEN AS$`, `^edge-\w+ +social-\w+ +127.0.0.1:\d+ .* ready$`, `^edge-\w+ +fairlead.social.v1.SocialService `, `^INSTANCE +ADDRESS .* ID$`) {
		t.Errorf("wide, it has printed\n%s", out)
	}
	out, _ = statusOf(t, s, "--json")
	var got struct {
		Ok       bool
		Services []struct {
			Name, Service     string
			Usable            int
			RequestsPerSecond float64
			P99               string
		}
		Parts []struct{ Part, Instance, Error string }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Services) != 3 || len(got.Parts) != 4 || !got.Ok {
		t.Fatalf("as JSON: %s", out)
	}
	if social := got.Services[2]; social.Name != "social" || social.Service != socialService || social.Usable != 2 || social.RequestsPerSecond == 0 || social.P99 == "" {
		t.Errorf("as JSON: %+v", social)
	}
}

// A replica that hangs is shown as such, and the exit code says it too.
func TestStatusOfAHangingReplica(t *testing.T) {
	s := harness.Up(t, "--replicas", "social=2")
	answeredByBoth(t, s, s.SignIn(t))
	pid := onlyReplica(t, s).PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	out, said, code := runStatus(t, nil, "--check", "--data", s.Dir)
	if code != 1 || !has(out, `^social +1/2 .*social-\w+ does not answer: no answer within 1 s$`) || !strings.Contains(said, "does not answer") {
		t.Errorf("it has ended with %d and printed\n%s%s", code, out, said)
	}
	if _, code = statusOf(t, s); code != 0 {
		t.Errorf("without --check it has ended with %d", code)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "all is well again", func() bool {
		_, code := statusOf(t, s, "--check")
		return code == 0
	})
}

// A replica that fails is left out by the edge, and the operator reads since when
// and why.
func TestStatusOfAnEjectedReplica(t *testing.T) {
	s := harness.Up(t, "--replicas", "social=2", "--mesh-faults")
	ada := s.SignIn(t)
	answeredByBoth(t, s, ada)
	list := instances(t, registry(t, s, certificate(t, s, "watcher")), socialService)
	file := filepath.Join(t.TempDir(), "live.json")
	rule := `{"faults": [{"instance": "` + list[1].ID + `", "percent": 100, "abort": "UNAVAILABLE"}]}`
	if err := os.WriteFile(file, []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	live := exec.CommandContext(t.Context(), harness.Build(t, "cmd/fairlead"), "live", "set", "--data", s.Dir, socialService, file)
	if out, err := live.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var out string
	var code int
	harness.Eventually(t, "it is left out", func() bool {
		for range 50 {
			ada.Timeline(t) // none fails: the other replica answers
		}
		out, _, code = runStatus(t, nil, "--check", "--data", s.Dir)
		return code == 1
	})
	if !has(out, `^social +1/2 .*social-\w+ ejected \d+ s ago: .*Unavailable.*, (retry|being tried)`) {
		t.Errorf("it has printed\n%s", out)
	}
}

// An operator with a certificate of his own needs nothing but variables; one with
// the certificate of a service learns nothing.
func TestStatusWithACertificate(t *testing.T) {
	s := harness.Shared(t)
	authority, err := mtls.OpenAuthority(filepath.Join(s.Dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]string{"operator": `^social +1/1 .* ok$`, "social": `^ +social-\w+ does not answer: PermissionDenied`} {
		certs := t.TempDir()
		if err := authority.Part(part).WriteFiles(certs); err != nil {
			t.Fatal(err)
		}
		out, said, code := runStatus(t, []string{
			"FAIRLEAD_MESH_ETCD=https://" + s.Etcd, "FAIRLEAD_MESH_CERT=" + filepath.Join(certs, "cert.pem"),
			"FAIRLEAD_MESH_KEY=" + filepath.Join(certs, "key.pem"), "FAIRLEAD_MESH_CA=" + filepath.Join(certs, "ca.pem"),
		})
		if code != 0 || !has(out, want) {
			t.Errorf("as %s it has ended with %d and printed\n%s%s", part, code, out, said)
		}
	}
}

func TestStatusIsWatched(t *testing.T) {
	s := harness.Shared(t)
	cmd := exec.CommandContext(t.Context(), harness.Build(t, "cmd/fairlead"), "status", "--watch", "--json", "--data", s.Dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for range 2 {
		line, err := lines.ReadBytes('\n')
		if err != nil || !json.Valid(line) {
			t.Fatalf("a line is %q, %v", line, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
}

func TestStatusOfNothing(t *testing.T) {
	empty := t.TempDir()
	if _, said, code := runStatus(t, nil, "--data", empty); code != 1 || !strings.Contains(said, "fairlead up") {
		t.Errorf("in an empty folder it has ended with %d: %s", code, said)
	}
	if _, said, code := runStatus(t, nil, "--watch", "--check"); code != 1 || !strings.Contains(said, "choose one") {
		t.Errorf("it has ended with %d: %s", code, said)
	}
	s := harness.Up(t)
	s.Stop(t)
	if _, said, code := runStatus(t, nil, "--data", s.Dir); code != 1 || !strings.Contains(said, "is etcd running") {
		t.Errorf("without etcd it has ended with %d: %s", code, said)
	}
}
