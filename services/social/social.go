// Package social is the service that holds what people post and whom they follow.
// What it promises is written in proto/fairlead/social/v1/social.proto.
package social

import (
	"context"
	"database/sql"
	_ "embed"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/idempotency"
	"github.com/fairlead-mesh/fairlead/pkg/page"
	"github.com/fairlead-mesh/fairlead/pkg/store"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	socialv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/social/v1"
	"github.com/fairlead-mesh/fairlead/services/social/internal/core"
	"github.com/fairlead-mesh/fairlead/services/social/internal/rpc"
	socialstore "github.com/fairlead-mesh/fairlead/services/social/internal/store"
)

// Part is the name of the part, in configuration and certificates.
const Part = "social"

// API is the descriptor set of the service with its comments, which is what it
// publishes.
//
//go:embed api.binpb
var API []byte

// Config is what can be configured. The zero Config keeps everything below
// .fairlead/social in the working directory.
type Config struct {
	Database string `config:"database" default:"sqlite:.fairlead/social/social.db" secret:"url" help:"URL of the database with posts and follows, sqlite: or postgres:"`
	PageKeys string `config:"page-keys" default:".fairlead/social/page.keys" help:"file with the keys that sign page tokens, 32 bytes in base64 per line; the first signs, all are accepted; the same for all replicas"`

	// Logger gets what no caller is told; nil drops it.
	Logger *slog.Logger
}

// Service is social, ready to be registered with a server.
type Service struct {
	db    *store.DB
	rpc   *rpc.Server
	sweep *sweep
}

// New opens the database and the page keys; what is missing is made. It asks
// identity who exists.
func New(ctx context.Context, cfg Config, identity identityv1.IdentityServiceClient) (*Service, error) {
	if _, err := config.Load(Part, &cfg, nil, nil); err != nil { // the defaults
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	pages, err := page.Load(cfg.PageKeys)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, cfg.Database, socialstore.Migrations, idempotency.Migrations)
	if err != nil {
		return nil, err
	}
	server := &rpc.Server{
		Core:  core.New(socialstore.New(db), rpc.Users{Identity: identity}),
		DB:    db,
		In:    func(tx *sql.Tx) core.Store { return socialstore.In(tx) },
		Pages: pages,
	}
	return &Service{db, server, startSweep(db, cfg.Logger)}, nil
}

// Register adds the service to a server, which must validate requests and verify
// principals before it calls them.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	socialv1.RegisterSocialServiceServer(r, s.rpc)
}

// Close ends what runs in the background and closes the database. The server must
// have stopped before.
func (s *Service) Close() error {
	s.sweep.close()
	return s.db.Close()
}
