package tune_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fairlead-mesh/fairlead/internal/tune"
	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/live/memory"
)

const service = "acme.v1.Shop"

// desk is a tuner whose output is at hand.
type desk struct {
	tune.Tuner
	store    *memory.Store
	out, err strings.Builder
}

func newDesk() *desk {
	d := &desk{store: memory.New()}
	d.Tuner = tune.Tuner{
		Store: d.store, Out: &d.out, Err: &d.err,
		Served: func(context.Context, string) (tune.Served, error) {
			return tune.Served{Services: []string{service}, Versions: []string{"v1", "v2"}, Methods: []string{"Buy", "List"}}, nil
		},
	}
	return d
}

// said returns what was shown since the last time, on one line.
func (d *desk) said() string {
	defer d.out.Reset()
	return strings.Join(strings.Fields(d.out.String()), " ")
}

func (d *desk) want(t *testing.T, err error, want string) {
	t.Helper()
	if got := d.said(); err != nil || got != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestLife(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	d.want(t, d.List(ctx), "no service has live configuration")
	d.want(t, d.Get(ctx, service), service+": no live configuration, the defaults hold")
	d.want(t, d.Clear(ctx, service), service+": version 0 says so already")
	d.want(t, d.Edit(ctx, service, []string{"subset=9"}), service+`: version 0 → 1 { "version": 1, "subset": 9 }`)
	d.want(t, d.Edit(ctx, service, []string{"split.v2=5"}), service+`: version 1 → 2 { "version": 2, "split": { "v2": 5 }, "subset": 9 }`)
	d.want(t, d.Edit(ctx, service, []string{"subset=9"}), service+": version 2 says so already")
	d.want(t, d.Get(ctx, service), `{ "version": 2, "split": { "v2": 5 }, "subset": 9 }`)
	d.want(t, d.Replace(ctx, service, []byte(`{"version":2,"subset":12}`)), service+`: version 2 → 3 { "version": 3, "subset": 12 }`)
	d.want(t, d.List(ctx), service+`: {"version":3,"subset":12}`)
	d.want(t, d.Clear(ctx, service), service+`: version 3 → 4 { "version": 4 }`)
	d.want(t, d.Edit(ctx, service, []string{"subset=9"}), service+`: version 4 → 5 { "version": 5, "subset": 9 }`)
}

func TestJSON(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	d.JSON = true
	none := `{ "service": "acme.v1.Shop", "version": 0 }`
	one := `{ "service": "acme.v1.Shop", "version": 1, "live": { "version": 1, "subset": 9 } }`
	d.want(t, d.List(ctx), "[]")
	d.want(t, d.Get(ctx, service), none)
	d.want(t, d.Edit(ctx, service, []string{"subset=9"}), `{ "before": `+none+`, "after": `+one+` }`)
	d.want(t, d.Get(ctx, service), one)
	d.store.Force(service, []byte(`{"version":7,"x":`))
	if err := d.List(ctx); err != nil || !strings.Contains(d.said(), `"version": 0, "refused": "x: the document ends`) {
		t.Error(err)
	}
}

func TestMistakesChangeNothing(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	d.store.Force(service, []byte(`{"version":3,"subset":9}`))
	for want, err := range map[string]error{
		`split.v2: 101`:               d.Edit(ctx, service, []string{"subset=12", "split.v2=101"}),
		`exposure: there is no such`:  d.Replace(ctx, service, []byte(`{"exposure":"EDGE"}`)),
		`made from version 2`:         d.Replace(ctx, service, []byte(`{"version":2}`)),
		`"a/b" is not a full gRPC`:    d.Edit(ctx, "a/b", []string{"subset=12"}),
		`"a b" is not a full gRPC`:    d.Clear(ctx, "a b"),
		`"" is not a full gRPC name`:  d.Get(ctx, ""),
		`is not field=value`:          d.Edit(ctx, service, []string{"subset"}),
		`65537 bytes, at most 65536 `: d.Replace(ctx, service, []byte(strings.Repeat(" ", live.MaxBytes+1))),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	d.want(t, d.Get(ctx, service), `{ "version": 3, "subset": 9 }`)
}

// Where somebody has written what nobody reads, it can be seen and mended.
func TestBadDocument(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	d.store.Force(service, []byte(`{"version":3,"subset":1}`))
	if err := d.Get(ctx, service); err != nil || !strings.Contains(d.said(), "refused by every reader") {
		t.Error(err)
	}
	if err := d.Edit(ctx, service, []string{"split.v2=5"}); err == nil || !strings.Contains(err.Error(), "subset: 1 is not") {
		t.Error(err)
	}
	d.want(t, d.Clear(ctx, service), service+`: version 3 → 4 { "version": 4 }`)
}

func TestMisspelledService(t *testing.T) {
	d := newDesk()
	if err := d.Edit(t.Context(), "acme.v1.Shopp", []string{"subset=9"}); err != nil || !strings.Contains(d.err.String(), "nobody serves acme.v1.Shopp now, but "+service) {
		t.Errorf("%q, %v", d.err.String(), err)
	}
}

// What nobody has is written all the same: it may be about to come.
func TestUnknownNames(t *testing.T) {
	for _, test := range []struct{ change, want string }{
		{"timeouts.Nope=800ms", "no instance has the method Nope now, but Buy, List"},
		{"timeouts.Buy=800ms", ""},
		{"split.v3=5", "no instance has the version v3 now, but v1, v2"},
		{"split.v2=5", ""},
		{`faults=[{"method":"Sell","percent":5,"drop":true}]`, "no instance has the method Sell now, but Buy, List"},
		{`faults=[{"percent":5,"drop":true}]`, ""},
		{"timeouts.Nope=", ""},
	} {
		d := newDesk()
		err := d.Edit(t.Context(), service, []string{test.change})
		got := d.err.String()
		if err != nil || (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, %v", test.change, got, err)
		}
	}
}

// contended is a store where somebody else is always faster, a number of times.
type contended struct {
	*memory.Store
	times int
}

func (c *contended) Put(ctx context.Context, d live.Document) error {
	if c.times--; c.times >= 0 {
		c.Force(d.Service, []byte(`{"version":10,"split":{"v1":1}}`))
	}
	return c.Store.Put(ctx, d)
}

func TestSomebodyWasFaster(t *testing.T) {
	d := newDesk()
	d.Store = &contended{d.store, 2}
	d.want(t, d.Edit(t.Context(), service, []string{"subset=9"}), service+`: version 10 → 11 { "version": 11, "split": { "v1": 1 }, "subset": 9 }`)
	d.Store = &contended{d.store, 1000}
	if err := d.Edit(t.Context(), service, []string{"subset=12"}); !errors.Is(err, live.ErrChanged) {
		t.Error(err)
	}
}
