package host

import (
	"log/slog"
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
