package embedded

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// bench is an authority and a folder, which etcds are started on.
type bench struct {
	*mtls.Authority
	options Options
	log     *bytes.Buffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{newAuthority(t), Options{Dir: filepath.Join(dir, "etcd"), Listen: "127.0.0.1:0"}, new(bytes.Buffer)}
	check(t, b.Part("etcd").WriteFiles(dir))
	b.options.Cert = filepath.Join(dir, "cert.pem")
	b.options.Key = filepath.Join(dir, "key.pem")
	b.options.CA = filepath.Join(dir, "ca.pem")
	b.options.Logger = slog.New(slog.NewTextHandler(b.log, nil))
	return b
}

func newAuthority(t *testing.T) *mtls.Authority {
	t.Helper()
	a, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	check(t, err)
	return a
}

// tls is the configuration of a client of that etcd.
func (b *bench) tls() *tls.Config {
	return mtls.ClientConfig(b.Part("client"), mtls.ID("etcd"))
}

// start starts an etcd, which the end of the test closes.
func (b *bench) start(t *testing.T) *Etcd {
	t.Helper()
	began := time.Now()
	e, err := StartEtcd(t.Context(), b.options)
	check(t, err)
	t.Logf("ready in %v at %s", time.Since(began), e.Address())
	t.Cleanup(func() { check(t, e.Close()) })
	return e
}

// dial connects with a certificate of the authority.
func (b *bench) dial(t *testing.T, e *Etcd) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: e.Endpoints(),
		TLS:       b.tls(),
		Logger:    zap.NewNop(),
	})
	check(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func (b *bench) put(t *testing.T, e *Etcd, key, value string) {
	t.Helper()
	_, err := b.dial(t, e).Put(timeout(t), key, value)
	check(t, err)
}

func (b *bench) get(t *testing.T, e *Etcd, key string) string {
	t.Helper()
	r, err := b.dial(t, e).Get(timeout(t), key)
	check(t, err)
	if len(r.Kvs) == 0 {
		return ""
	}
	return string(r.Kvs[0].Value)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestRestartKeepsDataAndAddress(t *testing.T) {
	b := newBench(t)
	first := b.start(t)
	b.put(t, first, "key", "kept")
	check(t, first.Close())
	check(t, first.Close())

	second := b.start(t)
	if got := b.get(t, second, "key"); got != "kept" {
		t.Errorf("after a restart key is %q", got)
	}
	if first.Address() != second.Address() {
		t.Errorf("address changed from %s to %s", first.Address(), second.Address())
	}
	if b.log.Len() > 0 {
		t.Errorf("etcd was not quiet:\n%s", b.log)
	}
}

// A process that starts and stops its etcd again and again keeps nothing of it.
func TestNothingIsLeft(t *testing.T) {
	b := newBench(t)
	files := func() int {
		open, _ := os.ReadDir("/proc/self/fd") // only Linux tells
		return len(open)
	}
	cycle := func() {
		e, err := StartEtcd(t.Context(), b.options)
		check(t, err)
		check(t, e.Close())
	}
	cycle() // what is made once and stays
	goroutines, descriptors := runtime.NumGoroutine(), files()
	for range 5 {
		cycle()
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines || files() > descriptors; <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, were %d; %d files, were %d\n%s", runtime.NumGoroutine(), goroutines, files(), descriptors, stacks[:runtime.Stack(stacks, true)])
		}
	}
	if b.log.Len() > 0 {
		t.Errorf("etcd was not quiet:\n%s", b.log)
	}
}

func TestTakenPortIsReplaced(t *testing.T) {
	b := newBench(t)
	first := b.start(t)
	check(t, first.Close())
	squatter, err := net.Listen("tcp", first.Address())
	check(t, err)
	defer squatter.Close()

	second := b.start(t)
	if first.Address() == second.Address() {
		t.Errorf("both listen on %s", first.Address())
	}
	b.put(t, second, "key", "value")
}

func TestFixedPortTaken(t *testing.T) {
	b := newBench(t)
	squatter, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer squatter.Close()

	b.options.Listen = squatter.Addr().String()
	_, err = StartEtcd(t.Context(), b.options)
	if err == nil || !strings.Contains(err.Error(), b.options.Listen) {
		t.Errorf("want an error that names %s, got %v", b.options.Listen, err)
	}
}

func TestSecondStartOnSameFolder(t *testing.T) {
	b := newBench(t)
	e := b.start(t)
	began := time.Now()
	_, err := StartEtcd(t.Context(), b.options)
	if !errors.Is(err, ErrInUse) {
		t.Fatalf("want ErrInUse, got %v", err)
	}
	t.Logf("refused in %v: %v", time.Since(began), err)
	b.put(t, e, "key", "still works")
}

func TestOnlyLoopback(t *testing.T) {
	b := newBench(t)
	for _, listen := range []string{"0.0.0.0:0", ":0", "192.0.2.1:2379", "example.com:1"} {
		b.options.Listen = listen
		if _, err := StartEtcd(t.Context(), b.options); err == nil {
			t.Errorf("listening on %q is not refused", listen)
		}
	}
}

// Close must not wait for watches and leases, which last as long as their
// clients.
func TestCloseWithOpenStreams(t *testing.T) {
	b := newBench(t)
	e := b.start(t)
	c := b.dial(t, e)
	watch := c.Watch(t.Context(), "key", clientv3.WithCreatedNotify())
	<-watch
	lease, err := c.Grant(timeout(t), 15)
	check(t, err)
	_, err = c.KeepAlive(t.Context(), lease.ID)
	check(t, err)

	began := time.Now()
	check(t, e.Close())
	t.Logf("closed in %v", time.Since(began))
}

// Strangers who connect and say nothing cannot hold up Close. Whoever has a
// certificate can, but not for long.
func TestCloseWithSilentConnections(t *testing.T) {
	b := newBench(t)
	e, err := StartEtcd(t.Context(), b.options)
	check(t, err)
	stranger, err := net.Dial("tcp", e.Address())
	check(t, err)
	defer stranger.Close()
	known, err := tls.Dial("tcp", e.Address(), b.tls())
	check(t, err)
	_, err = known.Read(make([]byte, 1)) // the server speaks first
	check(t, err)

	began := time.Now()
	err = e.Close()
	t.Logf("closed in %v: %v", time.Since(began), err)
	if err == nil {
		t.Error("Close does not say that it has not ended")
	}
	known.Close()
	<-e.closed
	check(t, e.Close())
}

func TestDamagedDataIsMovedAside(t *testing.T) {
	damages := map[string]func(t *testing.T, member string){
		"database overwritten": func(t *testing.T, member string) {
			check(t, os.WriteFile(filepath.Join(member, "snap", "db"), make([]byte, 16384), 0o600))
		},
		"database cut short": func(t *testing.T, member string) {
			check(t, os.Truncate(filepath.Join(member, "snap", "db"), 5000))
		},
		"database gone": func(t *testing.T, member string) {
			check(t, os.Remove(filepath.Join(member, "snap", "db")))
		},
		"log overwritten": func(t *testing.T, member string) {
			logs, err := filepath.Glob(filepath.Join(member, "wal", "*.wal"))
			check(t, err)
			f, err := os.OpenFile(logs[0], os.O_RDWR, 0)
			check(t, err)
			defer f.Close()
			_, err = f.WriteAt(bytes.Repeat([]byte{0xA5}, 200), 100)
			check(t, err)
		},
		"log gone": func(t *testing.T, member string) {
			check(t, os.RemoveAll(filepath.Join(member, "wal")))
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			first := b.start(t)
			b.put(t, first, "key", "value")
			check(t, first.Close())
			damage(t, filepath.Join(dataDir(b.options.Dir), "member"))

			second := b.start(t)
			if got := b.get(t, second, "key"); got != "" {
				t.Errorf("key is %q in what should be a fresh etcd", got)
			}
			if first.Address() != second.Address() {
				t.Errorf("address changed from %s to %s", first.Address(), second.Address())
			}
			if !strings.Contains(b.log.String(), "moved aside") {
				t.Errorf("no warning in the log: %s", b.log)
			}
		})
	}
}

