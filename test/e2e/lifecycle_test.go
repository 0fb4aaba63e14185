package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/test/harness"
)

// What a newcomer sees.
func TestUpSaysWhatItDoes(t *testing.T) {
	s := harness.Up(t)
	harness.Eventually(t, "it says how to begin", func() bool { return strings.Contains(s.Output(), "try this") })
	for _, want := range []string{"etcd", "identity", "social", "edge", "operator", "ready in", s.Public, s.OperatorLink} {
		if !strings.Contains(s.Output(), want) {
			t.Errorf("the output does not mention %q:\n%s", want, s.Output())
		}
	}
	if r := s.Ask(t, s.Probe, "GET", "/readyz", ""); r.Status != 200 {
		t.Errorf("/readyz: %d %s", r.Status, r.Body)
	}
}

// half is a request of which the server has the head and waits for the body.
type half struct {
	conn net.Conn
	in   *bufio.Reader
	body string
}

// beginPost sends the head of a post and waits until the server asks for the rest.
func beginPost(t *testing.T, s *harness.System, p *harness.Person, text string) half {
	t.Helper()
	conn, err := net.Dial("tcp", s.Public)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(harness.Patience))
	h := half{conn, bufio.NewReader(conn), fmt.Sprintf(`{"text":%q}`, text)}
	fmt.Fprintf(conn, "POST /v1/users/me/posts HTTP/1.1\r\nHost: %s\r\n%s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", s.Public, p.Authorization(), len(h.body))
	line, err := h.in.ReadString('\n')
	if err != nil || !strings.Contains(line, "100") {
		t.Fatalf("the server does not ask for the body: %q %v", line, err)
	}
	if _, err := h.in.ReadString('\n'); err != nil { // the empty line
		t.Fatal(err)
	}
	return h
}

