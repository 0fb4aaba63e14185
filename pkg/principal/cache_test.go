package principal

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/mtls"
	principalv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/principal/v1"
)

func key(n int) hash {
	var k hash
	binary.BigEndian.PutUint64(k[:], uint64(n))
	return k
}

func TestCacheIsBoundedAndForgetsTheOldest(t *testing.T) {
	var c cache
	now := time.Now()
	for i := range 10 * generation {
		c.put(key(i), &principalv1.Principal{}, now.Add(time.Minute))
	}
	if n := len(c.young) + len(c.old); n > 2*generation {
		t.Errorf("remembers %d envelopes, more than %d", n, 2*generation)
	}
	if _, ok := c.get(key(10*generation-1), now); !ok {
		t.Error("has forgotten the newest")
	}
	if _, ok := c.get(key(0), now); ok {
		t.Error("remembers the oldest")
	}
}

func TestCacheDropsWhatHasEnded(t *testing.T) {
	var c cache
	now := time.Now()
	c.put(key(1), &principalv1.Principal{}, now)
	if _, ok := c.get(key(1), now); ok || len(c.young) > 0 {
		t.Error("remembers an envelope that has ended")
	}
}

func TestRepeatedEnvelopeIsRemembered(t *testing.T) {
	edge := newAuthority(t).issue(t, mtls.ID("edge"), time.Hour)
	v := NewVerifier(edge, mtls.ID("edge"))
	encoded := sign(t, edge, ada())
	first, err := v.Verify(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if p, err := v.Verify(encoded); p != first || err != nil {
				t.Errorf("Verify = %p, %v; want the first one, %p", p, err, first)
			}
		})
	}
	wg.Wait()
	allocs := testing.AllocsPerRun(100, func() { _, _ = v.Verify(encoded) })
	if allocs > 1 {
		t.Errorf("a repeated envelope costs %v allocations", allocs)
	}
}

func BenchmarkVerify(b *testing.B) {
	edge := newAuthority(b).issue(b, mtls.ID("edge"), time.Hour)
	encoded := sign(b, edge, ada())
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			_, _ = NewVerifier(edge, mtls.ID("edge")).Verify(encoded)
		}
	})
	b.Run("repeated", func(b *testing.B) {
		v := NewVerifier(edge, mtls.ID("edge"))
		for b.Loop() {
			_, _ = v.Verify(encoded)
		}
	})
}
