package cli

import (
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/fairlead-mesh/fairlead/internal/edgepart"
	"github.com/fairlead-mesh/fairlead/internal/parts"
	"github.com/fairlead-mesh/fairlead/internal/up"
	"github.com/fairlead-mesh/fairlead/pkg/config"
	"github.com/fairlead-mesh/fairlead/pkg/host"
)

// fromEnvironment fills in what the environment says and no flag does: the same
// variables that a process with one part reads.
func fromEnvironment(o *up.Options, flags *pflag.FlagSet) error {
	process := host.ProcessConfig{Probe: o.Probe, LogLevel: o.LogLevel.String(), LogFormat: "text"}
	if _, err := config.Load("", &process, o.Env, nil); err != nil {
		return err
	}
	mesh := host.MeshConfig{Faults: o.Faults}
	if _, err := config.Load("mesh", &mesh, o.Env, nil); err != nil {
		return err
	}
	if !flags.Changed("mesh-faults") {
		o.Faults = mesh.Faults
	}
	if !flags.Changed("probe") {
		o.Probe = process.Probe
	}
	if !flags.Changed("log-level") {
		if err := o.LogLevel.UnmarshalText([]byte(process.LogLevel)); err != nil {
			return fmt.Errorf("FAIRLEAD_LOG_LEVEL: %q is not debug, info, warn or error", process.LogLevel)
		}
	}
	options := &slog.HandlerOptions{Level: o.LogLevel}
	switch process.LogFormat {
	case "text":
		o.Logger = slog.New(slog.NewTextHandler(o.Err, options))
	case "json":
		o.Logger = slog.New(slog.NewJSONHandler(o.Err, options))
	default:
		return fmt.Errorf("FAIRLEAD_LOG_FORMAT: %q is not text or json", process.LogFormat)
	}
	return unknown(o, process.Strict)
}

// unknown warns of variables that nobody reads, or stops.
func unknown(o *up.Options, strict bool) error {
	names := append(config.Names("", new(host.ProcessConfig)), config.Names("mesh", new(host.MeshConfig))...)
	names = append(names, edgepart.Names()...)
	for _, p := range parts.Services() {
		names = append(names, p.Names()...)
	}
	for _, name := range config.Unknown(o.Env, names) {
		if strict {
			return fmt.Errorf("unknown variable %s in the environment", name)
		}
		o.Logger.Warn("unknown variable in the environment", "name", name)
	}
	return nil
}
