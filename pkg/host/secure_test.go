package host

import (
	"log/slog"
	"strconv"
	"strings"
	"testing"
)

func TestEtcdEndpointsAreAllOfOneKind(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if ok, err := secure([]string{"https://a:1", "https://b:1"}, log); !ok || err != nil {
		t.Errorf("https: %v %v", ok, err)
	}
	if ok, err := secure([]string{"http://a:1"}, log); ok || err != nil {
		t.Errorf("http: %v %v", ok, err)
	}
	if _, err := secure([]string{"https://a:1", "http://b:1"}, log); err == nil || !strings.Contains(err.Error(), "FAIRLEAD_MESH_ETCD") {
		t.Errorf("both: %v", err)
	}
}

func TestEndpointsAreURLs(t *testing.T) {
	for _, good := range []string{"https://etcd-0.etcd:2379", "http://127.0.0.1:1", "https://[::1]:2379/"} {
		if err := checkEndpoints([]string{good}); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"nonsense", "127.0.0.1:2379", "etcd:2379", "https://etcd", "https://:2379", "ftp://etcd:21", "https://etcd:2379/v3", ""} {
		err := checkEndpoints([]string{"https://a:1", bad})
		if err == nil || !strings.Contains(err.Error(), "FAIRLEAD_MESH_ETCD") || !strings.Contains(err.Error(), strconv.Quote(bad)) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
