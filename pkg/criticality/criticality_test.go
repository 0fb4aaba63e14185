package criticality_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/fairlead-mesh/fairlead/pkg/criticality"
)

var levels = []criticality.Level{criticality.Sheddable, criticality.SheddablePlus, criticality.Critical, criticality.CriticalPlus}

func TestNames(t *testing.T) {
	for i, want := range []string{"SHEDDABLE", "SHEDDABLE_PLUS", "CRITICAL", "CRITICAL_PLUS"} {
		if got := criticality.Name(levels[i]); got != want {
			t.Errorf("%v: got %s", levels[i], got)
		}
		if got, ok := criticality.Lookup(want); got != levels[i] || !ok {
			t.Errorf("%s: got %v, %v", want, got, ok)
		}
	}
	if got := criticality.Name(99); got != "CRITICAL" {
		t.Errorf("a level that is none: got %s", got)
	}
}

func TestUnknownNamesAreTheDefault(t *testing.T) {
	for _, name := range []string{"", "critical", "CRITICALITY_SHEDDABLE", "\x00", "SHEDDABLE "} {
		if got := criticality.Parse(name); got != criticality.Default {
			t.Errorf("%q: got %v", name, got)
		}
		if _, ok := criticality.Lookup(name); ok {
			t.Errorf("%q is known", name)
		}
	}
}

func incoming(values ...string) context.Context {
	return metadata.NewIncomingContext(context.Background(), metadata.MD{criticality.Key: values})
}

func TestFromIncoming(t *testing.T) {
	for name, test := range map[string]struct {
		ctx  context.Context
		want criticality.Level
	}{
		"nothing":  {context.Background(), criticality.SheddablePlus},
		"one":      {incoming("SHEDDABLE"), criticality.Sheddable},
		"unknown":  {incoming("HUGE"), criticality.Default},
		"two":      {incoming("SHEDDABLE", "CRITICAL"), criticality.SheddablePlus},
		"no value": {incoming(), criticality.SheddablePlus},
	} {
		if got := criticality.FromIncoming(test.ctx, criticality.SheddablePlus); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// sent is what an outgoing call of a handler carries when the mesh has added what
// came in.
func sent(ctx context.Context) criticality.Level {
	md, _ := metadata.FromOutgoingContext(ctx)
	if v := md.Get(criticality.Key); len(v) == 1 {
		return criticality.Parse(v[0])
	}
	return criticality.FromIncoming(ctx, criticality.CriticalPlus)
}

func TestLowerOnlyLowers(t *testing.T) {
	for _, came := range levels {
		for _, first := range levels {
			for _, second := range levels {
				ctx := criticality.Lower(criticality.Lower(incoming(criticality.Name(came)), first), second)
				if got, want := sent(ctx), min(came, first, second); got != want {
					t.Errorf("%v lowered to %v and %v: got %v", came, first, second, got)
				}
			}
		}
	}
}

func TestLowerKeepsOtherMetadata(t *testing.T) {
	ctx := metadata.AppendToOutgoingContext(context.Background(), "x-request-id", "r1")
	lowered := criticality.Lower(ctx, criticality.Sheddable)
	if md, _ := metadata.FromOutgoingContext(lowered); md.Get("x-request-id")[0] != "r1" || md.Get(criticality.Key)[0] != "SHEDDABLE" {
		t.Errorf("got %v", md)
	}
	if md, _ := metadata.FromOutgoingContext(ctx); len(md.Get(criticality.Key)) > 0 {
		t.Error("the first context has changed")
	}
}
