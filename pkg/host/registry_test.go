package host

import (
	"path/filepath"
	"testing"

	"github.com/fairlead-mesh/fairlead/pkg/discovery/etcd"
)

// What was kept of one mesh is not taken for another, which may have the same
// prefix; the order of its endpoints does not matter.
func TestMeshName(t *testing.T) {
	name := func(prefix string, endpoints ...string) string {
		return meshName(etcd.Options{Prefix: prefix, Endpoints: endpoints})
	}
	one := name("fairlead", "https://a:1", "https://b:1")
	if name("fairlead", "https://b:1", "https://a:1") != one {
		t.Error("the order matters")
	}
	for _, other := range []string{name("fairlead", "https://a:1"), name("other", "https://a:1", "https://b:1"), name("fairlead", "http://127.0.0.1:1")} {
		if other == one {
			t.Errorf("two meshes have the name %s", other)
		}
	}
}

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
