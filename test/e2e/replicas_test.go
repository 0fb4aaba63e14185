package e2e_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// replica is a process of its own, as up.json shows it.
type replica struct {
	Name  string
	PID   int
	Probe string
}

func replicas(t *testing.T, s *harness.System) []replica {
	t.Helper()
	var up struct{ Replicas []replica }
	if err := harness.ReadJSON(s.UpFile(), &up); err != nil {
		t.Fatal(err)
	}
	return up.Replicas
}

// onlyReplica is the one there is beside the first.
func onlyReplica(t *testing.T, s *harness.System) replica {
	t.Helper()
	all := replicas(t, s)
	if len(all) != 1 || all[0].Name != "social-2" || all[0].PID == 0 || all[0].Probe == "" {
		t.Fatalf("up.json has the replicas %v", all)
	}
	return all[0]
}

// alive says whether a process exists, and is more than an entry that nobody has
// waited for.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // none but on Linux
	return syscall.Kill(pid, 0) == nil && (err != nil || !bytes.Contains(stat, []byte(") Z ")))
}

var socialCalls = regexp.MustCompile(`(?m)^rpc_server_call_duration_seconds_count\{.*SocialService.* ([0-9]+)$`)

// served counts the calls that social has answered in a process.
func served(t *testing.T, s *harness.System, probe string) (n int) {
	t.Helper()
	for _, m := range socialCalls.FindAllStringSubmatch(s.Ask(t, probe, "GET", "/metrics", "").Body, -1) {
		count, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		n += count
	}
	return n
}

// answeredByBoth waits until calls reach the replica as well as the first.
func answeredByBoth(t *testing.T, s *harness.System, p *harness.Person) {
	t.Helper()
	probes := []string{s.Probe, onlyReplica(t, s).Probe}
	var before []int
	for _, probe := range probes {
		before = append(before, served(t, s, probe))
	}
	harness.Eventually(t, "both answer", func() bool {
		p.Timeline(t)
		return served(t, s, probes[0]) > before[0] && served(t, s, probes[1]) > before[1]
	})
}

// twoLive waits until the registry holds two instances of social that can be
// reached, and no other.
func twoLive(t *testing.T, s *harness.System) {
	t.Helper()
	r := registry(t, s, certificate(t, s, "watcher"))
	harness.Eventually(t, "two instances of social are registered", func() bool {
		list := instances(t, r, socialService)
		for _, i := range list {
			conn, err := net.Dial("tcp", i.Address)
			if err != nil {
				return false
			}
			conn.Close()
		}
		return len(list) == 2 && list[0].Address != list[1].Address
	})
}

func TestReplicas(t *testing.T) {
	s := harness.Up(t, "--replicas", "social=2")
	ada := s.SignIn(t)
	if !regexp.MustCompile(`(?m)^  social +2 replicas `).MatchString(s.Output()) {
		t.Errorf("the output is:\n%s", s.Output())
	}
	answeredByBoth(t, s, ada)
	twoLive(t, s)

	// One page after the other, whichever replica answers.
	var posts []harness.Post
	for i := range 6 {
		posts = append([]harness.Post{ada.Post(t, fmt.Sprint("post ", i))}, posts...)
	}
	var got []harness.Post
	for token := ""; len(got) < len(posts); {
		page := ada.Posts(t, "pageSize", "1", "pageToken", token)
		got, token = append(got, page.Posts...), page.NextPageToken
	}
	if !slices.Equal(got, posts) {
		t.Errorf("the posts are %v, want %v", got, posts)
	}

	// Ctrl-C reaches all processes of the terminal.
	pid, began := onlyReplica(t, s).PID, time.Now()
	syscall.Kill(-s.Process.PID, syscall.SIGINT)
	if code := s.Exit(t); code != 0 {
		t.Errorf("it has ended with %d", code)
	}
	if alive(pid) {
		t.Errorf("process %d is left", pid)
	}
	t.Logf("stopped in %v", time.Since(began).Round(time.Millisecond))
	if left, err := filepath.Glob(filepath.Join(s.Dir, "replicas", "*")); err != nil || len(left) > 0 {
		t.Errorf("the state of replicas is left: %v %v", left, err)
	}
}

