// Package identity is the service that knows who is who: it makes accounts,
// starts and ends sessions and issues the tokens that the edge verifies. What it
// promises is written in proto/fairlead/identity/v1/identity.proto.
package identity

import (
	"context"
	_ "embed"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/fairlead-mesh/fairlead/pkg/config"
	identityv1 "github.com/fairlead-mesh/fairlead/proto/gen/go/fairlead/identity/v1"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/core"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/keys"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/rpc"
	"github.com/fairlead-mesh/fairlead/services/identity/internal/store"
)

// Part is the name of the part, in configuration and certificates.
const Part = "identity"

// API is the descriptor set of the service with its comments, which is what it
// publishes.
//
//go:embed api.binpb
var API []byte

// Config is what can be configured. The zero Config keeps everything below
// .fairlead/identity in the working directory.
type Config struct {
	Database string `config:"database" default:"sqlite:.fairlead/identity/identity.db" secret:"url" help:"URL of the database with accounts and sessions, sqlite: or postgres:"`
	KeyDir   string `config:"key-dir" default:".fairlead/identity/keys" help:"folder with the keys that sign access tokens, PEM files (PKCS #8, P-256); the last by name signs, all are published"`
	Issuer   string `config:"issuer" default:"fairlead" help:"issuer of the access tokens (iss)"`
	Audience string `config:"audience" default:"fairlead" help:"whom the access tokens are for (aud)"`

	// Logger gets what no caller is told; nil drops it.
	Logger *slog.Logger
}

// Service is identity, ready to be registered with a server.
type Service struct {
	store *store.Store
	rpc   *rpc.Server
}

// New opens the database and the signing keys; what is missing is made.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if _, err := config.Load(Part, &cfg, nil, nil); err != nil { // the defaults
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ring, err := keys.Open(cfg.KeyDir, cfg.Logger)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, cfg.Database)
	if err != nil {
		return nil, err
	}
	return &Service{db, rpc.New(core.New(db, ring, cfg.Issuer, cfg.Audience), ring)}, nil
}

// Register adds the service to a server, which must validate requests and verify
// principals before it calls them.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	identityv1.RegisterIdentityServiceServer(r, s.rpc)
}

// Close closes the database. The server must have stopped before.
func (s *Service) Close() error { return s.store.Close() }
