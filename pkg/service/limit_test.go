package service

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/fault"
	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	"github.com/fairlead-mesh/fairlead/pkg/rpcserver"
)

func TestLimitOfManyServices(t *testing.T) {
	for _, test := range []struct{ a, b, want live.Limit }{
		{live.Limit{}, live.Limit{}, live.Limit{}},
		{live.Limit{Max: 100}, live.Limit{}, live.Limit{Max: 100}},
		{live.Limit{Max: 100}, live.Limit{Max: 50}, live.Limit{Max: 50}},
		{live.Limit{Min: 10, Max: 100}, live.Limit{Min: 20}, live.Limit{Min: 20, Max: 100}},
		{live.Limit{Min: 80}, live.Limit{Max: 50}, live.Limit{Min: 50, Max: 50}},
	} {
		s := tuning{limits: map[string]live.Limit{"a": test.a, "b": test.b}}
		if got := s.limit(); got != test.want {
			t.Errorf("%+v and %+v: %+v", test.a, test.b, got)
		}
	}
}

// A bound beyond the default of the other holds all the same, and what is taken
// away holds no more.
func TestLimitReachesTheServer(t *testing.T) {
	authority, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := tuning{
		server: rpcserver.New(rpcserver.Options{TLS: authority.Part("shop"), Logger: log}),
		faults: fault.New(fault.Options{Side: live.Server}), log: log, limits: make(map[string]live.Limit),
	}
	for _, step := range []struct {
		limit live.Limit
		want  int
	}{
		{live.Limit{Max: 5}, 5}, {live.Limit{Max: 1}, 1}, {live.Limit{Min: 6000}, 6000}, {live.Limit{Max: 7}, 7},
		{live.Limit{}, 7}, {live.Limit{Min: 8}, 8}, {live.Limit{}, 8},
	} {
		s.apply("acme.v1.Shop", live.Config{Limit: step.limit})
		if got := s.server.Load().Limit; got != step.want {
			t.Errorf("%+v: %d", step.limit, got)
		}
	}
}
