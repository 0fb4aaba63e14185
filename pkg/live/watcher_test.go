package live_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/live/memory"
)

const service = "test.v1.Service"

// desk is a watcher over a store in memory, in a bubble of its own: synctest.Wait
// waits until all is told.
type desk struct {
	store   *memory.Store
	watcher *live.Watcher
	log     bytes.Buffer
	events  []live.Event
}

func newDesk() *desk {
	d := &desk{store: memory.New()}
	d.watcher = live.NewWatcher(live.Options{
		Source: d.store, Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
		Events: func(e live.Event) { d.events = append(d.events, e) },
	})
	return d
}

// part is one that listens.
type part struct {
	mu   sync.Mutex
	told []live.Config
	busy chan struct{} // nil when it is not; else closed when it is no more
	stop func()
}

func (d *desk) listen() *part {
	p := new(part)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.watcher.Watch(ctx, service, func(c live.Config) {
			if p.busy != nil {
				<-p.busy
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.told = append(p.told, c)
		})
	}()
	p.stop = func() { cancel(); <-done }
	synctest.Wait()
	return p
}

func (d *desk) force(value string) {
	d.store.Force(service, []byte(value))
	synctest.Wait()
}

func (p *part) want(t *testing.T, versions ...int64) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var got []int64
	for _, c := range p.told {
		got = append(got, c.Version)
	}
	if len(got) != len(versions) {
		t.Fatalf("told of the versions %v, want %v", got, versions)
	}
	for i := range got {
		if got[i] != versions[i] {
			t.Fatalf("told of the versions %v, want %v", got, versions)
		}
	}
}

func TestLastGoodIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		p := d.listen()
		defer p.stop()
		d.force(`{"version":4,"subset":9}`)
		d.force(`{"version":5,"subset":-9}`)
		p.want(t, 0, 4)
		d.force(`nonsense`)
		p.want(t, 0, 4)
		d.force(`{"version":6,"subset":7}`)
		p.want(t, 0, 4, 6)
		refused := d.events[1]
		if len(d.events) != 4 || refused.Version != 5 || refused.Err == nil || !strings.Contains(refused.Err.Error(), "subset") {
			t.Errorf("events %+v", d.events)
		}
		text := d.log.String()
		if strings.Count(text, "refused") != 2 || strings.Count(text, `version=5 "in force"=4`) != 1 {
			t.Errorf("logged %s", text)
		}
	})
}

func TestDeletedMeansDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		p := d.listen()
		defer p.stop()
		d.force(`{"version":4,"subset":9}`)
		d.store.Force(service, nil)
		synctest.Wait()
		p.want(t, 0, 4, 0)
		d.force(`{`)
		p.want(t, 0, 4, 0)
		if last := d.events[len(d.events)-1]; last.Err == nil || last.Version != 0 {
			t.Errorf("got %+v", last)
		}
	})
}

func TestBadAtTheStartMeansDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.force(`{"version":1,"x":1}`)
		p := d.listen()
		defer p.stop()
		p.want(t, 0)
	})
}

// However many listen, the source is watched once, and a bad document is a line.
func TestOneWatchForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		first := d.listen()
		d.force(`{"version":1,"subset":9}`)
		second := d.listen()
		second.want(t, 1)
		d.force(`{`)
		first.stop()
		d.force(`{"version":2}`)
		first.want(t, 0, 1)
		second.want(t, 1, 2)
		second.stop()
		if got := strings.Count(d.log.String(), "refused"); got != 1 {
			t.Errorf("%d lines: %s", got, d.log.String())
		}
		d.force(`{"version":3}`) // nobody listens
		third := d.listen()
		third.want(t, 3)
		third.stop()
	})
}

// A part that is slow to apply is told of the last change, not of each.
func TestSlowPartIsToldOfTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		p := d.listen()
		defer p.stop()
		p.busy = make(chan struct{})
		for _, v := range []string{"1", "2", "3", "4"} {
			d.force(`{"version":` + v + `}`)
		}
		close(p.busy)
		synctest.Wait()
		p.want(t, 0, 1, 4)
	})
}
