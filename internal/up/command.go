package up

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/service"
)

// command makes the command of a replica: "fairlead serve social" with what "up"
// was told about the part, on the same data.
func (s *System) command(p service.Part, program, state string) *exec.Cmd {
	o := s.options
	cmd := exec.Command(program, "serve", p.Name,
		"--until-eof", "--probe=127.0.0.1:0", "--log-level="+o.LogLevel.String(),
		"--mesh-data="+o.Data, "--mesh-state="+state, "--mesh-grants="+o.Grants, "--mesh-faults="+strconv.FormatBool(o.Faults))
	cmd.Args = append(cmd.Args, flagsOf(p, o.Flags)...)
	cmd.Env = environmentOf(p, parts.In(o.Data, o.Env))
	return cmd
}

// flagsOf returns the flags of a part that were given.
func flagsOf(p service.Part, given *pflag.FlagSet) []string {
	own := pflag.NewFlagSet(p.Name, pflag.ContinueOnError)
	p.Flags(own)
	var args []string
	given.Visit(func(f *pflag.Flag) {
		if own.Lookup(f.Name) != nil {
			args = append(args, "--"+f.Name+"="+f.Value.String())
		}
	})
	return args
}

// environmentOf leaves out what is meant for other parts, and which mesh to join:
// it is this one.
func environmentOf(p service.Part, env config.Env) config.Env {
	names := append(p.Names(), "FAIRLEAD_LOG_FORMAT")
	return slices.DeleteFunc(env, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return strings.HasPrefix(name, "FAIRLEAD_") && !slices.Contains(names, name)
	})
}
