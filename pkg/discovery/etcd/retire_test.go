package etcd_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/registrytest"
)

// Whoever started a process may clean up after it, but not while it lives.
func TestRetire(t *testing.T) {
	s := startServer(t)
	o := options(s)
	o.LeaseFile = filepath.Join(t.TempDir(), "lease.json")
	o.TTL = time.Hour
	r := open(t, o)
	i := registrytest.Instance(service, r.InstanceID())
	registrytest.Register(t, r, i)
	w := registrytest.Watch(t, open(t, options(s)), service)
	w.Wait(t, i)

	if err := etcd.Retire(t.Context(), o); !errors.Is(err, etcd.ErrInUse) {
		t.Errorf("while it lives the error is %v", err)
	}
	w.Wait(t, i)
	r.Kill()
	for range 2 {
		if err := etcd.Retire(t.Context(), o); err != nil {
			t.Error(err)
		}
	}
	w.Wait(t)
}
