package etcd_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/live/livetest"
)

const liveKey = "/fairlead/live/" + service

// TestLiveStore gives each test a prefix of its own in one etcd.
func TestLiveStore(t *testing.T) {
	s, n := startServer(t), 0
	livetest.Run(t, func(t *testing.T) livetest.Store {
		n++
		o := options(s)
		o.Prefix = fmt.Sprintf("test-%d", n)
		return open(t, o).Live()
	})
}

// A document that another program writes badly is refused with one line, through
// all the lists that follow, and deleting it brings the defaults back.
func TestLiveRefusesWhatOthersWrite(t *testing.T) {
	s := startServer(t)
	etcdctl, log := s.client(t), new(lines)
	w := live.NewWatcher(live.Options{Source: open(t, options(s)).Live(), Logger: slog.New(slog.NewTextHandler(log, nil))})
	versions := watchVersions(t, w)
	want(t, versions, 0)
	for _, step := range []struct {
		value   string
		version int64
	}{{string(livetest.Text(1, 5)), 1}, {`{"version":2,"split":{"v1":101}}`, -1}, {"", -1}, {string(livetest.Text(3, 5)), 3}} {
		if _, err := etcdctl.Put(t.Context(), liveKey, step.value); err != nil {
			t.Fatal(err)
		}
		if step.version < 0 {
			log.want(t, "refused")
			continue
		}
		want(t, versions, step.version)
	}
	if _, err := etcdctl.Delete(t.Context(), liveKey); err != nil {
		t.Fatal(err)
	}
	want(t, versions, 0)
	if text := log.String(); strings.Count(text, "refused") != 2 || strings.Count(text, "split.v1") != 1 {
		t.Errorf("logged %s", text)
	}
}

// The cable is cut, the document is written, and etcd forgets what it had to tell.
func TestLiveSurvivesCompactionInAPartition(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.url.Host)
	o := options(s)
	o.Endpoints = []string{"http://" + p.address()}
	versions := watchVersions(t, live.NewWatcher(live.Options{Source: open(t, o).Live(), Logger: o.Logger}))
	want(t, versions, 0)
	etcdctl := s.client(t)
	put := func(version int64) int64 {
		done, err := etcdctl.Put(t.Context(), liveKey, string(livetest.Text(version, 5)))
		if err != nil {
			t.Fatal(err)
		}
		return done.Header.Revision
	}
	put(1)
	want(t, versions, 1)
	p.cut()
	put(2)
	if _, err := etcdctl.Compact(t.Context(), put(3), clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	select {
	case v := <-versions:
		t.Fatalf("version %d came through a cable that is cut", v)
	case <-time.After(200 * time.Millisecond):
	}
	p.heal()
	want(t, versions, 3)
	put(4)
	want(t, versions, 4)
}

// When etcd stops, the last good document stays; when it is back, the watch is.
func TestLiveOutlivesEtcd(t *testing.T) {
	s := startServer(t)
	store := open(t, options(s)).Live()
	versions := watchVersions(t, live.NewWatcher(live.Options{Source: store, Logger: slog.New(slog.DiscardHandler)}))
	if err := store.Put(t.Context(), live.Document{Service: service, Value: livetest.Text(1, 5)}); err != nil {
		t.Fatal(err)
	}
	want(t, versions, 1)
	s.stop()
	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := store.Get(soon, service); err == nil {
		t.Error("got from an etcd that is stopped")
	}
	s.start(t)
	d, err := eventually(t, store)
	if err != nil {
		t.Fatal(err)
	}
	d.Value = livetest.Text(2, 5)
	if err := store.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	want(t, versions, 2)
}

// eventually gets the document once etcd answers.
func eventually(t *testing.T, s etcd.LiveStore) (d live.Document, err error) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if d, err = s.Get(t.Context(), service); err == nil {
			return d, nil
		}
	}
	return d, err
}

// watchVersions watches until the test ends.
func watchVersions(t *testing.T, w *live.Watcher) <-chan int64 {
	versions := make(chan int64, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Watch(ctx, service, func(c live.Config) { versions <- c.Version })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return versions
}

// want waits for a version; those before it may be told.
func want(t *testing.T, versions <-chan int64, version int64) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case v := <-versions:
			if v == version {
				return
			}
		case <-late:
			t.Fatalf("version %d is not in force", version)
		}
	}
}

// lines is a log to look into while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen int // how much of it was waited for
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// want waits for a word after the one that was waited for last.
func (l *lines) want(t *testing.T, word string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) { //house:allow between two looks
		if at := strings.Index(l.String()[l.seen:], word); at >= 0 {
			l.seen += at + len(word)
			return
		}
	}
	t.Fatalf("%q was not logged, but %s", word, l.String())
}
