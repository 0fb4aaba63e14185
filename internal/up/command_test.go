package up

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/service"
)

// given makes a system that was told that, and returns its social as well.
func given(t *testing.T, env config.Env, args ...string) (*System, service.Part) {
	t.Helper()
	flags := pflag.NewFlagSet("up", pflag.ContinueOnError)
	for _, p := range parts.Services() {
		p.Flags(flags)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	s := &System{options: Options{Data: "data", Grants: "grants.yaml", Faults: true, Env: env, Flags: flags, LogLevel: slog.LevelInfo}}
	i := slices.IndexFunc(parts.Services(), func(p service.Part) bool { return p.Name == "social" })
	return s, parts.Services()[i]
}

// A replica is told what its part was told, and nothing that is for another part
// or another mesh.
func TestCommand(t *testing.T) {
	env := config.Env{
		"HOME=/home/ada", "FAIRLEAD_SOCIAL_PAGE_KEYS=other.keys",
		"FAIRLEAD_EDGE_LISTEN=:1", "FAIRLEAD_MESH_ETCD=https://elsewhere:2379", "FAIRLEAD_LOG_FORMAT=json", "FAIRLEAD_STRICT=true",
	}
	s, social := given(t, env, "--social-database=sqlite:other.db", "--identity-database=sqlite:identity.db")
	cmd := s.command(social, "/bin/fairlead", "state")
	if want := []string{
		"/bin/fairlead", "serve", "social", "--until-eof", "--probe=127.0.0.1:0", "--log-level=INFO",
		"--mesh-data=data", "--mesh-state=state", "--mesh-grants=grants.yaml", "--mesh-faults=true", "--social-database=sqlite:other.db",
	}; !slices.Equal(cmd.Args, want) {
		t.Errorf("the command is  %q\nwant %q", cmd.Args, want)
	}
	if want := []string{
		"FAIRLEAD_SOCIAL_DATABASE=sqlite:data/social/social.db", "FAIRLEAD_SOCIAL_PAGE_KEYS=data/social/page.keys",
		"HOME=/home/ada", "FAIRLEAD_SOCIAL_PAGE_KEYS=other.keys", "FAIRLEAD_LOG_FORMAT=json",
	}; !slices.Equal(cmd.Env, want) {
		t.Errorf("the environment is %q\nwant %q", cmd.Env, want)
	}
}