// No web page, and nobody else on the machine, gets in: neither over plain HTTP
// nor over TLS with no certificate or one of another authority.
func TestClosedToStrangers(t *testing.T) {
	b := newBench(t)
	e := b.start(t)
	nobody := b.tls()
	nobody.GetClientCertificate = nil
	stranger := b.tls()
	stranger.GetClientCertificate = mtls.ClientConfig(newAuthority(t).Part("client"), "").GetClientCertificate
	clients := map[string]*http.Client{
		"no certificate":      {Transport: &http.Transport{TLSClientConfig: nobody, ForceAttemptHTTP2: true}},
		"another's authority": {Transport: &http.Transport{TLSClientConfig: stranger, ForceAttemptHTTP2: true}},
	}
	put := `{"key":"a2V5","value":"c3RvbGVu"}`
	for name, client := range clients {
		for _, path := range []string{"/v3/kv/put", "/v3/kv/range", "/version", "/metrics", "/debug/pprof/"} {
			if r, err := client.Do(foreign(t, "https://"+e.Address()+path, put)); err == nil {
				t.Errorf("%s: POST %s answered %s", name, path, r.Status)
			}
		}
	}
	r, err := http.DefaultClient.Do(foreign(t, "http://"+e.Address()+"/v3/kv/put", put))
	if err == nil && r.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP answered %s", r.Status)
	}
	if got := b.get(t, e, "key"); got != "" {
		t.Errorf("a stranger wrote %q", got)
	}
	if len(e.server.Peers) > 0 {
		t.Error("there is a peer listener")
	}
}

// Even a browser that holds a certificate gets no JSON API, and no page of
// another origin may read an answer.
func TestNoGatewayAndNoCORS(t *testing.T) {
	b := newBench(t)
	e := b.start(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: b.tls(), ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for path, want := range map[string]int{"/v3/kv/range": 404, "/debug/pprof/": 404, "/version": 200} {
		req := foreign(t, "https://"+e.Address()+path, "")
		req.Method = http.MethodGet
		r, err := client.Do(req)
		check(t, err)
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("GET %s answered %s, want %d", path, r.Status, want)
		}
		if allowed := r.Header.Values("Access-Control-Allow-Origin"); len(allowed) > 0 {
			t.Errorf("GET %s may be read by %q", path, allowed)
		}
	}
}

// foreign is a request as a page of another origin makes it.
func foreign(t *testing.T, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(timeout(t), http.MethodPost, url, strings.NewReader(body))
	check(t, err)
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Content-Type", "text/plain")
	return req
}
