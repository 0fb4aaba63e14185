package mesh

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fairlead-mesh/fairlead/pkg/discovery"
	"github.com/fairlead-mesh/fairlead/pkg/discovery/memory"
	"github.com/fairlead-mesh/fairlead/pkg/mtls"
)

// silent is a registry that is away.
type silent struct{ discovery.Registry }

func (silent) Watch(ctx context.Context, _ string, _ func([]discovery.Instance)) { <-ctx.Done() }

func TestARegistryThatNeverAnswers(t *testing.T) {
	authority, err := mtls.OpenAuthority(filepath.Join(t.TempDir(), "ca"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Join(Config{Part: "edge", Registry: silent{memory.New()}, TLS: authority.Part("edge")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = m.Caller().Invoke(ctx, "/a.v1.AService/Do", nil)
	if status.Code(err) != codes.Unavailable || ctx.Err() != nil {
		t.Errorf("got %v", err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