// finish sends the body and returns the answer.
func (h half) finish(t *testing.T) harness.Response {
	t.Helper()
	if _, err := io.WriteString(h.conn, h.body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(h.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return harness.Response{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
}

// Ctrl-C lets what has begun come to its end.
func TestCtrlCDrains(t *testing.T) {
	s := harness.Up(t)
	p := s.SignIn(t)
	h := beginPost(t, s, p, "finished while it drained")
	s.Signal(syscall.SIGINT)
	harness.Eventually(t, "it drains", func() bool {
		r, err := s.TryAsk(t, s.Probe, "GET", "/readyz", "")
		return err == nil && r.Status == 503 && strings.HasPrefix(r.Body, "draining") || !s.Running()
	})
	harness.Eventually(t, "the public port takes no more connections", func() bool {
		conn, err := net.Dial("tcp", s.Public)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if !s.Running() {
		t.Fatal("it has ended before the request")
	}
	var got struct{ Post harness.Post }
	h.finish(t).JSON(t, &got)
	if got.Post.Text != "finished while it drained" {
		t.Errorf("the post is %v", got.Post)
	}
	answered := time.Now()
	if code := s.Exit(t); code != 0 {
		t.Errorf("it has ended with %d", code)
	}
	t.Logf("ended %v after the last answer", time.Since(answered).Round(time.Millisecond))
	if _, err := os.Stat(s.UpFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("up.json is still there: %v", err)
	}
}

// A balancer that has not heard yet that the edge drains still gets answers.
func TestDrainDelay(t *testing.T) {
	s := harness.Up(t, "--edge-drain-delay", "2s")
	s.Signal(syscall.SIGTERM)
	harness.Eventually(t, "it drains", func() bool {
		r, err := s.TryAsk(t, s.Probe, "GET", "/readyz", "")
		return err == nil && r.Status == 503
	})
	conn, err := net.Dial("tcp", s.Public) // a new connection
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(harness.Patience))
	fmt.Fprintf(conn, "POST /v1/sessions:signInAnonymous HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", s.Public)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("while it drained: %v %v", resp, err)
	}
	if code := s.Exit(t); code != 0 {
		t.Errorf("it has ended with %d", code)
	}
}

// failedUp runs "fairlead up" where it must fail, and returns what it says.
func failedUp(t *testing.T, args []string) string {
	t.Helper()
	p := harness.Start(t, harness.Build(t, "cmd/fairlead"), nil, args...)
	if code := p.Exit(t); code <= 0 {
		t.Errorf("it has ended with %d", code)
	}
	if strings.Contains(p.Output(), "goroutine ") || strings.Contains(p.Output(), "Usage:") {
		t.Errorf("the message is not plain:\n%s", p.Output())
	}
	return p.Output()
}

func TestSecondUpOnOneFolder(t *testing.T) {
	s := harness.Up(t)
	message := failedUp(t, harness.UpArgs(s.Dir))
	if !strings.Contains(message, "another") || !strings.Contains(message, s.Dir) || !strings.Contains(message, "--data") {
		t.Errorf("the message is:\n%s", message)
	}
	var up harness.Addresses
	if err := harness.ReadJSON(s.UpFile(), &up); err != nil || up != s.Addresses {
		t.Errorf("up.json says %+v: %v", up, err)
	}
	socialWorks(t, s)
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, flag := range []string{"--listen", "--probe", "--operator"} {
		t.Run(flag, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			args := harness.UpArgs(dir)
			args[slices.Index(args, flag)+1] = l.Addr().String()
			message := failedUp(t, args)
			if !strings.Contains(message, flag) || !strings.Contains(message, l.Addr().String()) {
				t.Errorf("the message is:\n%s", message)
			}
			if _, err := os.Stat(filepath.Join(dir, "up.json")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("up.json is there: %v", err)
			}
		})
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := harness.UpIn(t, dir)
	ada, bob := first.SignIn(t), first.SignIn(t)
	bob.Follow(t, ada)
	post := ada.Post(t, "before", keyHeader+"k1")
	page := ada.Posts(t)
	token := first.OperatorToken(t)
	first.Stop(t)

	second := harness.UpIn(t, dir)
	ada, bob = second.As(ada.Session), second.As(bob.Session)
	if got := bob.Timeline(t); !slices.Equal(got.Posts, page.Posts) {
		t.Errorf("the timeline holds %v, want %v", got.Posts, page.Posts)
	}
	if again := ada.Post(t, "before", keyHeader+"k1"); again != post {
		t.Errorf("the key was forgotten: %v", again)
	}
	second.Do(t, "POST", "/v1/sessions:refresh", fmt.Sprintf(`{"refreshToken":%q}`, ada.RefreshToken)).JSON(t, new(harness.Session))
	if got := second.OperatorToken(t); got != token {
		t.Error("the operator's link is another one")
	}
}

// After kill -9 nothing is lost that was answered, and nothing dead is called: the
// first call after it is ready works, though the registry still holds the
// instances of before.
func TestRestartAfterKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := harness.UpIn(t, dir)
	ada, bob := s.SignIn(t), s.SignIn(t)
	var posts []harness.Post
	for i := range 3 {
		posts = append([]harness.Post{ada.Post(t, fmt.Sprint("round ", i))}, posts...)
		s.Kill()
		started := time.Now()
		s = harness.UpIn(t, dir)
		t.Logf("ready %v after the start", time.Since(started).Round(time.Millisecond))
		ada, bob = s.As(ada.Session), s.As(bob.Session)
		bob.Follow(t, ada) // edge to social to identity
		if got := bob.Timeline(t); !slices.Equal(got.Posts, posts) {
			t.Errorf("the timeline holds %v, want %v", got.Posts, posts)
		}
		socialWorks(t, s)
		onlyLiving(t, s)
	}
}

// onlyLiving checks that each instance in the registry can be connected to.
func onlyLiving(t *testing.T, s *harness.System) {
	t.Helper()
	r := registry(t, s, certificate(t, s, "watcher"))
	list := instances(t, r, "")
	if len(list) < 2 {
		t.Errorf("the registry holds %v", list)
	}
	seen := map[string]bool{}
	for _, i := range list {
		conn, err := net.Dial("tcp", i.Address)
		if err != nil {
			t.Errorf("%s: %v", i.Service, err)
			continue
		}
		conn.Close()
		name := i.Service + " of " + i.Identity // some services every part has
		if seen[name] {
			t.Errorf("%s is registered twice", name)
		}
		seen[name] = true
	}
}
