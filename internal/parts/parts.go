// Package parts lists the services of this repository, as parts that a process
// can run.
package parts

import (
	"context"
	"path/filepath"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/mesh"
	"github.com/fairlead-mesh/fairlead/pkg/service"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	"github.com/fairlead-mesh/fairlead/services/identity"
	"github.com/fairlead-mesh/fairlead/services/social"
)

// Services returns all services, in the order in which they start.
func Services() []service.Part {
	return []service.Part{
		service.Define(identity.Part, identity.API, newIdentity),
		service.Define(social.Part, social.API, newSocial),
	}
}

func newIdentity(ctx context.Context, m *mesh.Mesh, cfg identity.Config) (service.Service, error) {
	cfg.Logger = m.Logger()
	return identity.New(ctx, cfg)
}

func newSocial(ctx context.Context, m *mesh.Mesh, cfg social.Config) (service.Service, error) {
	cfg.Logger = m.Logger()
	users := identityv1.NewIdentityServiceClient(m.Dial(identityv1.IdentityService_ServiceDesc.ServiceName))
	return social.New(ctx, cfg, users)
}

// In returns the environment with what keeps the services' data in a folder.
// What env says itself wins.
func In(folder string, env config.Env) config.Env {
	preset := config.Env{
		"FAIRLEAD_IDENTITY_DATABASE=sqlite:" + filepath.Join(folder, "identity", "identity.db"),
		"FAIRLEAD_IDENTITY_KEY_DIR=" + filepath.Join(folder, "identity", "keys"),
		"FAIRLEAD_SOCIAL_DATABASE=sqlite:" + filepath.Join(folder, "social", "social.db"),
		"FAIRLEAD_SOCIAL_PAGE_KEYS=" + filepath.Join(folder, "social", "page.keys"),
	}
	return append(preset, env...)
}
