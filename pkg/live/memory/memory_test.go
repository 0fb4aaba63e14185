package memory_test

import (
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/live/livetest"
	"github.com/fairlead-mesh/fairlead/pkg/live/memory"
)

func TestStore(t *testing.T) {
	livetest.Run(t, func(*testing.T) livetest.Store { return memory.New() })
}

func TestForce(t *testing.T) {
	s := memory.New()
	seen := livetest.Follow(t, s, "a.v1.A")
	s.Force("a.v1.A", []byte("{"))
	seen.Want(t, []byte("{"), 1e10)
	s.Force("a.v1.A", nil)
	seen.Want(t, nil, 1e10)
	if d, err := s.Get(t.Context(), "a.v1.A"); err != nil || d.Revision != 0 {
		t.Errorf("got %+v, %v", d, err)
	}
}