// A replica that is killed comes back, and nobody has to wait for it: calls that
// may be repeated go on, which phones do by themselves.
func TestReplicaIsKilled(t *testing.T) {
	s := harness.Up(t, "--replicas", "social=2")
	ada := s.SignIn(t)
	answeredByBoth(t, s, ada)
	for round := range 3 {
		old, failed, calls := onlyReplica(t, s), 0, 0
		if err := syscall.Kill(old.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		killed := time.Now()
		harness.Eventually(t, "it is back", func() bool {
			calls++
			if r := ada.Do(t, "GET", "/v1/users/me/timeline", ""); r.Status != 200 {
				failed++
			}
			now := replicas(t, s)
			return len(now) == 1 && now[0].PID != old.PID && now[0].Probe != ""
		})
		t.Logf("back after %v; of %d calls meanwhile %d failed", time.Since(killed).Round(time.Millisecond), calls, failed)
		if failed > 1 {
			t.Errorf("%d calls failed", failed)
		}
		if alive(old.PID) {
			t.Errorf("process %d is left", old.PID)
		}
		twoLive(t, s)
		answeredByBoth(t, s, ada)
		detail := ""
		for _, p := range s.Status(t).Parts {
			if p.Name == "social-2" && p.State == "ready" {
				detail = p.Detail
			}
		}
		if want := fmt.Sprintf("%d restart", round+1); !strings.Contains(detail, want) {
			t.Errorf("the console says %q, want %q in it", detail, want)
		}
	}
	if !strings.Contains(s.Output(), "replica=social-2") {
		t.Errorf("the log does not tell of it:\n%s", s.Output())
	}
}

// When the whole is killed, no replica stays; and when it is started again at
// once, nothing of before is in the way.
func TestKillLeavesNoReplica(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := harness.UpIn(t, dir, "--replicas", "social=2")
	ada := s.SignIn(t)
	post := ada.Post(t, "before")
	for range 2 {
		pid, killed := onlyReplica(t, s).PID, time.Now()
		s.Signal(syscall.SIGKILL)
		s.Exit(t)
		s = harness.UpIn(t, dir, "--replicas", "social=2")
		t.Logf("ready %v after the kill", time.Since(killed).Round(time.Millisecond))
		ada = s.As(ada.Session)
		if got := ada.Posts(t); !slices.Equal(got.Posts, []harness.Post{post}) {
			t.Errorf("the posts are %v, want %v", got.Posts, post)
		}
		answeredByBoth(t, s, ada)
		harness.Eventually(t, "the orphan has ended", func() bool { return !alive(pid) })
		if took := time.Since(killed); took > 5*time.Second {
			t.Errorf("process %d was there for %v", pid, took)
		}
		twoLive(t, s)
	}
	pid, killed := onlyReplica(t, s).PID, time.Now()
	s.Signal(syscall.SIGKILL)
	s.Exit(t)
	harness.Eventually(t, "the orphan has ended", func() bool { return !alive(pid) })
	if took := time.Since(killed); took > 5*time.Second {
		t.Errorf("process %d was there for %v", pid, took)
	}
}

// Without replicas, nothing is left in the registry of those that were killed.
func TestFewerReplicasAfterAKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := harness.UpIn(t, dir, "--replicas", "social=3,identity=2")
	if n := len(replicas(t, s)); n != 3 {
		t.Errorf("there are %d replicas", n)
	}
	s.Kill()
	s = harness.UpIn(t, dir)
	socialWorks(t, s)
	onlyLiving(t, s)
}

func TestWrongReplicas(t *testing.T) {
	for given, want := range map[string]string{
		"social=0":          "between 1 and 16",
		"social=-1":         "between 1 and 16",
		"social=17":         "between 1 and 16",
		"social=two":        "between 1 and 16",
		"social":            "social=2",
		"nobody=2":          "identity, social",
		"social=2,social=3": "twice",
		"edge=2":            "fairlead serve edge",
	} {
		dir := filepath.Join(t.TempDir(), "data")
		message := failedUp(t, harness.UpArgs(dir, "--replicas", given))
		if !strings.Contains(message, "--replicas") || !strings.Contains(message, want) {
			t.Errorf("%s: the message is:\n%s", given, message)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: something was started", given)
		}
	}
}
