package service_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/host"
	"github.com/fairlead-mesh/fairlead/pkg/live"
	"github.com/fairlead-mesh/fairlead/pkg/live/memory"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
)

const fails = `{"version":1,"faults":[{"method":"SignInAnonymous","caller":"client","instance":"process-1","percent":100,"abort":"OUT_OF_RANGE"}]}`

// liveHost is a process that reads live configuration.
func liveHost(t *testing.T) (*host.Host, *memory.Store) {
	h, _ := newHost(t)
	store := memory.New()
	if err := h.ReadLive(store); err != nil {
		t.Fatal(err)
	}
	return h, store
}

// becomes calls until the answer has that code.
func becomes(t *testing.T, c identityv1.IdentityServiceClient, want codes.Code) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err = c.SignInAnonymous(bounded(t), new(identityv1.SignInAnonymousRequest)); status.Code(err) == want {
			return
		}
	}
	t.Fatalf("got %v, want %v", err, want)
}

func TestFaultsOfLiveConfiguration(t *testing.T) {
	h, store := liveHost(t)
	h.Faults = true
	start(t, h, new(identity).part(api(t)))
	c := client(t, h)
	becomes(t, c, codes.OK)
	if err := store.Put(t.Context(), live.Document{Service: "fairlead.identity.v1.IdentityService", Value: []byte(fails)}); err != nil {
		t.Fatal(err)
	}
	becomes(t, c, codes.OutOfRange)
	store.Force("fairlead.identity.v1.IdentityService", nil)
	becomes(t, c, codes.OK)
}

func TestFaultsNeedLeave(t *testing.T) {
	h, store := liveHost(t)
	store.Force("fairlead.identity.v1.IdentityService", []byte(fails))
	start(t, h, new(identity).part(api(t)))
	c := client(t, h)
	for range 20 {
		becomes(t, c, codes.OK)
	}
}
