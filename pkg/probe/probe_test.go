package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

func newProbe() *Probe {
	return New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "up 1\n")
	}))
}

func do(p *Probe, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func expectReady(t *testing.T, p *Probe, code int, body string) {
	t.Helper()
	w := do(p, "GET", "/readyz")
	if w.Code != code || w.Body.String() != body {
		t.Errorf("ready: %d %q, want %d %q", w.Code, w.Body, code, body)
	}
}

func ready(context.Context) error { return nil }

func TestLifeOfAProcess(t *testing.T) {
	p := newProbe()
	expectReady(t, p, 503, "starting\n")

	failure := errors.New("dial postgres://secret@db: connection refused")
	p.Register("edge", ready)
	p.Register("social", func(context.Context) error { return failure })
	expectReady(t, p, 503, "starting\nedge ready\nsocial not ready\n")

	p.Started()
	expectReady(t, p, 503, "not ready\nedge ready\nsocial not ready\n")

	failure = nil
	expectReady(t, p, 200, "ready\nedge ready\nsocial ready\n")

	p.Drain()
	expectReady(t, p, 503, "draining\nedge ready\nsocial ready\n")
	p.Started()
	expectReady(t, p, 503, "draining\nedge ready\nsocial ready\n")

	if w := do(p, "GET", "/healthz"); w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("health while draining: %d %q", w.Code, w.Body)
	}
}

func TestCheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProbe()
		release := make(chan struct{})
		defer close(release)
		p.Register("edge", ready)
		p.Register("deaf", func(context.Context) error { <-release; return nil })
		p.Started()
		expectReady(t, p, 503, "not ready\nedge ready\ndeaf not ready\n")
	})
}

func TestSurface(t *testing.T) {
	p := newProbe()
	p.Started()
	for _, c := range []struct {
		method, path string
		code         int
	}{
		{"GET", "/healthz", 200},
		{"HEAD", "/healthz", 200},
		{"GET", "/readyz", 200},
		{"GET", "/metrics", 200},
		{"GET", "/", 404},
		{"GET", "/healthz/", 404},
		{"GET", "/metrics/../healthz", 404},
		{"GET", "/debug/pprof/", 404},
		{"POST", "/debug/pprof/", 404},
		{"POST", "/metrics", 405},
		{"DELETE", "/readyz", 405},
		{"OPTIONS", "/healthz", 405},
	} {
		w := do(p, c.method, c.path)
		if w.Code != c.code {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, w.Code, c.code)
		}
		if allow := w.Header().Get("Allow"); (c.code == 405) != (allow == "GET, HEAD") {
			t.Errorf("%s %s: Allow is %q", c.method, c.path, allow)
		}
	}
	if w := do(p, "GET", "/metrics"); w.Body.String() != "up 1\n" {
		t.Errorf("metrics: %q", w.Body)
	}
}

func TestServeAndClose(t *testing.T) {
	p := newProbe()
	p.Started()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(l) }()

	url := "http://" + l.Addr().String() + "/readyz"
	head, err := http.Head(url)
	if err != nil {
		t.Fatal(err)
	}
	head.Body.Close()
	if head.StatusCode != 200 {
		t.Errorf("HEAD answered %s", head.Status)
	}
	large, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	large.Header.Set("X-Large", strings.Repeat("x", 32<<10))
	answer, err := http.DefaultClient.Do(large)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 32 KiB: %s", answer.Status)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("serve returned %v", err)
	}
}
