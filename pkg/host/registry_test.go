package host

import (
	"path/filepath"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
)

// Two processes in one folder keep what they know apart, as they do their leases.
func TestSnapshotFile(t *testing.T) {
	folder := t.TempDir()
	for _, want := range []string{"registry.snapshot", "registry-2.snapshot"} {
		r, err := etcd.Open(etcd.Options{Endpoints: []string{"http://127.0.0.1:1"}, LeaseFile: LeaseFile(folder)})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close(t.Context()) // etcd is away
		if got := snapshotFile(r.LeaseFile()); got != filepath.Join(folder, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
